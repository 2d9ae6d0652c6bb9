/** What dnf and rpm make of a yum channel: real machines, set up as the server tells them to be. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { buildRpm, type RpmSpec } from '../build-rpm.ts';
import { unlessInstalled } from '../clients.ts';
import { startInProcess, temporaryDir, type TestServer } from '../server.ts';
import { byBaseUrl, complaints, dnfMachine, dnfRoot, type DnfRoot } from './dnf-root.ts';
import {
  download,
  flipBit,
  keepPublishing,
  makePrivate,
  onDisk,
  strangeKey,
  tamper,
  unlessRoot,
  upload,
  yank,
  type Outcome,
} from './roots.ts';

t.setTimeout(240_000);
const skip = unlessInstalled('dnf', 'rpm', 'rpmkeys') || unlessRoot;
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
function isWell(t: Test, root: DnfRoot, outcome: Outcome, what: string): void {
  t.equal(outcome.code, 0, `${what}: ${outcome.output}`);
  t.same(complaints(root, outcome), [], what);
}

/** The versions that dnf offers, in the order of rpm. */
async function versions(root: DnfRoot, name = 'hello'): Promise<string[]> {
  const { output } = await root.dnf('-q', '--refresh', 'repoquery', '--qf', '=%{evr}', name);
  return output.split('\n').flatMap((line) => (line.startsWith('=') ? [line.slice(1)] : []));
}

for (const [way, edit] of [
  ['metalink', undefined],
  ['baseurl', byBaseUrl],
] as const)
  void t.test(
    `a machine is set up with one file and installs what was uploaded, by ${way}`,
    { skip },
    async (t) => {
      const server = await startInProcess(t);
      const root = await dnfMachine(t, server, edit);
      isWell(t, root, await root.dnf('makecache'), 'an empty channel');
      await publish(server, {
        name: 'greeter++',
        version: '2.0~rc1^git7',
        release: '1.el9+x',
        epoch: 3,
        requires: [
          'libgreet++ >= 0.9~',
          '/usr/share/greeter/words+more',
          '(words or nothing)',
          'hello(virtual) = 5',
        ],
        recommends: ['greeter-doc'],
        files: [
          { path: '/opt/greeter++', content: '#!/bin/sh\necho hello\n', mode: 0o755 },
          { path: '/opt/link', target: 'greeter++' },
        ],
      });
      await publish(server, {
        name: 'libgreet++',
        version: '1.0',
        compression: 'zstd',
        provides: ['hello(virtual) = 5'],
        files: [{ path: '/opt/lib/libgreet.so.1', content: Buffer.from([0, 1, 2, 254, 255]) }],
      });
      await publish(server, {
        name: 'greeter-data',
        version: '3',
        compression: 'none',
        files: [{ path: '/usr/share/greeter/words+more', content: 'words' }],
      });
      await publish(server, { name: 'words', version: '1^post~pre' });
      await publish(server, {
        name: 'greeter-doc',
        format: 6,
        files: [{ path: '/opt/doc', content: 'new' }],
      });

      isWell(t, root, await root.dnf('makecache', '--refresh'), 'makecache');
      isWell(t, root, await root.dnf('install', 'greeter++'), 'install');
      t.same(await root.installed(), [
        'greeter++-3:2.0~rc1^git7-1.el9+x.noarch',
        'greeter-data-3-1.noarch',
        'greeter-doc-1.0-1.noarch',
        'libgreet++-1.0-1.noarch',
        'words-1^post~pre-1.noarch',
      ]);
      t.equal(root.read('opt/link'), '#!/bin/sh\necho hello\n');
      t.same(readFileSync(join(root.dir, 'opt/lib/libgreet.so.1')), Buffer.from([0, 1, 2, 254, 255]));
      t.equal(root.read('usr/share/greeter/words+more'), 'words');
      t.equal(root.read('opt/doc'), 'new');
      t.same(await root.rpm('-Va'), { code: 0, output: '' });
      const asked = /GET .*|Downloading: (\S+)/g;
      const urls = [...root.logs().matchAll(asked)].map(([, url = '']) => url);
      t.ok(urls.some((url) => url.includes(way === 'metalink' ? '/generations/' : `/${channel}/repodata/`)));
      t.equal(
        urls.some((url) => url.includes('/generations/')),
        way === 'metalink',
      );
    },
  );

void t.test(
  'an update reaches machines, an older version does not, a yank takes it back',
  { skip },
  async (t) => {
    const server = await startInProcess(t);
    const [old, fresh] = [await dnfMachine(t, server), await dnfMachine(t, server)];
    await publish(server, hello('1.0'));
    isWell(t, old, await old.dnf('install', 'hello'), 'install');
    await publish(server, hello('1.0^fix'));
    await publish(server, hello('0.5~beta', 1));
    await publish(server, hello('9.9'));
    await publish(server, hello('0.4', 1));
    isWell(t, old, await old.dnf('upgrade', '--refresh'), 'upgrade');
    t.same(await old.installed(), ['hello-1:0.5~beta-1.noarch']);
    t.equal(old.read('opt/hello'), 'hello 0.5~beta\n');
    isWell(t, old, await old.dnf('upgrade', '--refresh'), 'upgrade');
    t.same(await old.installed(), ['hello-1:0.5~beta-1.noarch'], 'it stays');

    for (const version of ['1:0.5~beta-1', '1:0.4-1', '0:9.9-1'])
      await yank(server, channel, { name: 'hello', version, architecture: 'noarch' });
    t.same(await versions(fresh), ['1.0-1', '1.0^fix-1']);
    isWell(t, fresh, await fresh.dnf('install', 'hello'), 'install after the yank');
    t.same(await fresh.installed(), ['hello-1.0^fix-1.noarch'], 'a new machine gets the version before');
    isWell(t, old, await old.dnf('upgrade', '--refresh'), 'upgrade after the yank');
    t.same(await old.installed(), ['hello-1:0.5~beta-1.noarch'], 'nothing is taken from a machine');
    isWell(t, old, await old.dnf('downgrade', 'hello-0:1.0-1'), 'downgrade, when asked for');
    t.equal(old.read('opt/hello'), 'hello 1.0\n');
  },
);

void t.test('two versions that differ in the epoch alone both install', { skip }, async (t) => {
  const server = await startInProcess(t);
  const root = await dnfMachine(t, server);
  t.not(
    await publish(server, { ...hello('1.0'), files: [{ path: '/opt/hello', content: 'none' }] }),
    await publish(server, { ...hello('1.0', 2), files: [{ path: '/opt/hello', content: 'two' }] }),
  );
  isWell(t, root, await root.dnf('install', 'hello-0:1.0-1'), 'without epoch');
  t.equal(root.read('opt/hello'), 'none');
  isWell(t, root, await root.dnf('upgrade'), 'upgrade');
  t.equal(root.read('opt/hello'), 'two');
  t.same(await root.installed(), ['hello-2:1.0-1.noarch']);
});

void t.test('a package of format 3 installs, though rpm rewrites its header', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, { ...hello('1.0'), format: 3 });
  const root = await dnfMachine(t, server);
  const deprecated = 'warning: RPM v3 packages are deprecated: hello-1.0-1.noarch';
  for (const action of ['install', 'reinstall']) {
    const outcome = await root.dnf(action, 'hello');
    t.equal(outcome.code, 0, outcome.output);
    t.same(complaints(root, outcome), [deprecated]);
    t.same(await root.installed(), ['hello-1.0-1.noarch']);
    t.same(await root.rpm('-V', 'hello'), { code: 0, output: '' });
  }
});

void t.test('every publication is seen, also when several are of one second', { skip }, async (t) => {
  const now = Date.now();
  const server = await startInProcess(t, { clock: { now: () => now } });
  const roots = [await dnfMachine(t, server), await dnfMachine(t, server, byBaseUrl)];
  const published: string[] = [];
  for (const version of ['1', '2', '3']) {
    await publish(server, hello(version));
    published.push(`${version}-1`);
    for (const root of roots) t.same(await versions(root), published);
  }
});

void t.test('refreshes in the midst of publications take one generation or another', { skip }, async (t) => {
  const server = await startInProcess(t);
  const ci = keepPublishing((version) => publish(server, hello(`1.${version}`)));
  const root = await dnfMachine(t, server);
  for (let i = 0; i < 8; i++) {
    const before = ci.published();
    isWell(t, root, await root.dnf('makecache', '--refresh'), `makecache ${i}`);
    const offered = (await versions(root)).length;
    t.ok(offered >= before, `${offered} after ${before}`);
  }
  await ci.stop();
  t.ok(ci.published() > 2);
});

void t.test('a refresh without news downloads no index', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  for (const edit of [undefined, byBaseUrl]) {
    const root = await dnfMachine(t, server, edit);
    isWell(t, root, await root.dnf('makecache'), 'makecache');
    t.match(root.logs(), /Downloading: \S+-primary\.xml\.gz/);
    root.forgetLogs();
    isWell(t, root, await root.dnf('makecache', '--refresh'), 'again');
    t.match(root.logs(), /Downloading: \S+(metalink|repomd\.xml)$/m);
    t.notMatch(root.logs(), /Downloading: \S+-primary/);
  }
});

void t.test('dnf refuses what was tampered with', { skip }, async (t) => {
  const server = await startInProcess(t);
  const path = await publish(server, hello('1.0'));
  const root = `/yum/main/${channel}`;
  const frozen = `${root}/generations/2`;
  const repomd = (await download(server, `${root}/repodata/repomd.xml`)).toString();
  const primary = /href="(repodata\/[0-9a-f]{64}-primary\.xml\.gz)"/.exec(repomd)?.[1] ?? '';
  const revision = (file: string): void => tamper(file, '<revision>2<', '<revision>3<');
  const cases: readonly {
    what: string;
    path: string;
    change: (path: string) => void;
    reason: RegExp;
    edit?: typeof byBaseUrl;
  }[] = [
    {
      what: 'repomd.xml',
      path: `${root}/repodata/repomd.xml`,
      change: revision,
      reason: /GPG|signature/,
      edit: byBaseUrl,
    },
    {
      what: 'repomd.xml behind the metalink',
      path: `${frozen}/repodata/repomd.xml`,
      change: revision,
      reason: /checksum|mirrors/i,
    },
    {
      what: 'the signature of repomd.xml',
      path: `${root}/repodata/repomd.xml.asc`,
      change: (file) => flipBit(file, 200),
      reason: /GPG|signature/,
      edit: byBaseUrl,
    },
    {
      what: 'the index',
      path: `${root}/${primary}`,
      change: (file) => flipBit(file, -20),
      reason: /checksum|mirrors/i,
    },
    { what: 'the package', path, change: (file) => flipBit(file, -5), reason: /checksum/i },
    { what: 'the signature of the package', path, change: (file) => flipBit(file, 400), reason: /checksum/i },
  ];
  for (const { what, path: tampered, change, reason, edit } of cases) {
    const file = onDisk(server, tampered);
    const whole = readFileSync(file);
    change(file);
    const machine = await dnfMachine(t, server, edit);
    const action = tampered === path ? ['--downloadonly', 'install', 'hello'] : ['makecache'];
    const outcome = await machine.dnf(...action);
    t.equal(outcome.code, 1, `${what}: ${outcome.output}`);
    t.match(outcome.output, reason, what);
    writeFileSync(file, whole);
    const mended = await machine.dnf('--refresh', ...action);
    t.equal(mended.code, 0, `${what}, mended: ${mended.output}`);
  }
});

void t.test(
  'a served package is trusted without its channel, an uploaded one is not',
  { skip },
  async (t) => {
    const server = await startInProcess(t);
    const root = dnfRoot(t);
    const [uploaded, served, key] = ['uploaded.rpm', 'served.rpm', 'main.asc'].map((name) =>
      join(root.dir, name),
    ) as [string, string, string];
    writeFileSync(uploaded, buildRpm(hello('1.0')));
    writeFileSync(served, await download(server, await publish(server, hello('1.0'))));
    writeFileSync(key, await download(server, '/keys/main.asc'));
    t.equal((await root.rpm('--import', key)).code, 0);
    const install = (path: string): Promise<Outcome> =>
      root.dnf('--setopt=localpkg_gpgcheck=1', 'install', path);
    const outcome = await install(uploaded);
    t.equal(outcome.code, 1, outcome.output);
    t.match(outcome.output, /not signed/);
    root.forgetLogs();
    isWell(t, root, await install(served), 'the served one');
    t.same(await root.installed(), ['hello-1.0-1.noarch']);
  },
);

void t.test('a machine that trusts another key takes nothing', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const key = join(temporaryDir(t), 'other.asc');
  writeFileSync(key, await strangeKey());
  const root = await dnfMachine(t, server, (repo) => repo.replace(/^gpgkey=.*$/m, `gpgkey=file://${key}`));
  const outcome = await root.dnf('makecache');
  t.equal(outcome.code, 1, outcome.output);
  t.match(outcome.output, /GPG|key/);
});

void t.test('a machine can be pinned to a generation', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  await publish(server, hello('2.0'));
  const pinned = (repo: string): string => byBaseUrl(repo).replace(/^baseurl=.*$/m, '$&generations/2/');
  const root = await dnfMachine(t, server, pinned);
  isWell(t, root, await root.dnf('install', 'hello'), 'install');
  t.same(await root.installed(), ['hello-1.0-1.noarch']);
});

void t.test('a private repository asks for a token, which dnf sends as a password', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const repo = (await download(server, `/setup/main/${channel}.repo`)).toString();
  const token = await makePrivate(server);
  const root = dnfRoot(t);
  root.writeRepo(repo);
  const refused = await root.dnf('makecache');
  t.equal(refused.code, 1);
  t.match(refused.output, /401/);
  root.writeRepo(`${repo}username=token\npassword=${token}\n`);
  const outcome = await root.dnf('install', 'hello');
  t.equal(outcome.code, 0, outcome.output);
  t.same(await root.installed(), ['hello-1.0-1.noarch']);
});

void t.test(
  'the published tree serves machines as it lies on disk, without the server',
  { skip },
  async (t) => {
    const server = await startInProcess(t);
    await publish(server, hello('1.0'));
    await publish(server, hello('2.0~rc+1'));
    const key = join(temporaryDir(t), 'main.asc');
    writeFileSync(key, await download(server, '/keys/main.asc'));
    const repo = (await download(server, `/setup/main/${channel}.repo`)).toString();
    await server.close();
    for (const folder of [channel, `${channel}/generations/3`]) {
      const root = dnfRoot(t);
      root.writeRepo(
        repo
          .replace(/^metalink=.*$/m, `baseurl=file://${server.dataDir}/tree/yum/main/${folder}/`)
          .replace(/^gpgkey=.*$/m, `gpgkey=file://${key}`),
      );
      isWell(t, root, await root.dnf('install', 'hello'), folder);
      t.same(await root.installed(), ['hello-2.0~rc+1-1.noarch']);
    }
  },
);
