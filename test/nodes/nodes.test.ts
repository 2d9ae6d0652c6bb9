/** Two nodes that write and one that reads, each a process of its own, on one PostgreSQL and one tree. */
import t, { type Test } from 'tap';
import { debSample, rpmSample } from '../packages.ts';
import { startPostgres, unlessPostgres } from '../postgres.ts';
import { unlessInstalled } from '../clients.ts';
import { aptRoot } from '../clients/apt-root.ts';
import { dnfRoot } from '../clients/dnf-root.ts';
import { unlessRoot } from '../clients/roots.ts';
import type { Program } from '../server.ts';
import { generationsOf, openNodes, servedNames, uploadThrough } from './nodes.ts';

t.setTimeout(170_000);
const skip = unlessPostgres();
const uploads = 300;

t.test(
  'one of two nodes is lost half way, then the database, then the other',
  { skip, timeout: 170_000 },
  async (t) => {
    const postgres = await startPostgres(t);
    const nodes = await openNodes(t, postgres);
    const lost = await nodes.start('all');
    const [other, reader] = await Promise.all([nodes.start('api'), nodes.start('read')]);
    const rpm = rpmSample('tool');
    t.equal((await other.upload('stable-rpm', rpm.filename, rpm.bytes)).status, 201);

    const names = Array.from({ length: uploads }, (_, i) => `tool-${i}`);
    const samples = names.map((name) => debSample(name));
    const { failoverMs, generations } = await uploadThrough([lost, other], samples, 16);
    t.equal(generations.length, uploads);
    t.ok(failoverMs < 30_000, `another node took over after ${Math.round(failoverMs)} ms`);
    t.same(
      await servedNames(reader.url),
      names.sort(),
      'nothing is lost, and nothing is there that is not whole',
    );
    const history = await generationsOf(other);
    t.same(
      history,
      history.map((_, i) => i + 1),
      'one line without gaps',
    );
    t.equal(Math.max(...generations), history.at(-1));

    await t.test('what one node changes of a repository, the others follow', async (t) => {
      const answer = await other.api('/api/v1/repositories/second', {
        method: 'PUT',
        body: '{"visibility":"private"}',
      });
      t.equal(answer.status, 201);
      t.equal((await fetch(`${reader.url}/keys/second.asc`)).status, 401);
      t.equal((await fetch(`${reader.url}/keys/main.asc`)).status, 200);
    });

    await t.test('without the database reading goes on, and writing says so', async (t) => {
      await postgres.stop();
      t.equal((await servedNames(reader.url)).length, uploads);
      const { filename, bytes } = debSample('later');
      const refused = await other.upload('stable', filename, bytes);
      t.equal(refused.status, 503);
      t.match(await refused.json(), { code: 'catalog_unavailable' });
      t.equal((await other.api('/readyz')).status, 503);
      t.equal((await reader.api('/readyz')).status, 200);
      t.equal((await servedNames(other.url)).length, uploads, 'also from a node that has lost its catalog');
      await postgres.start();
      t.equal((await other.upload('stable', filename, bytes)).status, 201, 'the same again is taken');
    });

    await other.stop();
    await postgres.stop();
    await machines(t, reader);
  },
);

/** Machines that are set up with what only a reader serves. */
async function machines(t: Test, reader: Program): Promise<void> {
  const here = (text: string): string => text.replace(/http:\/\/127\.0\.0\.1:\d+/g, reader.url);
  const setUp = async (path: string): Promise<string> =>
    here(await (await fetch(`${reader.url}/setup/main/${path}`)).text());
  await t.test(
    'apt-get goes on',
    { skip: unlessInstalled('apt-get', 'dpkg-deb') || unlessRoot },
    async (t) => {
      const root = aptRoot(t);
      root.writeSources(await setUp('stable.sources'));
      t.equal((await root.update()).code, 0);
      t.equal((await root.apt('install', 'tool-7')).code, 0);
      t.equal(root.read('usr/share/tool-7/what'), 'This is tool-7.\n');
    },
  );
  await t.test('dnf goes on', { skip: unlessInstalled('dnf', 'rpm') || unlessRoot }, async (t) => {
    const root = dnfRoot(t);
    root.writeRepo(
      (await setUp('stable-rpm.repo')).replace(/^metalink=.*$/m, `baseurl=${reader.url}/yum/main/stable-rpm`),
    );
    const { code, output } = await root.dnf('install', 'tool');
    t.equal(code, 0, output);
    t.equal(root.read('usr/share/tool/what'), 'This is tool.\n');
  });
}
