/** fsck finds whatever is not as it was published, and names it. */
import {
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkEverything, type Fault } from '../../src/registry/fsck.ts';
import { jsonOf } from '../ask.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { startInProcess } from '../server.ts';

t.setTimeout(240_000);
const server = await startInProcess(t);
const tree = (path: string): string => join(server.dataDir, 'tree', path);
for (const name of ['first', 'second'])
  for (const [channel, { filename, bytes }] of [
    ['stable', debSample(name)],
    ['stable-rpm', rpmSample(name)],
  ] as const)
    await jsonOf(await server.upload(channel, filename, bytes));

const check = (): Promise<Fault[]> => Array.fromAsync(checkEverything(server.app, { alone: true }));

function flipped(path: string): Buffer {
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}

/** In place: a file that has several names is another one under each of them. */
function flip(path: string): void {
  writeFileSync(path, flipped(path));
}

/** Another file under one name. */
function replace(path: string, bytes: Uint8Array): void {
  rmSync(path);
  writeFileSync(path, bytes);
}

/** The real path of the first file below a folder that matches. */
function find(folder: string, pattern: RegExp): string {
  const found = (readdirSync(tree(folder), { recursive: true }) as string[])
    .sort()
    .find((name) => pattern.test(name));
  if (found === undefined) throw new Error(`${folder} has no ${String(pattern)}`);
  return `${folder}/${found}`;
}

t.test('what is sound is clean', async (t) => {
  t.same(await check(), []);
  t.same(await runCommand(['fsck', '--data', server.dataDir]), { code: 0, stdout: 'clean\n', stderr: '' });
});

t.test('a signed package that no longer makes the uploaded one is named', async (t) => {
  const { db } = server.app;
  const row = await db
    .selectFrom('packages')
    .select(['id', 'path', 'signature_header', 'core_sha256', 'uploaded_sha256'])
    .where('name', '=', 'first')
    .where('format', '=', 'yum')
    .executeTakeFirstOrThrow();
  const put = (change: Partial<typeof row>): Promise<unknown> =>
    db.updateTable('packages').set(change).where('id', '=', row.id).execute();
  const head = Buffer.from(row.signature_header ?? '', 'base64');
  head.writeUInt8(head.readUInt8(20) ^ 1, 20);
  await put({ signature_header: head.toString('base64') });
  t.match(await check(), [{ key: row.path, problem: /does not make the upload/ }]);
  await put({ signature_header: row.signature_header, core_sha256: '0'.repeat(64) });
  t.match(await check(), [{ key: row.path, problem: /the core is not that/ }]);
  await put({ core_sha256: row.core_sha256 });
  t.same(await check(), []);
});

t.test('the command names each difference and fails', async (t) => {
  const path = 'apt/main/pool/f/first/first_1.0-1_amd64.deb';
  const original = readFileSync(tree(path));
  flip(tree(path));
  rmSync(tree('yum/main/pool/s/second-1.0-1.x86_64.rpm'));
  const { code, stdout, stderr } = await runCommand(['fsck', '--data', server.dataDir]);
  t.equal(code, 1);
  t.match(stdout, new RegExp(`^${path}: SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}$`, 'm'));
  t.match(stdout, /^yum\/main\/pool\/s\/second-1\.0-1\.x86_64\.rpm: missing$/m);
  t.equal(stderr, 'entrepot: 2 differences between the catalog and the tree\n');
  writeFileSync(tree(path), original);
});

const rpm = 'yum/main/pool/s/second-1.0-1.x86_64.rpm';
const rpmBytes = rpmSample('second');

t.test('the same bytes uploaded again bring a lost or a damaged file back', async (t) => {
  const found = async (): Promise<string[]> => (await check()).map(({ key }) => key);
  const deb = 'apt/main/pool/f/first/first_1.0-1_amd64.deb';
  const debBytes = debSample('first');
  flip(tree(deb));
  t.same((await found()).sort(), [deb, rpm].sort());
  t.equal((await server.upload('stable-rpm', rpmBytes.filename, rpmBytes.bytes)).status, 200);
  t.same(await found(), [deb]);
  t.equal((await server.upload('stable', debBytes.filename, debBytes.bytes)).status, 200);
  t.same(await found(), []);
});

const indexes = {
  'apt index': find('apt/main/dists/stable/main/binary-amd64/by-hash/SHA256', /^[0-9a-f]{64}$/),
  'yum index': find('yum/main/stable-rpm/repodata', /^[0-9a-f]{64}-primary\.xml\.gz$/),
};
const documents = {
  InRelease: 'apt/main/dists/stable/InRelease',
  Release: 'apt/main/dists/stable/Release',
  'Release.gpg': 'apt/main/dists/stable/Release.gpg',
  'an earlier InRelease': find('apt/main/dists/stable/by-hash/SHA256', /^[0-9a-f]{64}$/),
  'a snapshot': 'apt/main/snapshots/2/dists/stable/InRelease',
  'repomd.xml': 'yum/main/stable-rpm/repodata/repomd.xml',
  'repomd.xml.asc': 'yum/main/stable-rpm/repodata/repomd.xml.asc',
  metalink: 'yum/main/stable-rpm/metalink',
  'a frozen repomd.xml': 'yum/main/stable-rpm/generations/2/repodata/repomd.xml',
  'a frozen signature': 'yum/main/stable-rpm/generations/2/repodata/repomd.xml.asc',
  'a frozen metalink': 'yum/main/stable-rpm/generations/2/metalink',
  'an armoured key': 'keys/main.asc',
  'a key': 'keys/main.gpg',
  'a .sources file': 'setup/main/stable.sources',
  'a .repo file': 'setup/main/stable-rpm.repo',
};

t.test('a file with several names that is damaged is named by each of them', async (t) => {
  const names = (readdirSync(tree('.'), { recursive: true }) as string[]).filter((path) => {
    const found = lstatSync(tree(path));
    return found.isFile() && found.nlink > 1;
  });
  t.ok(names.includes(documents.InRelease) && names.includes(documents['repomd.xml']), 'there are some');
  for (const path of names) {
    flip(tree(path));
    const found = new Set((await check()).map(({ key }) => key));
    const same = names.filter((name) => lstatSync(tree(name)).ino === lstatSync(tree(path)).ino);
    for (const name of same) t.ok(found.has(name), name);
    flip(tree(path));
  }
  t.same(await check(), []);
});

for (const [what, path] of Object.entries({ ...indexes, ...documents }))
  t.test(`${what}: a flipped bit, a missing file, an empty one`, async (t) => {
    const original = readFileSync(tree(path));
    replace(tree(path), flipped(tree(path)));
    t.ok(
      (await check()).some(({ key }) => key === path),
      'flipped',
    );
    replace(tree(path), Buffer.alloc(0));
    t.ok(
      (await check()).some(({ key }) => key === path),
      'empty',
    );
    rmSync(tree(path));
    t.ok(
      (await check()).some(({ key }) => key === path),
      'missing',
    );
    writeFileSync(tree(path), original);
    t.same(await check(), []);
  });

t.test('a pointer that shows another generation', async (t) => {
  for (const [pointer, other] of [
    ['yum/main/stable-rpm/repodata/repomd.xml', 'yum/main/stable-rpm/generations/2/repodata/repomd.xml'],
    ['apt/main/dists/stable/InRelease', 'apt/main/snapshots/2/dists/stable/InRelease'],
  ] as const) {
    const original = readFileSync(tree(pointer));
    replace(tree(pointer), readFileSync(tree(other)));
    t.match(await check(), [{ key: pointer, problem: /^does not show / }]);
    writeFileSync(tree(pointer), original);
  }
});

t.test('a plain name or a frozen name that leads elsewhere', async (t) => {
  for (const link of [
    'apt/main/dists/stable/main/binary-amd64/Packages.gz',
    'apt/main/snapshots/2/dists/stable/main',
    'apt/main/snapshots/2/pool',
    'yum/main/stable-rpm/packages',
    'yum/main/stable-rpm/generations/2/packages',
    find('yum/main/stable-rpm/generations/2/repodata', /-primary\.xml\.gz$/),
  ]) {
    renameSync(tree(link), tree('kept'));
    t.ok(
      (await check()).some(({ key }) => key === link),
      `${link} is missing`,
    );
    symlinkSync('nowhere', tree(link));
    t.ok(
      (await check()).some(({ key }) => key === link),
      `${link} leads nowhere`,
    );
    unlinkSync(tree(link));
    renameSync(tree('kept'), tree(link));
  }
  t.same(await check(), []);
});

t.test('a generation that is gone, from the tree or from the catalog', async (t) => {
  for (const folder of ['yum/main/stable-rpm/generations/2', 'apt/main/snapshots/2']) {
    renameSync(tree(folder), tree('kept'));
    const faults = await check();
    t.ok(faults.length > 0);
    t.ok(
      faults.every(({ key }) => key.startsWith(folder)),
      JSON.stringify(faults),
    );
    renameSync(tree('kept'), tree(folder));
  }
  const { db } = server.app;
  for (const [number, words] of [
    [2, 'generation 2 is missing from the catalog'],
    [3, 'generation 3 is missing from the catalog'],
    [1, 'generation 1 is missing from the catalog'],
  ] as const) {
    const row = await db
      .selectFrom('generations')
      .selectAll()
      .where('channel', '=', 'main/stable')
      .where('number', '=', number)
      .executeTakeFirstOrThrow();
    await db
      .deleteFrom('generations')
      .where('channel', '=', 'main/stable')
      .where('number', '=', number)
      .execute();
    t.ok((await check()).some(({ key, problem }) => key === 'main/stable' && problem === words));
    await db.insertInto('generations').values(row).execute();
  }
  t.same(await check(), []);
});

t.test('an index that is not that of its packages', async (t) => {
  const { db } = server.app;
  const [entry] = await db.selectFrom('entries').selectAll().where('kind', '=', 'packages').execute();
  if (!entry) throw new Error('no entries');
  await db
    .updateTable('entries')
    .set({ body: entry.body.replace('Description', 'Descriptiom') })
    .where('package', '=', entry.package)
    .where('kind', '=', entry.kind)
    .execute();
  const faults = await check();
  t.same(
    faults.map(({ key }) => key),
    ['main/stable generation 2 main/binary-amd64/Packages', 'main/stable main/binary-amd64/Packages'],
    'of every kept generation that holds the package',
  );
  for (const { problem } of faults) t.equal(problem, 'the published index is not that of the packages');
  await db
    .updateTable('entries')
    .set({ body: entry.body })
    .where('package', '=', entry.package)
    .where('kind', '=', entry.kind)
    .execute();
});

t.test('beside a server that publishes, fsck finds no fault that is none', async (t) => {
  const busy = await startInProcess(t);
  const running = new AbortController();
  const uploading = (async () => {
    for (let i = 0; !running.signal.aborted; i++)
      for (const [channel, { filename, bytes }] of [
        ['stable', debSample(`busy-${i}`)],
        ['stable-rpm', rpmSample(`busy-${i}`)],
      ] as const)
        await jsonOf(await busy.upload(channel, filename, bytes));
  })();
  for (let i = 0; i < 10; i++) t.same(await Array.fromAsync(checkEverything(busy.app)), []);
  running.abort();
  await uploading;
});
