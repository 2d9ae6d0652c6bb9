/** What nothing needs any more is collected, an hour after it was marked, and nothing else is. */
import t, { type Test } from 'tap';
import { collect, type Collection } from '../../src/registry/collect.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import type { Actor } from '../../src/auth/permissions.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { fakeClock, type FakeClock } from '../fake-clock.ts';
import { listTree } from '../kept.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { readApt, readFrom, readPackage, readYum } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';
import { join } from 'node:path';

t.setTimeout(240_000);

const actor: Actor = { kind: 'operator', name: 'test' };
const hour = 3_600_000;
const day = 24 * hour;
const main = '/api/v1/repositories/main';

type Yard = {
  readonly server: InProcess;
  readonly clock: FakeClock;
  readonly put: (channel: string, sample: Sample) => Promise<Response>;
  readonly yank: (channel: string, name: string, version?: string) => Promise<void>;
  readonly post: (path: string, body: object) => Promise<Response>;
  readonly gc: (dryRun?: boolean) => Promise<Collection>;
  /** Collects, lets the hour pass, and collects again. */
  readonly gcTwice: () => Promise<Collection>;
  readonly tree: () => Promise<string[]>;
  readonly names: (channel: string) => Promise<string[]>;
};

async function open(t: Test): Promise<Yard> {
  // Files have the system's times.
  const clock = fakeClock(Date.now());
  const server = await startInProcess(t, { clock });
  const gc = (dryRun = false): Promise<Collection> =>
    collect(server.app, { actor, repository: 'main', dryRun });
  const post = (path: string, body: object): Promise<Response> =>
    server.api(`${main}${path}`, { method: 'POST', body: JSON.stringify(body) });
  return {
    server,
    clock,
    post,
    gc,
    put: (channel, { filename, bytes }) => server.upload(channel, filename, bytes),
    yank: async (channel, name, version = '1.0-1') => {
      const architecture = channel === 'stable' ? 'amd64' : 'x86_64';
      const path = `${main}/channels/${channel}/packages/${name}/${version}/${architecture}`;
      await jsonOf(await server.api(path, { method: 'DELETE' }));
    },
    gcTwice: async () => {
      await gc();
      clock.advance(hour);
      return await gc();
    },
    tree: async () => (await Array.fromAsync(server.app.store.list(''))).map(({ key }) => key).sort(),
    names: async (channel) => {
      const read = channel === 'stable' ? readApt : readYum;
      const found = await read(readFrom(server.url), 'main', channel);
      for (const entry of found) await readPackage(readFrom(server.url), entry);
      return found.map(({ name }) => name).sort();
    },
  };
}

async function fsck(t: Test, { server }: Yard): Promise<void> {
  t.same(await Array.fromAsync(checkEverything(server.app, { alone: true })), [], 'fsck is clean');
}

const aptFile = 'apt/main/pool/o/old/old_1.0-1_amd64.deb';
const yumFile = 'yum/main/pool/o/old-1.0-1.x86_64.rpm';

/** A package of each format that was yanked, and generations after it. */
async function yankOld(yard: Yard): Promise<void> {
  for (const [channel, sample] of [
    ['stable', debSample],
    ['stable-rpm', rpmSample],
  ] as const) {
    await jsonOf(await yard.put(channel, sample('old')));
    await jsonOf(await yard.put(channel, sample('kept')));
    await yard.yank(channel, 'old', channel === 'stable' ? '1.0-1' : '0:1.0-1');
    for (const name of ['one', 'two', 'three']) await jsonOf(await yard.put(channel, sample(name)));
  }
}

t.test('nothing goes within the grace time', async (t) => {
  const yard = await open(t);
  await yankOld(yard);
  const before = await yard.tree();
  yard.clock.advance(3 * day - 60_000);
  const { generations, packages, deleted, waiting } = await yard.gc();
  t.same(
    { generations, packages, deleted, waiting },
    { generations: [], packages: [], deleted: [], waiting: [] },
  );
  t.same(await yard.tree(), before);
});

t.test('after it, what no kept generation names is marked, and goes an hour later', async (t) => {
  const yard = await open(t);
  await yankOld(yard);
  yard.clock.advance(3 * day + 60_000);
  const before = await yard.tree();
  const marked = await yard.gc();
  t.same(
    marked.generations.filter(({ channel }) => channel === 'stable').map(({ generation }) => generation),
    [1, 2, 3, 4],
    'the last three of seven stay',
  );
  t.same(
    marked.packages.map(({ key }) => key),
    [aptFile, yumFile],
  );
  t.same(marked.deleted, []);
  t.same(await yard.tree(), before, 'no file is gone yet');
  await fsck(t, yard);
  yard.clock.advance(hour - 1);
  t.same((await yard.gc()).deleted, []);
  yard.clock.advance(1);
  const { deleted, bytes } = await yard.gc();
  t.same(
    deleted.map(({ key }) => key).sort(),
    marked.waiting.map(({ key }) => key).sort(),
    'just what was said before',
  );
  t.equal(bytes.deleted, marked.bytes.waiting);
  const after = await yard.tree();
  t.same(
    before.filter((key) => !after.includes(key)),
    deleted.map(({ key }) => key).sort(),
  );
  for (const gone of [
    aptFile,
    yumFile,
    'apt/main/snapshots/4/dists/stable/InRelease',
    'yum/main/stable-rpm/generations/4/metalink',
  ])
    t.notOk(after.includes(gone), gone);
  for (const kept of [
    'apt/main/snapshots/5/dists/stable/InRelease',
    'yum/main/stable-rpm/generations/5/metalink',
  ])
    t.ok(after.includes(kept), kept);
  for (const channel of ['stable', 'stable-rpm'])
    t.same(await yard.names(channel), ['kept', 'one', 'three', 'two']);
  await fsck(t, yard);
  t.same((await yard.gc()).deleted, [], 'a third one finds nothing');
  const listed = await jsonOf<{ generations: { generation: number; collected: boolean }[] }>(
    await yard.server.api(`${main}/channels/stable/generations`),
  );
  t.same(
    listed.generations.map(({ generation, collected }) => [generation, collected]),
    [
      [7, false],
      [6, false],
      [5, false],
      [4, true],
      [3, true],
      [2, true],
      [1, true],
    ],
  );
});

t.test('the dry run is the real answer', async (t) => {
  const yard = await open(t);
  await yankOld(yard);
  await jsonOf(
    await yard.server.api(`${main}/uploads/${debSample('staged').filename}`, {
      method: 'PUT',
      body: new Uint8Array(debSample('staged').bytes),
    }),
  );
  yard.clock.advance(3 * day + 60_000);
  for (let i = 0; i < 3; i++) {
    const before = await yard.tree();
    const planned = await yard.gc(true);
    t.same(await yard.tree(), before);
    t.same(await yard.gc(true), planned, 'it changes nothing');
    t.same(await yard.gc(), planned);
    yard.clock.advance(40 * 60_000);
  }
  await fsck(t, yard);
});

t.test('a pin keeps a generation and its packages', async (t) => {
  const yard = await open(t);
  await yankOld(yard);
  const pin = async (channel: string, method: string, body?: object): Promise<Response> =>
    await yard.server.api(`${main}/channels/${channel}/pins/image`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    });
  const channels = ['stable', 'stable-rpm'];
  for (const channel of channels) t.equal((await pin(channel, 'PUT', { generation: 3 })).status, 201);
  yard.clock.advance(30 * day);
  await yard.gcTwice();
  const tree = await yard.tree();
  for (const kept of [
    aptFile,
    yumFile,
    'apt/main/snapshots/3/dists/stable/InRelease',
    'apt/main/snapshots/3/pool',
    'yum/main/stable-rpm/generations/3/repodata/repomd.xml',
  ])
    t.ok(tree.includes(kept), kept);
  t.notOk(tree.includes('apt/main/snapshots/4/dists/stable/InRelease'));
  await fsck(t, yard);
  for (const channel of channels) t.ok((await pin(channel, 'DELETE')).ok);
  t.ok((await pin('stable', 'PUT', { generation: 3 })).ok, 'while its files are there');
  t.ok((await pin('stable', 'DELETE')).ok);
  await yard.gcTwice();
  for (const gone of [aptFile, yumFile, 'apt/main/snapshots/3/dists/stable/InRelease'])
    t.notOk((await yard.tree()).includes(gone), gone);
  await fsck(t, yard);
});

t.test('a generation that was served until just now is kept, however old it is', async (t) => {
  const yard = await open(t);
  for (const name of ['a', 'b', 'c', 'd']) await jsonOf(await yard.put('stable', debSample(name)));
  yard.clock.advance(30 * day);
  for (const name of ['e', 'f', 'g', 'h']) await jsonOf(await yard.put('stable', debSample(name)));
  const { generations } = await yard.gc();
  t.same(
    generations.map(({ generation }) => generation),
    [1, 2, 3, 4],
    'the fifth was the head for a month',
  );
});

t.test('a snapshot folder that two channels share stays with the last of them', async (t) => {
  const yard = await open(t);
  await jsonOf(await yard.server.api(`${main}/channels/other`, { method: 'PUT', body: '{"format":"apt"}' }));
  await yankOld(yard);
  yard.clock.advance(4 * day);
  await yard.gcTwice();
  t.ok((await yard.tree()).includes('apt/main/snapshots/1/pool'));
  t.notOk((await yard.tree()).includes('apt/main/snapshots/2/pool'));
  await fsck(t, yard);
});

t.test('staged packages have a time to live, which another upload begins again', async (t) => {
  const yard = await open(t);
  const stage = async ({
    filename,
    bytes,
  }: Sample): Promise<{ status: string; package: { sha256: string } }> =>
    await jsonOf(
      await yard.server.api(`${main}/uploads/${filename}`, { method: 'PUT', body: new Uint8Array(bytes) }),
    );
  const receipt = await stage(debSample('again'));
  await stage(debSample('once'));
  yard.clock.advance(2 * day);
  t.equal((await stage(debSample('again'))).status, 'unchanged');
  yard.clock.advance(2 * day);
  const { packages } = await yard.gcTwice();
  t.same(
    packages.map(({ name }) => name),
    [],
  );
  t.notOk((await yard.tree()).some((key) => key.includes('once_')));
  await jsonOf(await yard.post('/channels/stable/publications', { add: [receipt.package.sha256] }));
  t.same(await yard.names('stable'), ['again']);
  await fsck(t, yard);
});

t.test('a collected identity stays taken; the same bytes bring its file back', async (t) => {
  const yard = await open(t);
  await yankOld(yard);
  const digests = new Map<string, string>();
  const tree = listTree(join(yard.server.dataDir, 'tree'));
  for (const file of [aptFile, yumFile]) digests.set(file, tree[file] ?? '');
  yard.clock.advance(4 * day);
  await yard.gcTwice();
  const other = { content: 'other bytes' };
  t.match(await problemOf(await yard.put('stable', debSample('old', other))), {
    status: 409,
    code: 'identity_conflict',
  });
  t.match(await problemOf(await yard.put('stable-rpm', rpmSample('old', other))), {
    status: 409,
    code: 'identity_conflict',
  });
  t.match(await problemOf(await yard.post('/channels/stable/rollback', { generation: 2 })), {
    status: 409,
    code: 'package_collected',
  });
  t.match(await jsonOf(await yard.put('stable', debSample('old'))), { status: 'created' });
  t.match(await jsonOf(await yard.put('stable-rpm', rpmSample('old'))), { status: 'created' });
  const now = listTree(join(yard.server.dataDir, 'tree'));
  for (const [file, digest] of digests) t.equal(now[file], digest, file);
  for (const channel of ['stable', 'stable-rpm']) t.ok((await yard.names(channel)).includes('old'));
  await fsck(t, yard);
  yard.clock.advance(4 * day);
  await yard.gcTwice();
  for (const channel of ['stable', 'stable-rpm']) t.ok((await yard.names(channel)).includes('old'));
});

t.test('brought back within the hour it never was away', async (t) => {
  const yard = await open(t);
  await yankOld(yard);
  yard.clock.advance(4 * day);
  await yard.gc();
  t.match(await problemOf(await yard.post('/channels/stable/rollback', { generation: 2 })), {
    code: 'package_collected',
  });
  await jsonOf(await yard.put('stable', debSample('old')));
  await jsonOf(await yard.put('stable-rpm', rpmSample('old')));
  await yard.gcTwice();
  for (const channel of ['stable', 'stable-rpm']) t.ok((await yard.names(channel)).includes('old'));
  await fsck(t, yard);
});

t.test('a generation whose files are gone can be rolled back to while its packages are there', async (t) => {
  const yard = await open(t);
  for (const name of ['a', 'b', 'c', 'd', 'e']) await jsonOf(await yard.put('stable', debSample(name)));
  yard.clock.advance(4 * day);
  await yard.gcTwice();
  t.notOk((await yard.tree()).includes('apt/main/snapshots/3/dists/stable/InRelease'));
  await jsonOf(await yard.post('/channels/stable/rollback', { generation: 3, force: true }));
  t.same(await yard.names('stable'), ['a', 'b']);
  await fsck(t, yard);
});

t.test('an index that is published again after its file was collected is written again', async (t) => {
  const yard = await open(t);
  await jsonOf(await yard.put('stable', debSample('a')));
  for (const name of ['b', 'c', 'd', 'e']) await jsonOf(await yard.put('stable', debSample(name)));
  yard.clock.advance(4 * day);
  await yard.gcTwice();
  for (const name of ['b', 'c', 'd', 'e']) await yard.yank('stable', name);
  t.same(await yard.names('stable'), ['a']);
  await fsck(t, yard);
});

t.test('files that nothing ever named go after the grace time', async (t) => {
  const yard = await open(t);
  const { store } = yard.server.app;
  const bytes = [Buffer.from('left by a crash')];
  const orphans = [
    'apt/main/pool/x/x/x_1_amd64.deb',
    'apt/main/dists/stable/main/binary-amd64/by-hash/SHA256/0000',
    'yum/main/stable-rpm/generations/99/repodata/repomd.xml',
    'setup/main/gone.sources',
  ];
  for (const key of orphans) await store.putImmutable(key, bytes);
  await store.putAlias('yum/main/stable-rpm/generations/99/packages', 'yum/main/pool');
  yard.clock.advance(2 * day);
  t.same((await yard.gc()).deleted, []);
  yard.clock.advance(2 * day);
  t.same(
    (await yard.gc()).deleted.map(({ key }) => key).sort(),
    [...orphans, 'yum/main/stable-rpm/generations/99/packages'].sort(),
  );
  t.notOk((await yard.tree()).some((key) => key.includes('generations/99')));
  await fsck(t, yard);
});
