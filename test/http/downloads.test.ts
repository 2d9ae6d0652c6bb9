/** Downloads are counted by package and day, by whichever name a machine asks, and nobody's address is kept. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { downloadsOf } from '../../src/db/downloads.ts';
import { ask, jsonOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { startInProcess, temporaryDir, type InProcess } from '../server.ts';

const day = Math.floor(Date.UTC(2026, 10, 22) / 86_400_000);

async function countsOf({ app }: InProcess, name: string): Promise<[number, number][]> {
  await app.downloads.write();
  const rows = await downloadsOf(app.db, { repository: 'main', name, since: 0 });
  return rows.map((row) => [row.day, row.count]);
}

t.test('an apt package, by its pool and by a snapshot', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock });
  const { filename, bytes } = debSample('app');
  await jsonOf(await server.upload('stable', filename, bytes));
  const pool = '/apt/main/pool/a/app/app_1.0-1_amd64.deb';
  const get = async (path: string, status: number, headers: Record<string, string> = {}, method = 'GET') =>
    t.equal((await ask(server.url, path, { method, headers })).status, status, `${method} ${path}`);

  await get(pool, 200);
  t.same(await countsOf(server, 'app'), [[day, 1]], 'the whole file');
  await get('/apt/main/snapshots/2/pool/a/app/app_1.0-1_amd64.deb', 200);
  await get(pool, 206, { range: 'bytes=0-99' });
  t.same(await countsOf(server, 'app'), [[day, 3]], 'also pinned, and from the first byte on');

  await get(pool, 200, {}, 'HEAD');
  await get(pool, 206, { range: 'bytes=100-' });
  await get(pool, 206, { range: 'bytes=-5' });
  await get(pool, 416, { range: 'bytes=99999999-' });
  const etag = (await ask(server.url, pool, { method: 'HEAD' })).headers.etag ?? '';
  await get(pool, 304, { 'if-none-match': etag });
  await get('/apt/main/pool/a/app/app_9.9_amd64.deb', 404);
  await get('/apt/main/dists/stable/InRelease', 200);
  t.same(await countsOf(server, 'app'), [[day, 3]], 'nothing else is a download');

  clock.advance(24 * 3_600_000);
  await get(pool, 200);
  t.same(
    await countsOf(server, 'app'),
    [
      [day, 3],
      [day + 1, 1],
    ],
    'by day',
  );
});

t.test(
  'a yum package, by its channel and by a frozen generation, with and without a distribution',
  async (t) => {
    const server = await startInProcess(t, { clock: fakeClock() });
    const { filename, bytes } = rpmSample('tool');
    const body = JSON.stringify({ format: 'yum', distribution: 'el9' });
    await jsonOf(await server.api('/api/v1/repositories/main/channels/el9', { method: 'PUT', body }));
    for (const channel of ['stable-rpm', 'el9']) await jsonOf(await server.upload(channel, filename, bytes));
    for (const path of ['el9/packages', 'el9/generations/2/packages', 'el9/packages', 'stable-rpm/packages'])
      t.equal((await ask(server.url, `/yum/main/${path}/t/tool-1.0-1.x86_64.rpm`)).status, 200, path);
    const counts = await countsOf(server, 'tool');
    t.same(counts.map(([, count]) => count).sort(), [1, 3], 'one package of each distribution');
  },
);

t.test('what the catalog does not take is kept for the next time', async (t) => {
  const server = await startInProcess(t, { clock: fakeClock() });
  const { filename, bytes } = debSample('app');
  await jsonOf(await server.upload('stable', filename, bytes));
  const { db } = server.app;
  await db.schema.alterTable('downloads').renameTo('away').execute();
  const pool = '/apt/main/pool/a/app/app_1.0-1_amd64.deb';
  for (let i = 0; i < 3; i++) t.equal((await ask(server.url, pool)).status, 200, 'machines are served');
  await server.app.downloads.write();
  await db.schema.alterTable('away').renameTo('downloads').execute();
  t.same(await countsOf(server, 'app'), [[day, 3]]);
});

t.test('a server that is stopped writes what it counted, and keeps no address', async (t) => {
  const dataDir = temporaryDir(t);
  const first = await startInProcess(t, {
    dataDir,
    clock: fakeClock(),
    settings: { trusted_proxies: ['127.0.0.1'] },
  });
  const { filename, bytes } = debSample('app');
  await jsonOf(await first.upload('stable', filename, bytes));
  const address = '203.0.113.77';
  await ask(first.url, '/apt/main/pool/a/app/app_1.0-1_amd64.deb', {
    headers: { 'x-forwarded-for': address },
  });
  await first.close();
  for (const name of readdirSync(dataDir).filter((file) => file.startsWith('catalog.db')))
    t.notOk(readFileSync(join(dataDir, name)).includes(address), name);
  t.same(await countsOf(await startInProcess(t, { dataDir, clock: fakeClock() }), 'app'), [[day, 1]]);
});
