/** Every hostile package of the corpus, uploaded: what is refused leaves nothing behind, and nothing else is lost. */
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import t from 'tap';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { problemOf } from '../ask.ts';
import { corpusFiles, unlessCorpus } from '../corpus.ts';
import { everythingKept } from '../kept.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readYum } from '../served.ts';
import { startInProcess } from '../server.ts';

const channels: Readonly<Record<string, string>> = { '.deb': 'stable', '.rpm': 'stable-rpm' };

t.test('hostile uploads', { skip: unlessCorpus, timeout: 300_000 }, async (t) => {
  const server = await startInProcess(t);
  const kept = new Map<string, string[]>([
    ['stable', []],
    ['stable-rpm', []],
  ]);
  const take = async (channel: string, response: Response): Promise<void> => {
    const { package: stored } = (await response.json()) as Receipt;
    kept.get(channel)?.push(stored.sha256);
  };
  await take('stable', await server.upload('stable', 'bystander.deb', debSample('bystander').bytes));
  await take('stable-rpm', await server.upload('stable-rpm', 'bystander.rpm', rpmSample('bystander').bytes));
  let before = await everythingKept(server);
  let refused = 0;
  for (const file of corpusFiles('bad')) {
    const channel = channels[extname(file)];
    if (channel === undefined) continue;
    const name = basename(file);
    const response = await server.upload(channel, name, readFileSync(file));
    if (response.ok) {
      await take(channel, response);
      before = await everythingKept(server);
      t.same(before.staging, [], name);
      continue;
    }
    refused += 1;
    const problem = await problemOf(response);
    t.match(problem, { code: /^[a-z0-9_]+$/, detail: /\S/ }, name);
    t.ok(response.status >= 400 && response.status < 500, `${name}: ${response.status} ${problem.code}`);
    t.same(await everythingKept(server), before, `${name}: nothing of it stays`);
  }
  t.ok(refused > 300, `${refused} refused`);

  const read = readFrom(server.url);
  const served = {
    stable: await readApt(read, 'main', 'stable'),
    'stable-rpm': await readYum(read, 'main', 'stable-rpm'),
  };
  for (const [channel, entries] of Object.entries(served))
    t.same(
      entries.map(({ sha256 }) => sha256).toSorted(),
      [...new Set(kept.get(channel))].toSorted(),
      `${channel} serves what was accepted`,
    );
});
