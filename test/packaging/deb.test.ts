/** The Debian package of this program: published by it, installed by apt, run as its unit says. */
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { unlessInstalled } from '../clients.ts';
import { complaints } from '../clients/apt-root.ts';
import { debSample } from '../packages.ts';
import { run } from '../run.ts';
import { freePort, placeTestKey, startInProcess, temporaryDir, type TestServer } from '../server.ts';
import { buildPackages, checkout } from './built.ts';
import { debianRoot, unlessDebian, type DebianRoot } from './debian-root.ts';

t.setTimeout(300_000);

const unit = join(checkout, 'packaging/debian/entrepot.service');

t.test('the unit gives away little', { skip: unlessInstalled('systemd-analyze') }, async (t) => {
  const { code, stdout, stderr } = await run('systemd-analyze', [
    'security',
    '--offline=true',
    '--no-pager',
    '--threshold=20',
    unit,
  ]);
  const level = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
  t.ok(level < 2, `exposure ${level}`);
  t.equal(code, 0, stderr);
});

/** Sets the machine up for a channel of the server and installs a package, as the page of the channel says. */
async function install(machine: DebianRoot, server: Pick<TestServer, 'url'>, name: string): Promise<string> {
  await machine.must(
    'curl',
    '-fsSo',
    '/etc/apt/sources.list.d/test.sources',
    `${server.url}/setup/main/stable.sources`,
  );
  const update = await machine.inside('apt-get', 'update');
  if (update.code !== 0 || complaints(update).length > 0) throw new Error(update.output);
  return await machine.must('apt-get', 'install', '-y', '--no-install-recommends', name);
}

/** Starts the server in the machine with the unit's own command and user; answers its URL once it is ready. */
async function startFromUnit(
  machine: DebianRoot,
  url: string,
): Promise<{ stop: () => Promise<number | null> }> {
  const text = readFileSync(join(machine.dir, 'usr/lib/systemd/system/entrepot.service'), 'utf8');
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  const child = machine.start(`${value('User')}:${value('Group')}`, value('ExecStart').split(' '));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit').then(() => child.exitCode);
  const ready = async (): Promise<void> => {
    while (!(await fetch(`${url}/readyz`).catch(() => null))?.ok)
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${said}`);
  };
  await ready();
  return {
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

t.test(
  'published by a server, installed by apt, run from its unit, and publishing from there',
  { skip: unlessDebian },
  async (t) => {
    const dir = temporaryDir(t);
    const [{ deb }, again, machine] = await Promise.all([
      buildPackages(join(dir, 'once')),
      buildPackages(join(dir, 'twice')),
      debianRoot(t),
    ]);
    t.ok(readFileSync(deb).equals(readFileSync(again.deb)), 'the same sources give the same bytes');

    const first = await startInProcess(t);
    const uploaded = await first.upload('stable', basename(deb), readFileSync(deb));
    t.equal(uploaded.status, 201, await uploaded.text());
    await install(machine, first, 'entrepot');
    t.match(await machine.must('entrepot', '--version'), /^\d+\.\d+\.\d+/);
    t.equal(await machine.must('dpkg', '--verify', 'entrepot'), '', 'every file is as it was packed');
    t.equal(statSync(join(machine.dir, 'var/lib/entrepot')).mode & 0o777, 0o750);

    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const settings = `data: /var/lib/entrepot\nlisten: 127.0.0.1:${port}\npublic_url: ${url}\n`;
    machine.put('etc/entrepot/entrepot.yaml', settings);
    placeTestKey(join(machine.dir, 'var/lib/entrepot'));
    await machine.must('chown', '-R', 'entrepot:', '/var/lib/entrepot');
    const second = await startFromUnit(machine, url);
    const asServer = ['runuser', '-u', 'entrepot', '--'];
    const token = (
      await machine.must(...asServer, 'entrepot', 'token', 'create', '--name', 'ci', '--scope', 'admin')
    ).trim();
    const hello = debSample('hello-there');
    machine.put(`tmp/${hello.filename}`, hello.bytes);
    const api = `${url}/api/v1/repositories/main/channels/stable/packages/`;
    const upload = [
      'curl',
      '-sS',
      '-H',
      `Authorization: Bearer ${token}`,
      '-T',
      `/tmp/${hello.filename}`,
      api,
    ];
    t.match(JSON.parse(await machine.must(...upload)), { status: 'created', channel: 'stable' });
    await install(machine, { url }, 'hello-there');
    t.match(await machine.must('cat', '/usr/share/hello-there/what'), 'This is hello-there.');
    t.equal(await second.stop(), 0, 'asked to end, it ends well');
    t.match(await machine.must(...asServer, 'entrepot', 'fsck'), /^clean$/m);

    t.test('an upgrade and a purge keep settings and data', async (t) => {
      const newer = join(dir, 'newer');
      await run('dpkg-deb', ['-R', deb, newer]);
      await run('sed', ['-i', 's/^Version: .*/Version: 99.0/', join(newer, 'DEBIAN/control')]);
      const packed = await run('dpkg-deb', [
        '-Znone',
        '--root-owner-group',
        '-b',
        newer,
        join(machine.dir, 'tmp/newer.deb'),
      ]);
      t.equal(packed.code, 0, packed.stderr);
      await machine.must('dpkg', '--install', '--force-confdef', '/tmp/newer.deb');
      t.equal(await machine.must('cat', '/etc/entrepot/entrepot.yaml'), settings);
      t.match(await machine.must(...asServer, 'entrepot', 'fsck'), /^clean$/m);
      const said = await machine.must('dpkg', '--purge', 'entrepot');
      t.match(said, 'stay in /var/lib/entrepot');
      t.match(await machine.must('ls', '/var/lib/entrepot'), /catalog\.db\nkeys/);
      t.match(await machine.inside('ls', '/usr/lib/entrepot'), { code: 2 }, 'nothing of the program stays');
    });
  },
);
