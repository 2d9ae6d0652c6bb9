/** A start after a crash: what was committed is shown, what was asked for is published, what was not is gone. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isOnPostgres } from '../catalogs.ts';
import { listGenerations } from '../../src/db/generations.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { jsonOf } from '../ask.ts';
import { listTree } from '../kept.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readPackage, readYum } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';
import { openWorkshop } from './workshop.ts';

t.setTimeout(240_000);

const formats = [
  { channel: 'stable', sample: debSample, read: readApt, pointers: 3 },
  { channel: 'stable-rpm', sample: rpmSample, read: readYum, pointers: 3 },
] as const;

/** The same address again: it is part of what is published. */
const settings = { public_url: 'http://packages.example' };

const restart = (t: Test, dataDir: string): Promise<InProcess> => startInProcess(t, { dataDir, settings });

async function heads(server: InProcess): Promise<Record<string, number>> {
  const rows = await server.app.db.selectFrom('channels').select(['name', 'head']).execute();
  return Object.fromEntries(rows.map(({ name, head }) => [name, head]));
}

async function isClean(t: Test, server: InProcess, temporary: readonly string[] = []): Promise<void> {
  t.same(await Array.fromAsync(checkEverything(server.app)), []);
  t.same(readdirSync(join(server.dataDir, 'staging')), []);
  t.same(temporaryFiles(server), temporary);
}

function temporaryFiles({ dataDir }: InProcess): string[] {
  const folder = join(dataDir, 'tree/.tmp');
  return existsSync(folder) ? readdirSync(folder) : [];
}

for (const { channel, sample, read, pointers } of formats)
  for (let written = 0; written < pointers; written++)
    t.test(`${channel}: a crash after the commit and ${written} pointers is rolled forward`, async (t) => {
      const { server, hooks, upload } = await openWorkshop(t, { settings });
      await upload(channel, sample('before'));
      let left = written;
      hooks.write = (operation) => {
        // From here on the disk is gone, as far as this process is concerned.
        if (operation === 'putPointer' && left-- <= 0) throw new Error('crashed');
      };
      await t.rejects(upload(channel, sample('committed')), /crashed/);
      const number = (await heads(server))[channel];
      await server.close();

      const again = await restart(t, server.dataDir);
      t.equal((await heads(again))[channel], number, 'no new generation');
      const from = readFrom(again.url);
      const entries = await read(from, 'main', channel);
      t.same(entries.map(({ name }) => name).sort(), ['before', 'committed']);
      for (const entry of entries) await readPackage(from, entry);
      const { filename, bytes } = sample('committed');
      const response = await again.upload(channel, filename, bytes);
      t.match(await jsonOf(response), { status: 'unchanged', generation: number });
      await isClean(t, again);
    });

t.test('a crash before the commit: the upload is published at the next start, with its number', async (t) => {
  for (const { channel, sample, read } of formats) {
    const { server, hooks, upload } = await openWorkshop(t, { settings });
    await upload(channel, sample('before'));
    const reached = Promise.withResolvers<undefined>();
    const forgotten = upload(channel, sample('recorded'));
    const isFrozen = (key: string): boolean => /\/(snapshots|generations)\/3\//.test(key);
    hooks.write = async (operation, key) => {
      // The process is no more when a part of the generation is written.
      const isMissing = /\/dists\/stable\/by-hash\/|\/generations\/3\/metalink$/.test(key);
      if (operation === 'putImmutable' && isMissing) await new Promise(() => undefined);
    };
    hooks.written = (operation, key) => {
      if (operation === 'putImmutable' && isFrozen(key) && /InRelease$|repomd\.xml$/.test(key))
        reached.resolve(undefined);
    };
    forgotten.catch(() => undefined);
    await reached.promise;
    t.same((await heads(server))[channel], 2);
    const pending = await server.app.db.selectFrom('pending_changes').selectAll().execute();
    t.equal(pending.length, 1);
    const stale = listTree(join(server.dataDir, 'tree'));
    t.ok(Object.keys(stale).some(isFrozen));
    await server.close();
    // Of several nodes another one may be writing them: they go when they are a day old (store/directory.test.ts).
    const left = isOnPostgres() ? temporaryFiles(server) : [];

    const again = await restart(t, server.dataDir);
    t.equal((await heads(again))[channel], 3);
    const from = readFrom(again.url);
    t.same((await read(from, 'main', channel)).map(({ name }) => name).sort(), ['before', 'recorded']);
    if (channel === 'stable-rpm') {
      const [head, frozen] = await Promise.all(
        ['repodata/repomd.xml', 'generations/3/repodata/repomd.xml'].map((path) =>
          from(`yum/main/${channel}/${path}`),
        ),
      );
      t.same(frozen, head, 'the frozen generation is the one that was committed');
    }
    t.same(await again.app.db.selectFrom('pending_changes').selectAll().execute(), []);
    await isClean(t, again, left);
  }
});

t.test('what a crash left behind is cleared away', { skip: isOnPostgres() }, async (t) => {
  const server = await startInProcess(t, { settings });
  await server.close();
  for (const dir of ['staging', 'tree/.tmp']) {
    mkdirSync(join(server.dataDir, dir), { recursive: true });
    writeFileSync(join(server.dataDir, dir, 'half'), 'ha');
  }
  await isClean(t, await restart(t, server.dataDir));
});

t.test('a start without anything to do changes nothing that is published', async (t) => {
  const server = await startInProcess(t, { settings });
  for (const { channel, sample } of formats) {
    const { filename, bytes } = sample('kept');
    await jsonOf(await server.upload(channel, filename, bytes));
  }
  await server.close();
  const before = listTree(join(server.dataDir, 'tree'));
  const again = await restart(t, server.dataDir);
  t.same(await heads(again), { stable: 2, 'stable-rpm': 2 });
  t.same(listTree(join(again.dataDir, 'tree')), before);
});

t.test('another address is published: in the set-up files, Release and the metalink', async (t) => {
  const server = await startInProcess(t, { settings });
  await server.close();
  const again = await startInProcess(t, {
    dataDir: server.dataDir,
    settings: { public_url: 'https://other.example/base' },
  });
  const read = readFrom(again.url);
  for (const path of [
    'setup/main/stable.sources',
    'setup/main/stable-rpm.repo',
    'apt/main/dists/stable/InRelease',
    'yum/main/stable-rpm/metalink',
  ]) {
    const text = (await read(path)).toString();
    t.match(text, 'https://other.example/base/', path);
    t.notMatch(text, 'packages.example', path);
  }
  t.same(await heads(again), { stable: 2, 'stable-rpm': 2 });
  const [row] = await listGenerations(again.app.db, 'main/stable', { limit: 1 });
  t.match(row, { cause: 'settings', added: 0, removed: 0 });
});

t.test('one channel that cannot be brought up to date does not keep the server from starting', async (t) => {
  const server = await startInProcess(t, { settings });
  await jsonOf(
    await server.api('/api/v1/repositories/main/channels/broken', {
      method: 'PUT',
      body: '{"format":"apt"}',
    }),
  );
  const { filename, bytes } = debSample('fine');
  await jsonOf(await server.upload('stable', filename, bytes));
  await server.close();
  rmSync(join(server.dataDir, 'tree/apt/main/dists/broken'), { recursive: true });
  const again = await restart(t, server.dataDir);
  t.match(await readApt(readFrom(again.url), 'main', 'stable'), [{ name: 'fine' }]);
  t.equal((await again.upload('stable-rpm', 'x.rpm', rpmSample('fine').bytes)).status, 201);
});
