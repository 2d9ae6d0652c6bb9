/** The same with the catalog in PostgreSQL: lost, restored, and put back to before what machines have seen. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { unlessInstalled } from '../clients.ts';
import { aptMachine, complaints } from '../clients/apt-root.ts';
import { keepPublishing, unlessRoot, upload } from '../clients/roots.ts';
import { commandsOf } from '../doc-blocks.ts';
import { debSample } from '../packages.ts';
import { startPostgres, unlessPostgres } from '../postgres.ts';
import { runCommand } from '../program.ts';
import { run } from '../run.ts';
import { adminToken, startProgram, temporaryDir, type Program } from '../server.ts';

t.setTimeout(240_000);

const skip = unlessPostgres() || unlessInstalled('apt-get', 'curl', 'dpkg-deb', 'gpgv', 'gzip') || unlessRoot;

/** What docs/operating.md says of keeping what was served, for this server and its channel `stable`. */
function keepServed(server: Program, command: 'before' | 'after', dir: string): Promise<string> {
  const blocks = commandsOf('docs/operating.md').filter(({ section }) =>
    section.includes('older than the tree'),
  );
  const text =
    blocks.find((block) => block.text.includes(command === 'before' ? 'Packages.gz' : 'resume'))?.text ?? '';
  const here = text
    .replaceAll('https://packages.example.com', server.url)
    .replaceAll('/var/lib/entrepot', server.dataDir)
    .replaceAll('acme', 'main')
    .replaceAll('staging', 'stable')
    .replaceAll(/^entrepot /gm, `${process.execPath} ${join(import.meta.dirname, '../../src/entrepot.js')} `);
  const variables = [
    `ADMIN_TOKEN=${adminToken}`,
    `ENTREPOT_URL=${server.url}`,
    `ENTREPOT_TOKEN=${adminToken}`,
  ];
  return run('env', ['--chdir', dir, ...variables, 'sh', '-euc', here]).then(({ code, stdout, stderr }) => {
    if (code !== 0 || text === '') throw new Error(`${here}: ${code}\n${stdout}${stderr}`);
    return stdout;
  });
}

t.test('lost, restored, and put back', { skip }, async (t) => {
  const postgres = await startPostgres(t);
  const database = async (): Promise<Record<string, string>> => ({
    ENTREPOT_DATABASE_URL: await postgres.newDatabase(),
  });
  const first = await database();
  const server = await startProgram(t, { env: first });
  const { dataDir } = server;
  const port = Number(new URL(server.url).port);
  const dir = temporaryDir(t);
  const backup = join(dir, 'backup');
  const must = async (variables: Record<string, string>, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(args, variables);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  const put = async (to: Program, name: string, version = '1.0-1'): Promise<void> => {
    const { filename, bytes } = debSample(name, { version });
    await upload(to, 'stable', filename, bytes);
  };
  await put(server, 'kept');
  const apt = await aptMachine(t, server);
  t.match(await apt.update(), { code: 0 });
  const busy = keepPublishing((version) => put(server, 'busy', `${version}.0`));
  t.match(await must(first, 'backup', backup, '--data', dataDir), /the catalog, the keys, \d+ new files/);
  await busy.stop();
  await server.kill();

  rmSync(dataDir, { recursive: true });
  const second = await database();
  t.match(await must(second, 'restore', backup, '--data', dataDir), /main\/stable: generation \d+\n/);
  t.match(await must(second, 'fsck', '--repair', '--data', dataDir), /^clean\n$/m);
  const again = await startProgram(t, { dataDir, port, env: second });
  t.notMatch(again.output(), 'channel_ahead');
  const update = await apt.update();
  t.same([update.code, ...complaints(update)], [0], update.output);
  t.match(await apt.apt('install', 'kept'), { code: 0 });

  await must(second, 'backup', backup, '--no-tree', '--data', dataDir);
  await put(again, 'late');
  t.match(await apt.update(), { code: 0 });
  await again.stop();
  const refused = await runCommand(['restore', backup, '--data', dataDir], second);
  t.match(refused, { code: 1, stderr: /already exists/ }, 'into an empty database alone');
  const third = await database();
  await must(third, 'restore', backup, '--data', dataDir);
  const older = await startProgram(t, { dataDir, port, env: third });
  t.match(older.output(), /"channel":"main\/stable","code":"channel_ahead"/);
  const ahead = await apt.update();
  t.same([ahead.code, ...complaints(ahead)], [0], 'machines read on');

  await keepServed(older, 'before', dir);
  const said = await keepServed(older, 'after', dir);
  t.match(said, /created +late 1\.0-1/);
  t.match(said, /unchanged +kept 1\.0-1/);
  const after = await apt.update();
  t.same([after.code, ...complaints(after)], [0], after.output);
  t.match(await apt.apt('install', 'late'), { code: 0 });
  await older.stop();
  t.equal(await must(third, 'fsck', '--data', dataDir), 'clean\n');
});
