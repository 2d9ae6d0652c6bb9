/** A repository is copied to a directory, and the copy kept as it is here. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { exportRepository, type ExportReport } from '../../src/registry/export.ts';
import { DirectoryStore } from '../../src/store/directory.ts';
import { jsonOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { readApt, readPackage, readYum, type Read } from '../served.ts';
import { startInProcess, temporaryDir, type InProcess } from '../server.ts';

t.setTimeout(240_000);

async function uploadBoth(server: InProcess, name: string): Promise<void> {
  for (const [channel, { filename, bytes }] of [
    ['stable', debSample(name)],
    ['stable-rpm', rpmSample(name)],
  ] as const)
    await jsonOf(await server.upload(channel, filename, bytes));
}

t.test('a copy is what is served, and stays it', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock, settings: { grace_days: 0, staged_days: 0 } });
  const dir = join(temporaryDir(t), 'mirror');
  const target = new DirectoryStore(dir, (error) => {
    throw error;
  });
  const run = (): Promise<ExportReport> =>
    exportRepository(server.app, {
      repository: 'main',
      target,
      copiesFolders: false,
      publicUrl: 'https://mirror.example',
    });
  const read: Read = (path) => readFile(join(dir, decodeURIComponent(path)));
  const names = async (): Promise<string[][]> => {
    const found = [await readApt(read, 'main', 'stable'), await readYum(read, 'main', 'stable-rpm')];
    for (const entry of found.flat()) await readPackage(read, entry);
    return found.map((packages) => packages.map(({ name }) => name).sort());
  };
  await uploadBoth(server, 'first');
  t.match(await run(), { unchanged: 0, removed: 0 });
  t.same(await names(), [['first'], ['first']]);
  const sources = (await readFile(join(dir, 'setup/main/stable.sources'))).toString();
  t.match(sources, 'https://mirror.example/apt/main');
  t.ok(existsSync(join(dir, 'keys/main.asc')));
  t.match(await run(), { copied: 0, removed: 0 }, 'nothing changed');

  await uploadBoth(server, 'second');
  const grown = await run();
  t.ok(grown.copied < 30 && grown.unchanged > 5, JSON.stringify(grown));
  t.same(await names(), [
    ['first', 'second'],
    ['first', 'second'],
  ]);

  const yank = '/api/v1/repositories/main/channels/stable/packages/first/1.0-1/amd64';
  await jsonOf(await server.api(yank, { method: 'DELETE' }));
  for (const name of ['third', 'fourth', 'fifth', 'sixth']) {
    clock.advance(3_600_000);
    await uploadBoth(server, name);
  }
  clock.advance(Math.max(0, Date.now() - clock.now()) + 8 * 3_600_000);
  for (let i = 0; i < 2; i++) {
    const body = JSON.stringify({ dryRun: false });
    await jsonOf(await server.api('/api/v1/collections', { method: 'POST', body }));
    clock.advance(2 * 3_600_000);
  }
  t.ok((await run()).removed > 0, 'what was collected goes');
  t.equal((await names())[0]?.join(), 'fifth,fourth,second,sixth,third');
  const pool = readdirSync(join(dir, 'apt/main/pool'), { recursive: true }) as string[];
  t.notOk(pool.some((name) => name.includes('first_')));
});

t.test('what an export needs is said', async (t) => {
  const server = await startInProcess(t);
  const data = ['--data', server.dataDir];
  const none = await runCommand([
    'export',
    'none',
    ...data,
    '--to',
    '/nowhere',
    '--url',
    'https://m.example',
  ]);
  t.match(none, { code: 1, stderr: /no repository "none"/ });
  t.match(await runCommand(['export', 'main', ...data, '--to', '/nowhere']), { code: 1, stderr: /--url/ });
  const own = join(server.dataDir, 'tree');
  const same = await runCommand(['export', 'main', ...data, '--to', own, '--url', 'https://m.example']);
  t.match(same, { code: 1, stderr: /the store of the server itself/ });
});
