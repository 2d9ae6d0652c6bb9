/** What zypper makes of a yum channel: real machines, set up as the server tells them to be. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { buildRpm, type RpmSpec } from '../build-rpm.ts';
import { unlessInstalled } from '../clients.ts';
import { startInProcess, temporaryDir, type TestServer } from '../server.ts';
import { byBaseUrl } from './dnf-root.ts';
import {
  download,
  flipBit,
  makePrivate,
  onDisk,
  strangeKey,
  tamper,
  unlessRoot,
  upload,
  yank,
  type Outcome,
} from './roots.ts';
import { complaints, zypperMachine } from './zypper-root.ts';

t.setTimeout(240_000);
const skip = unlessInstalled('zypper', 'rpm') || unlessRoot;
const channel = 'stable-rpm';

const publish = (server: TestServer, spec: RpmSpec): Promise<string> =>
  upload(server, channel, 'upload.rpm', buildRpm(spec));

const hello = (version: string, epoch?: number): RpmSpec => ({
  name: 'hello',
  version,
  ...(epoch !== undefined && { epoch }),
  files: [{ path: '/opt/hello', content: `hello ${version}\n`, mode: 0o755 }],
});

/** Succeeded without a warning. */
function isWell(t: Test, outcome: Outcome, what: string): void {
  t.equal(outcome.code, 0, `${what}: ${outcome.output}`);
  t.same(complaints(outcome), [], what);
}

// Files required by path have to be of those in primary: zypper reads no file lists.
for (const [way, edit] of [
  ['metalink', undefined],
  ['baseurl', byBaseUrl],
] as const)
  void t.test(`a machine is set up with one file, installs and updates, by ${way}`, { skip }, async (t) => {
    const server = await startInProcess(t);
    const root = await zypperMachine(t, server, edit);
    isWell(t, await root.zypper('refresh'), 'an empty channel');
    await publish(server, {
      name: 'greeter++',
      version: '2.0~rc1^git7',
      release: '1.el9+x',
      epoch: 3,
      requires: ['libgreet++ >= 0.9~', '/usr/bin/words+more', '(words or nothing)'],
      files: [{ path: '/opt/greeter++', content: '#!/bin/sh\necho hello\n', mode: 0o755 }],
    });
    await publish(server, {
      name: 'libgreet++',
      version: '1.0',
      compression: 'zstd',
      files: [{ path: '/opt/lib/libgreet.so.1', content: Buffer.from([0, 1, 2, 254, 255]) }],
    });
    await publish(server, {
      name: 'greeter-data',
      files: [{ path: '/usr/bin/words+more', content: 'words' }],
    });
    await publish(server, { name: 'words', version: '1^post~pre' });
    await publish(server, hello('1.0'));

    isWell(t, await root.zypper('install', 'greeter++', 'hello'), 'install, which asks for news itself');
    t.same(await root.installed(), [
      'greeter++-3:2.0~rc1^git7-1.el9+x.noarch',
      'greeter-data-1.0-1.noarch',
      'hello-1.0-1.noarch',
      'libgreet++-1.0-1.noarch',
      'words-1^post~pre-1.noarch',
    ]);
    t.equal(root.read('opt/greeter++'), '#!/bin/sh\necho hello\n');
    t.same(readFileSync(join(root.dir, 'opt/lib/libgreet.so.1')), Buffer.from([0, 1, 2, 254, 255]));
    t.same(await root.rpm('-Va'), { code: 0, output: '' });

    await publish(server, hello('1.0^fix'));
    await publish(server, hello('0.5~beta', 1));
    await publish(server, hello('9.9'));
    isWell(t, await root.zypper('update'), 'update');
    t.equal(root.read('opt/hello'), 'hello 0.5~beta\n');
    const log = readFileSync(join(root.dir, 'zypper.log'), 'utf8');
    t.equal(/GET \S*\/generations\/|\/generations\/\d+\//.test(log), way === 'metalink');

    await yank(server, channel, { name: 'hello', version: '1:0.5~beta-1', architecture: 'noarch' });
    await yank(server, channel, { name: 'hello', version: '0:9.9-1', architecture: 'noarch' });
    const fresh = await zypperMachine(t, server, edit);
    isWell(t, await fresh.zypper('install', 'hello'), 'install after the yank');
    t.equal(fresh.read('opt/hello'), 'hello 1.0^fix\n', 'a new machine gets the version before');
    isWell(t, await root.zypper('install', '--oldpackage', 'hello = 1.0'), 'downgrade, when asked for');
    t.equal(root.read('opt/hello'), 'hello 1.0\n');
  });

void t.test('a refresh without news downloads no index', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  for (const edit of [undefined, byBaseUrl]) {
    const root = await zypperMachine(t, server, edit);
    isWell(t, await root.zypper('refresh'), 'refresh');
    const again = await root.zypper('refresh');
    isWell(t, again, 'again');
    t.match(again.output, /is up to date/);
  }
});

void t.test('zypper refuses what was tampered with', { skip }, async (t) => {
  const server = await startInProcess(t);
  const path = await publish(server, hello('1.0'));
  const root = `/yum/main/${channel}`;
  const repomd = (await download(server, `${root}/repodata/repomd.xml`)).toString();
  const primary = /href="(repodata\/[0-9a-f]{64}-primary\.xml\.gz)"/.exec(repomd)?.[1] ?? '';
  const revision = (file: string): void => tamper(file, '<revision>2<', '<revision>3<');
  const cases: readonly (readonly [string, string, (path: string) => void, RegExp])[] = [
    ['repomd.xml', `${root}/generations/2/repodata/repomd.xml`, revision, /[Ss]ignature verification failed/],
    ['the index', `${root}/${primary}`, (file) => flipBit(file, -20), /checksum|[Dd]igest/],
    ['the package', path, (file) => flipBit(file, -5), /checksum|[Dd]igest/],
  ];
  for (const [what, tampered, change, reason] of cases) {
    const file = onDisk(server, tampered);
    const whole = readFileSync(file);
    change(file);
    const machine = await zypperMachine(t, server);
    const outcome = await machine.zypper('install', 'hello');
    t.not(outcome.code, 0, `${what}: ${outcome.output}`);
    t.match(outcome.output, reason, what);
    t.same(await machine.installed(), [], what);
    writeFileSync(file, whole);
    const mended = await machine.zypper('install', 'hello');
    t.equal(mended.code, 0, `${what}, mended: ${mended.output}`);
    t.same(await machine.installed(), ['hello-1.0-1.noarch'], what);
  }
});

void t.test('a machine that trusts another key takes nothing', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const key = join(temporaryDir(t), 'other.asc');
  writeFileSync(key, await strangeKey());
  const root = await zypperMachine(t, server, (repo) => repo.replace(/^gpgkey=.*$/m, `gpgkey=file://${key}`));
  const outcome = await root.zypper('install', 'hello');
  t.not(outcome.code, 0, outcome.output);
  t.same(await root.installed(), []);
});

void t.test(
  'a private repository asks for a token, which zypper sends as a password',
  { skip },
  async (t) => {
    const server = await startInProcess(t);
    await publish(server, hello('1.0'));
    const root = await zypperMachine(t, server);
    const token = await makePrivate(server);
    const refused = await root.zypper('refresh');
    t.not(refused.code, 0);
    t.match(refused.output, /401/);
    writeFileSync(
      join(root.dir, 'etc/zypp/credentials.cat'),
      `[${server.url}/]\nusername=token\npassword=${token}\n`,
    );
    isWell(t, await root.zypper('install', 'hello'), 'install');
    t.same(await root.installed(), ['hello-1.0-1.noarch']);
  },
);
