/** Backup beside a server that publishes, the loss of everything, and what becomes of it. */
import { chmodSync, existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { jsonOf } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { aptMachine, complaints } from '../clients/apt-root.ts';
import { complaints as dnfComplaints, dnfMachine } from '../clients/dnf-root.ts';
import { keepPublishing, unlessRoot, upload } from '../clients/roots.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { adminToken, placeTestKey, startProgram, temporaryDir, type Program } from '../server.ts';

t.setTimeout(240_000);

const inRelease = async (server: Program): Promise<string> =>
  await (await fetch(`${server.url}/apt/main/dists/stable/InRelease`)).text();
const head = async (server: Program, channel: string): Promise<number> => {
  const response = await server.api(`/api/v1/repositories/main/channels/${channel}`);
  return (await jsonOf<{ generation: number }>(response)).generation;
};

async function must(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(args);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return stdout;
}

t.test(
  'the data directory is lost and restored, and machines go on without a question',
  { skip: unlessInstalled('apt-get', 'dpkg-deb', 'gpgv', 'dnf', 'rpm') || unlessRoot },
  async (t) => {
    const server = await startProgram(t);
    const dir = join(temporaryDir(t), 'backup');
    for (const { filename, bytes } of [debSample('kept')]) await upload(server, 'stable', filename, bytes);
    for (const { filename, bytes } of [rpmSample('kept')])
      await upload(server, 'stable-rpm', filename, bytes);
    const [apt, dnf] = [await aptMachine(t, server), await dnfMachine(t, server)];
    t.same(complaints(await apt.update()), []);
    t.match(await dnf.dnf('install', 'kept'), { code: 0 });

    const busy = keepPublishing(async (version) => {
      const deb = debSample('busy', { version: `${version}.0` });
      await upload(server, 'stable', deb.filename, deb.bytes);
    });
    const first = await must('backup', dir, '--data', server.dataDir);
    t.match(first, /the catalog, the keys, \d+ new files of the tree/);
    await must('backup', dir, '--data', server.dataDir);
    t.equal(statSync(join(dir, 'catalog.db')).mode & 0o077, 0);
    await busy.stop();
    t.ok(busy.published() > 0, `${busy.published()} versions were published meanwhile`);
    await server.kill();

    rmSync(server.dataDir, { recursive: true });
    chmodSync(join(dir, 'catalog.db'), 0o644);
    t.match(await must('restore', dir, '--data', server.dataDir), /main\/stable: generation \d+\n/);
    t.equal(statSync(join(server.dataDir, 'catalog.db')).mode & 0o077, 0, 'tokens are in it');
    t.match(
      await must('fsck', '--data', server.dataDir, '--repair'),
      /^clean\n$/m,
      'pointers are older, and mended',
    );
    const again = await startProgram(t, { dataDir: server.dataDir, port: Number(new URL(server.url).port) });
    t.equal(await must('fsck', '--data', server.dataDir), 'clean\n');
    t.equal(again.output().includes('channel_ahead'), false, again.output());
    const update = await apt.update();
    t.same([update.code, ...complaints(update)], [0], update.output);
    t.match(await apt.apt('install', 'kept'), { code: 0 });
    dnf.forgetLogs();
    const reinstall = await dnf.dnf('--refresh', 'reinstall', 'kept');
    t.equal(reinstall.code, 0, reinstall.output);
    t.same(dnfComplaints(dnf, reinstall), []);
    const next = debSample('next');
    await upload(again, 'stable', next.filename, next.bytes);
    t.match(await apt.update(), { code: 0 });
    t.match(await apt.apt('install', 'next'), { code: 0 });

    const over = await runCommand(['restore', dir, '--data', server.dataDir]);
    t.match(over, { code: 1, stderr: /A server is running/ });
    await again.stop();
    t.match(await runCommand(['restore', dir, '--data', server.dataDir]), {
      code: 1,
      stderr: /move it away/,
    });
  },
);

async function put(server: Program, path: string, settings: object): Promise<Response> {
  return await server.api(`/api/v1/repositories/${path}`, { method: 'PUT', body: JSON.stringify(settings) });
}

/**
 * A server whose catalog was put back to before its last uploads and before a channel and a repository were made;
 * its tree is as clients have seen it.
 */
async function putBack(t: Test): Promise<{ server: Program; seen: string }> {
  const server = await startProgram(t);
  const [deb, rpm, lost, lostRpm] = [
    debSample('old'),
    rpmSample('old'),
    debSample('lost'),
    rpmSample('lost'),
  ];
  await upload(server, 'stable', deb.filename, deb.bytes);
  await upload(server, 'stable-rpm', rpm.filename, rpm.bytes);
  for (const name of ['quiet', 'new']) placeTestKey(server.dataDir, name);
  t.ok((await put(server, 'quiet', {})).ok);
  const dir = join(temporaryDir(t), 'backup');
  await must('backup', dir, '--no-tree', '--data', server.dataDir);
  t.ok((await put(server, 'main/channels/new', { format: 'yum' })).ok);
  t.ok((await put(server, 'new', {})).ok);
  t.ok((await put(server, 'new/channels/stable', { format: 'apt' })).ok);
  // A later second: within one, the times of two generations are the same.
  for (const before = await inRelease(server); ;) {
    const { filename, bytes } = debSample('lost', { version: `${Date.now()}` });
    await upload(server, 'stable', filename, bytes);
    const date = (text: string): string => /^Date: .*$/m.exec(text)?.[0] ?? '';
    if (date(await inRelease(server)) !== date(before)) break;
  }
  await upload(server, 'stable', lost.filename, lost.bytes);
  await upload(server, 'stable-rpm', lostRpm.filename, lostRpm.bytes);
  const seen = await inRelease(server);
  await server.stop();
  for (const suffix of ['', '-wal', '-shm'])
    rmSync(join(server.dataDir, `catalog.db${suffix}`), { force: true });
  await must('restore', dir, '--data', server.dataDir);
  return { server, seen };
}

t.test('an older catalog takes nothing from machines before the operator says so', async (t) => {
  const { server: before, seen } = await putBack(t);
  const server = await startProgram(t, { dataDir: before.dataDir, port: Number(new URL(before.url).port) });
  for (const channel of ['main/stable', 'main/stable-rpm', 'main/new', 'new/stable'])
    t.match(server.output(), new RegExp(`"channel":"${channel}","code":"channel_ahead"`), channel);
  t.equal(await inRelease(server), seen, 'what clients have seen is served as it was');
  const { filename, bytes } = debSample('refused');
  const refused = await server.upload('stable', filename, bytes);
  t.match(await refused.json(), { status: 503, code: 'channel_ahead', action: /entrepot resume/ });
  t.match(await jsonOf(await server.api('/api/v1/repositories/main/channels/stable/packages')), {
    packages: [{ name: 'old' }],
  });
  const collection = await server.api('/api/v1/collections', { method: 'POST', body: '{}' });
  t.match(
    await collection.json(),
    { code: 'channel_ahead' },
    'what the catalog does not know is not collected',
  );
  const quiet = await server.api('/api/v1/collections', { method: 'POST', body: '{"repository":"quiet"}' });
  t.equal(quiet.status, 200, 'and keeps no other repository from being collected');
  const made = await put(server, 'main/channels/new', { format: 'yum' });
  t.match(await made.json(), { code: 'channel_ahead' }, 'a channel that machines follow is not made empty');
  t.match(await jsonOf(await server.api('/readyz')), { status: 'ok' }, 'it serves what there is');

  const known = await head(server, 'stable');
  const variables = { ENTREPOT_URL: server.url, ENTREPOT_TOKEN: adminToken };
  const resumed = await runCommand(['resume', 'stable', '--repository', 'main'], variables);
  t.match(
    resumed,
    { code: 0, stdout: `main/stable: generation ${known + 1} is published\n` },
    resumed.stderr,
  );
  const now = await inRelease(server);
  const dateOf = (text: string): number => Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? '');
  t.ok(dateOf(now) > dateOf(seen), 'apt takes it for newer');
  for (const channel of ['stable-rpm', 'new'])
    t.match(await runCommand(['resume', channel, '--repository', 'main'], variables), { code: 0 });
  t.match(
    await jsonOf(await server.api('/api/v1/collections', { method: 'POST', body: '{"repository":"main"}' })),
    {
      collections: [{ repository: 'main' }],
    },
  );
  t.match(await jsonOf(await server.upload('stable', filename, bytes)), { channel: 'stable' });
  await server.stop();
  t.equal(await must('fsck', '--data', server.dataDir), 'clean\n');
  const again = await startProgram(t, { dataDir: server.dataDir });
  t.notMatch(again.output(), '"channel":"main/');
});

t.test('a backup that did not come to its end is not restored', async (t) => {
  const dir = temporaryDir(t);
  const data = join(dir, 'data');
  t.match(await runCommand(['restore', dir, '--data', data]), { code: 1, stderr: /backup_damaged/ });
  t.match(await runCommand(['backup', join(data, 'inside'), '--data', data]), { code: 1 });
  t.notOk(existsSync(join(data, 'catalog.db')));
});
