/** When something breaks on the way, an upload is refused and everything is as it was; or it is there, whole. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { getChannel } from '../../src/db/channels.ts';
import { AppError } from '../../src/errors.ts';
import { alone } from '../../src/leases.ts';
import { IndexCache } from '../../src/publish/index-cache.ts';
import { publishPending } from '../../src/publish/round.ts';
import type { ChangeReport } from '../../src/registry/change-channel.ts';
import { putDocument } from '../../src/registry/documents.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { UploadRecorder } from '../../src/registry/record-upload.ts';
import { yankPackage } from '../../src/registry/yank-package.ts';
import { verifyDetached } from '../../src/signing/verify.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { comps } from '../documents.ts';
import { dumpCatalog, listTree } from '../kept.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readPackage, readYum, releaseFields, type ServedPackage } from '../served.ts';
import { startInProcess } from '../server.ts';
import { refuseInserts } from '../refuse-inserts.ts';
import { gate, openWorkshop, type Workshop } from './workshop.ts';

t.setTimeout(240_000);

const formats = [
  { channel: 'stable', sample: debSample, read: readApt, pool: 'apt/main/pool' },
  { channel: 'stable-rpm', sample: rpmSample, read: readYum, pool: 'yum/main/pool' },
] as const;

const full = (): never => {
  throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
};

async function isClean(t: Test, { server }: Workshop): Promise<void> {
  const faults = await Array.fromAsync(checkEverything(server.app));
  t.same(faults, [], 'fsck finds nothing');
  t.same(readdirSync(join(server.dataDir, 'staging')), []);
}

/** What clients can reach: packages by the index, and every file of the pool. */
async function visible({ server }: Workshop): Promise<object> {
  const from = readFrom(server.url);
  const indexes: Record<string, ServedPackage[]> = {};
  for (const { channel, read } of formats) indexes[channel] = await read(from, 'main', channel);
  const files = formats.map(({ pool }) => listTree(join(server.dataDir, 'tree', pool)));
  return { indexes, files, catalog: await dumpCatalog(server.app.db) };
}

t.test('a key that does not sign refuses the upload, and leaves nothing of it', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload } = workshop;
  for (const { channel, sample } of formats) {
    await upload(channel, sample('before'));
    const before = await visible(workshop);
    hooks.sign = () => {
      throw new AppError('signing_failed', 'The key service did not answer.');
    };
    await t.rejects(upload(channel, sample('refused')), { code: 'signing_failed' });
    t.same(await visible(workshop), before);
    hooks.sign = () => undefined;
    t.match(await upload(channel, sample('refused')), { status: 'created' }, 'and the next attempt goes in');
  }
  await isClean(t, workshop);
});

t.test('whichever write fails, nothing is half there', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, server } = workshop;
  const from = readFrom(server.url);
  for (const { channel, sample, read } of formats) {
    await upload(channel, sample('before'));
    let refused = 0;
    let failing = 1;
    for (let reached = true; reached; failing++) {
      const package_ = sample(`at-${failing}`);
      const before = await visible(workshop);
      let writes = 0;
      reached = false;
      hooks.write = () => {
        writes += 1;
        if (writes !== failing) return;
        reached = true;
        full();
      };
      const outcome = await upload(channel, package_).then(
        ({ status }) => status,
        () => 'refused',
      );
      hooks.write = () => undefined;
      if (outcome === 'refused') {
        refused += 1;
        t.same(await visible(workshop), before, `write ${failing} failed: as it was`);
        t.match(await upload(channel, package_), { status: 'created' });
      }
      const entry = (await read(from, 'main', channel)).find(({ name }) => name === `at-${failing}`);
      t.ok(entry, `write ${failing}: it is there`);
      if (entry) await readPackage(from, entry);
    }
    t.ok(refused > 5, `${refused} of ${failing - 1} writes refuse the upload`);
  }
  await isClean(t, workshop);
});

t.test(
  'the number of a generation that failed is taken by the next one, with its own documents',
  async (t) => {
    const workshop = await openWorkshop(t);
    const { hooks, upload, server } = workshop;
    const from = readFrom(server.url);
    for (const { channel, sample, read } of formats) {
      hooks.write = (operation, key) => {
        // By now InRelease of the snapshot and repomd.xml of the generation are written.
        if (operation === 'putAlias' && /\/(snapshots|generations)\/2\//.test(key)) full();
      };
      await t.rejects(upload(channel, sample('aaaa')), { code: 'ENOSPC' });
      hooks.write = () => undefined;
      // Of the same length: the documents differ in digests and times alone.
      t.match(await upload(channel, sample('bbbb')), { generation: 2 });
      t.match(await read(from, 'main', channel), [{ name: 'bbbb' }]);
    }
    const [inRelease, snapshot] = await Promise.all(
      ['dists', 'snapshots/2/dists'].map(async (folder) =>
        releaseFields((await from(`apt/main/${folder}/stable/InRelease`)).toString()).get('SHA256'),
      ),
    );
    t.equal(snapshot, inRelease);
    await isClean(t, workshop);
  },
);

t.test('what was committed before the last step failed is shown, and answered', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, server } = workshop;
  for (const { channel, sample, read } of formats) {
    let failures = 1;
    hooks.write = (operation) => {
      if (operation === 'putPointer' && failures-- > 0) full();
    };
    t.match(await upload(channel, sample('shown')), { status: 'created', generation: 2 });
    t.match(await read(readFrom(server.url), 'main', channel), [{ name: 'shown' }]);
  }
  await isClean(t, workshop);
});

t.test('who stood still after the commit shows nothing that was made ready before', async (t) => {
  const { app, hooks } = await openWorkshop(t);
  const written: string[] = [];
  hooks.write = (operation, key) => {
    if (operation === 'putPointer') written.push(key);
  };
  const lost = new AppError('catalog_unavailable', 'Another node may have taken it over.');
  const held = {
    ...alone,
    confirm: () => {
      throw lost;
    },
  };
  const { validMs } = app.config;
  for (const channel of ['main/stable', 'main/stable-rpm']) {
    const { head } = await getChannel(app.db, channel);
    const round = publishPending({ ...app, validMs, cache: new IndexCache(), held }, channel, {
      afresh: true,
    });
    await t.rejects(round, lost);
    t.equal((await getChannel(app.db, channel)).head, head + 1, 'it is committed');
  }
  t.same(written, []);
});

t.test('as long as pointers cannot be written nothing is answered with success', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, server } = workshop;
  for (const { channel, sample, read } of formats) {
    hooks.write = (operation) => (operation === 'putPointer' ? full() : undefined);
    await t.rejects(upload(channel, sample('unseen')), { code: 'ENOSPC' });
    await t.rejects(upload(channel, sample('unseen')), { code: 'ENOSPC' }, 'nor as unchanged');
    t.same(await read(readFrom(server.url), 'main', channel), []);
    hooks.write = () => undefined;
    t.match(await upload(channel, sample('unseen')), { status: 'unchanged', generation: 2 });
    t.match(await read(readFrom(server.url), 'main', channel), [{ name: 'unseen' }]);
  }
  await isClean(t, workshop);
});

t.test('whichever table fails, nothing is half there', async (t) => {
  const workshop = await openWorkshop(t);
  const { upload } = workshop;
  for (const { channel, sample } of formats) {
    await upload(channel, sample('before'));
    for (const table of [
      'packages',
      'entries',
      'package_files',
      'events',
      'uploads',
      'pending_changes',
      'channel_packages',
      'generations',
    ] as const) {
      const package_ = sample(table.replace('_', '-'));
      const before = await visible(workshop);
      const mend = await refuseInserts(workshop.app.db, table);
      await t.rejects(upload(channel, package_), /broken/, table);
      await mend();
      t.same(await visible(workshop), before, `${table} failed: as it was`);
      t.match(await upload(channel, package_), { status: 'created' });
    }
  }
  await isClean(t, workshop);
});

t.test('one channel that cannot be published takes nothing from another', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, server } = workshop;
  await jsonOf(
    await server.api('/api/v1/repositories/main/channels/second', {
      method: 'PUT',
      body: '{"format":"apt"}',
    }),
  );
  hooks.write = (_operation, key) => (key.includes('dists/stable/') ? full() : undefined);
  const names = Array.from({ length: 12 }, (_, i) => `shared-${i}`);
  const outcomes = await Promise.allSettled(
    names.flatMap((name) => [upload('stable', debSample(name)), upload('second', debSample(name))]),
  );
  outcomes.forEach((outcome, i) => {
    t.equal(outcome.status, i % 2 === 0 ? 'rejected' : 'fulfilled');
  });
  hooks.write = () => undefined;
  const from = readFrom(server.url);
  const entries = await readApt(from, 'main', 'second');
  t.same(entries.map(({ name }) => name).sort(), [...names].sort());
  for (const entry of entries) await readPackage(from, entry);
  t.same(await readApt(from, 'main', 'stable'), []);
  for (const name of names) await upload('stable', debSample(name));
  await isClean(t, workshop);
});

t.test('a store that fails now and then loses nothing and invents nothing', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, server } = workshop;
  let seed = 12_345;
  const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  hooks.write = (operation) => {
    if (operation !== 'delete' && random() < 0.02) full();
  };
  const outcomes = await Promise.all(
    Array.from({ length: 24 }, async (_, i) => {
      const { channel, sample } = formats[i % 2 === 0 ? 0 : 1];
      const name = `unsteady-${i}`;
      try {
        await upload(channel, sample(name));
        return { channel, name, acknowledged: true };
      } catch {
        return { channel, name, acknowledged: false };
      }
    }),
  );
  hooks.write = () => undefined;
  await workshop.app.publisher.recover();
  t.ok(outcomes.some(({ acknowledged }) => acknowledged));
  t.ok(outcomes.some(({ acknowledged }) => !acknowledged));
  for (const { channel, read } of formats) {
    const found = (await read(readFrom(server.url), 'main', channel)).map(({ name }) => name);
    for (const outcome of outcomes.filter((one) => one.channel === channel && one.acknowledged))
      t.ok(found.includes(outcome.name), `${outcome.name} was acknowledged and is served`);
    const known = await server.app.db.selectFrom('packages').select(['name', 'path']).execute();
    for (const { name, path } of known) {
      t.ok(existsSync(join(server.dataDir, 'tree', path)), path);
      t.ok(outcomes.some((outcome) => outcome.name === name));
    }
  }
  t.same(await server.app.db.selectFrom('pending_changes').selectAll().execute(), []);
  await isClean(t, workshop);
});

t.test('an upload that was withdrawn while the next round had taken it stops nobody', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, server, app } = workshop;
  // Recorded at once, as by a second server on the catalog, which knows nothing of the round that runs here.
  Object.assign(app, { recorder: new UploadRecorder({ ...app, settled: () => Promise.resolve() }) });
  const door = gate();
  let attempts = 0;
  hooks.sign = async () => {
    attempts += 1;
    if (attempts === 1) {
      await door.pass();
      throw new AppError('signing_failed', 'The key service did not answer.');
    }
  };
  const first = upload('stable', debSample('withdrawn'));
  await door.reached;
  const second = upload('stable', debSample('stays'));
  while ((await server.app.db.selectFrom('pending_changes').select('id').execute()).length < 2)
    await new Promise(setImmediate);
  door.open();
  const [one, two] = await Promise.allSettled([first, second]);
  t.equal(two.status, 'fulfilled');
  const found = (await readApt(readFrom(server.url), 'main', 'stable')).map(({ name }) => name).sort();
  t.same(found, one.status === 'fulfilled' ? ['stays', 'withdrawn'] : ['stays']);
  await isClean(t, workshop);
});

t.test('what was staged while its upload failed stays', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, stage } = workshop;
  const door = gate();
  hooks.sign = async () => {
    await door.pass();
    throw new AppError('signing_failed', 'The key service did not answer.');
  };
  const failing = upload('stable', debSample('staged'));
  await door.reached;
  t.match(await stage(debSample('staged')), { status: 'created' }, 'in its own right');
  door.open();
  await t.rejects(failing, { code: 'signing_failed' });
  t.match(await stage(debSample('staged')), { status: 'unchanged' });
  hooks.sign = () => undefined;
  t.match(await upload('stable', debSample('staged')), { status: 'created' });
  await isClean(t, workshop);
});

t.test('a yank that cannot be published is taken back', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, upload, app } = workshop;
  await upload('stable', debSample('kept'));
  const before = await visible(workshop);
  hooks.sign = () => {
    throw new AppError('signing_failed', 'The key service did not answer.');
  };
  const request = {
    actor: { kind: 'operator', name: 'test' } as const,
    repository: 'main',
    channel: 'stable',
    name: 'kept',
    version: '1.0-1',
    architecture: 'amd64',
  };
  await t.rejects(yankPackage(app, request), { code: 'signing_failed' });
  t.same(await visible(workshop), before);
  hooks.sign = () => undefined;
  t.match(await yankPackage(app, request), { generation: 3 });
});

t.test('a client is told that the store is full', async (t) => {
  const server = await startInProcess(t);
  const { filename, bytes } = debSample('words');
  Object.assign(server.app.store, { putImmutableFile: full });
  t.match(await problemOf(await server.upload('stable', filename, bytes)), {
    status: 507,
    code: 'store_full',
  });
});

t.test('pointers that could not be written are written without another change', async (t) => {
  const { server, app, hooks, upload } = await openWorkshop(t);
  const from = readFrom(server.url);
  const root = 'yum/main/stable-rpm/repodata';
  const before = await from(`${root}/repomd.xml`);
  hooks.write = (operation, key) => {
    if (operation === 'putPointer' && key === `${root}/repomd.xml`) full();
  };
  await t.rejects(upload('stable-rpm', rpmSample('committed')), { code: 'ENOSPC' });
  t.same(await from(`${root}/repomd.xml`), before, 'its signature is the next one already');
  await app.publisher.showUnshown();
  t.same(await from(`${root}/repomd.xml`), before, 'the disk is still full');
  hooks.write = () => undefined;
  await app.publisher.showUnshown();
  const repomd = await from(`${root}/repomd.xml`);
  const signature = (await from(`${root}/repomd.xml.asc`)).toString();
  t.notSame(repomd, before);
  verifyDetached(repomd, signature, [(await app.signerOf('main')).key]);
});

t.test('a document whose publication fails is taken back, and nothing else is', async (t) => {
  const workshop = await openWorkshop(t);
  const { hooks, app, server } = workshop;
  const put = (text: string): Promise<ChangeReport> =>
    putDocument(app, {
      actor: { kind: 'operator', name: 'test' },
      repository: 'main',
      channel: 'stable-rpm',
      kind: 'comps',
      dryRun: false,
      body: Readable.from([Buffer.from(text)]),
      digests: [],
      beforeBody: () => undefined,
    });
  await put(comps('first'));
  const before = await readFrom(server.url)('yum/main/stable-rpm/repodata/repomd.xml');
  hooks.sign = full;
  await t.rejects(put(comps('second')), { code: 'ENOSPC' });
  t.same(await app.db.selectFrom('pending_documents').selectAll().execute(), []);
  t.same(await readFrom(server.url)('yum/main/stable-rpm/repodata/repomd.xml'), before);
  hooks.sign = () => undefined;
  t.match(await put(comps('second')), { status: 'published', generation: 3 });
  await isClean(t, workshop);
});
