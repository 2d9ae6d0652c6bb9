/**
 * One server goes the way of docs/scaling.md, from a directory and SQLite to a bucket and PostgreSQL, by the commands of
 * that page. Machines and uploaders notice nothing.
 */
import { join } from 'node:path';
import t from 'tap';
import { jsonOf } from '../ask.ts';
import { commandsOf } from '../doc-blocks.ts';
import { debSample, rpmSample } from '../packages.ts';
import { startPostgres, unlessPostgres } from '../postgres.ts';
import { runCommand } from '../program.ts';
import { startCeph, unlessS3 } from '../s3.ts';
import { freePort, startProgram, temporaryDir, type Program } from '../server.ts';
import { servedNames } from './nodes.ts';

t.setTimeout(240_000);
const page = 'docs/scaling.md';

/** Run on a fresh Debian by test/packaging/operating.test.ts: an upgrade of one node is one of many. */
const elsewhere = /^(apt-get install|curl) /;

async function uploadBoth(server: Program, name: string): Promise<void> {
  for (const [channel, { filename, bytes }] of [
    ['stable', debSample(name)],
    ['stable-rpm', rpmSample(name)],
  ] as const)
    await jsonOf(await server.upload(channel, filename, bytes));
}

t.test('every move, by its commands', { skip: unlessPostgres() || unlessS3() }, async (t) => {
  const [postgres, ceph] = await Promise.all([startPostgres(t), startCeph(t, 'forky')]);
  const [dataDir, port] = [temporaryDir(t), await freePort()];
  const places: Readonly<Record<string, string>> = {
    acme: 'main',
    '/srv/mirror/tree': join(temporaryDir(t), 'tree'),
    's3://packages/entrepot': `${await ceph.bucket()}/entrepot`,
    'https://packages.example.com': `http://127.0.0.1:${port}`,
    '/var/lib/entrepot': dataDir,
    'postgres://USER:PASSWORD@HOST:5432/DATABASE': await postgres.newDatabase(),
  };
  // /etc/entrepot/environment
  const variables: Record<string, string> = { ...ceph.env };
  const start = (): Promise<Program> => startProgram(t, { dataDir, port, env: variables });
  let server = await start();
  await uploadBoth(server, 'first');

  const perform = async (line: string): Promise<void> => {
    const [, name, value] = /^echo "?(\w+)='?(.*?)'?"? >> \/etc\/entrepot\/environment$/.exec(line) ?? [];
    const [, args] = /^runuser -u entrepot -- entrepot (.*)$/.exec(line) ?? [];
    if (line === 'systemctl stop entrepot') t.equal(await server.stop(), 0);
    else if (line === 'systemctl start entrepot') server = await start();
    else if (name !== undefined) variables[name] = value ?? '';
    else if (args === undefined) t.match(line, elsewhere);
    else {
      const { code, stderr } = await runCommand(args.split(' '), { ENTREPOT_DATA: dataDir, ...variables });
      t.equal(code, 0, `${line}: ${stderr}`);
    }
  };
  let names = ['first', 'first'];
  for (const { section, text } of commandsOf(page)) {
    for (const line of text.split('\n').map((one) => one.replace(/ +#.*/, '')))
      if (line !== '')
        await perform(Object.entries(places).reduce((said, [is, here]) => said.replaceAll(is, here), line));
    t.same(await servedNames(server.url), names, `${section}: what was there is there`);
    const name = section.toLowerCase().replaceAll(' ', '-');
    await uploadBoth(server, name);
    names = [...names, name, name].sort();
    t.same(await servedNames(server.url), names, `${section}: and so is what comes`);
  }
  t.match(variables, { ENTREPOT_STORE: /^s3:/, ENTREPOT_DATABASE_URL: /^postgres:/ });
});
