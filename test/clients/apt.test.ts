/** What apt and dpkg make of an apt channel: real machines, set up as the server tells them to be. */
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, utimesSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { buildDeb, type DebOptions } from '../build-deb.ts';
import { unlessInstalled } from '../clients.ts';
import { run } from '../run.ts';
import { startInProcess, temporaryDir, type TestServer } from '../server.ts';
import { aptMachine, aptRoot, complaints, type AptRoot } from './apt-root.ts';
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
const skip = unlessInstalled('apt-get', 'gpgv', 'dpkg-deb') || unlessRoot;

const publish = (server: TestServer, options: DebOptions): Promise<string> =>
  upload(server, 'stable', 'upload.deb', buildDeb(options));

const yankHello = (server: TestServer, version: string): Promise<void> =>
  yank(server, 'stable', { name: 'hello', version, architecture: 'amd64' });

const hello = (version: string, fields: Record<string, string> = {}): DebOptions => ({
  control: { Package: 'hello', Version: version, Architecture: 'amd64', ...fields },
  files: [{ path: 'opt/hello', data: `hello ${version}\n`, mode: 0o755 }],
});

/** What apt offers of a package, newest first. */
async function versions(root: AptRoot, name = 'hello'): Promise<string[]> {
  const { output } = await root.cache('madison', name);
  return output
    .split('\n')
    .map((line) => line.split('|')[1]?.trim() ?? '')
    .filter((version) => version !== '');
}

/** Succeeded without a warning or a note. */
function isWell(t: Test, outcome: Outcome, what: string): void {
  t.equal(outcome.code, 0, `${what}: ${outcome.output}`);
  t.same(complaints(outcome), [], what);
}

void t.test('a machine is set up with one file and installs what was uploaded', { skip }, async (t) => {
  const server = await startInProcess(t);
  const root = await aptMachine(t, server);
  isWell(t, await root.update(), 'an empty channel');
  t.same(await root.installed(), []);

  await publish(server, {
    control: {
      Package: 'greeter++',
      Version: '1:2.0~rc1+build.7-1~deb12u1',
      Architecture: 'amd64',
      Depends: 'libgreet++1 (>= 0.9~), libgreet++1 (<< 2), greeter-data (= 3.0+git~2) | nothing',
      Recommends: 'words',
    },
    files: [{ path: 'opt/greeter++', data: '#!/bin/sh\necho hello\n', mode: 0o755 }],
    scripts: { postinst: '#!/bin/sh\nset -e\necho "$1" > "$DPKG_ROOT/opt/configured"\n' },
    compression: 'xz',
    controlCompression: 'xz',
  });
  await publish(server, {
    control: { Package: 'libgreet++1', Version: '1.0', Architecture: 'amd64', 'Multi-Arch': 'same' },
    files: [{ path: 'opt/lib/libgreet.so.1', data: 'library\n' }],
    compression: 'zstd',
    controlCompression: 'zstd',
  });
  await publish(server, {
    control: { Package: 'greeter-data', Version: '3.0+git~2', Architecture: 'all' },
    files: [{ path: 'opt/data/words+more ~1', data: Buffer.from([0, 1, 2, 254, 255]) }],
  });
  await publish(server, {
    control: { Package: 'words', Version: '2:1', Architecture: 'all', Provides: 'dictionary (= 5)' },
    compression: 'none',
    controlCompression: 'none',
  });

  isWell(t, await root.update(), 'update');
  isWell(t, await root.apt('install', 'greeter++'), 'install');
  t.same(await root.installed(), [
    'greeter++ 1:2.0~rc1+build.7-1~deb12u1 amd64',
    'greeter-data 3.0+git~2 all',
    'libgreet++1 1.0 amd64',
    'words 2:1 all',
  ]);
  t.equal(root.read('opt/greeter++'), '#!/bin/sh\necho hello\n');
  t.equal(statSync(join(root.dir, 'opt/greeter++')).mode & 0o777, 0o755);
  t.equal(root.read('opt/lib/libgreet.so.1'), 'library\n');
  t.same(readFileSync(join(root.dir, 'opt/data/words+more ~1')), Buffer.from([0, 1, 2, 254, 255]));
  t.equal(root.read('opt/configured'), 'configure\n');
  t.same(await run('dpkg', [`--root=${root.dir}`, '--verify']), { code: 0, stdout: '', stderr: '' });
  isWell(t, await root.apt('check'), 'check');
});

void t.test('an upgrade reaches machines, and a yank takes it back', { skip }, async (t) => {
  const server = await startInProcess(t);
  const [old, fresh] = [await aptMachine(t, server), await aptMachine(t, server)];
  await publish(server, hello('1.0-1'));
  isWell(t, await old.update(), 'update');
  isWell(t, await old.apt('install', 'hello'), 'install');
  t.equal(old.read('opt/hello'), 'hello 1.0-1\n');

  await publish(server, hello('1.0-1+deb12u1'));
  await publish(server, hello('1:0.5~beta'));
  isWell(t, await old.update(), 'update after the upload');
  t.same(await versions(old), ['1:0.5~beta', '1.0-1+deb12u1', '1.0-1']);
  isWell(t, await old.apt('upgrade'), 'upgrade');
  t.equal(old.read('opt/hello'), 'hello 1:0.5~beta\n');
  t.same(await old.installed(), ['hello 1:0.5~beta amd64']);

  await yankHello(server, '1:0.5~beta');
  await yankHello(server, '1.0-1+deb12u1');
  isWell(t, await fresh.update(), 'update after the yank');
  isWell(t, await fresh.apt('install', 'hello'), 'install after the yank');
  t.same(await fresh.installed(), ['hello 1.0-1 amd64'], 'a new machine gets the old version');
  isWell(t, await old.update(), 'update after the yank');
  isWell(t, await old.apt('--allow-downgrades', 'install', 'hello=1.0-1'), 'downgrade');
  t.equal(old.read('opt/hello'), 'hello 1.0-1\n');
});

void t.test('two versions that differ in the epoch alone both install', { skip }, async (t) => {
  const server = await startInProcess(t);
  const root = await aptMachine(t, server);
  const paths = [await publish(server, hello('1.0')), await publish(server, hello('1:1.0'))];
  t.not(paths[0], paths[1]);
  isWell(t, await root.update(), 'update');
  for (const version of ['1.0', '1:1.0']) {
    isWell(t, await root.apt('install', `hello=${version}`), version);
    t.equal(root.read('opt/hello'), `hello ${version}\n`);
  }
});

void t.test('machines of several architectures each find their packages', { skip }, async (t) => {
  const server = await startInProcess(t);
  for (const architecture of ['amd64', 'arm64', 'riscv64'])
    await publish(server, {
      control: { Package: 'tool', Version: '1', Architecture: architecture, 'Multi-Arch': 'foreign' },
      files: [{ path: 'opt/tool', data: architecture }],
    });
  await publish(server, { control: { Package: 'data', Version: '1', Architecture: 'all' } });
  const machines: readonly (readonly [string[], string[]])[] = [
    [['amd64'], ['data:all', 'tool:amd64']],
    [['riscv64'], ['data:all', 'tool:riscv64']],
    [
      ['amd64', 'arm64'],
      ['data:all', 'tool:amd64', 'tool:arm64'],
    ],
  ];
  for (const [architectures, expected] of machines) {
    const root = await aptMachine(t, server, undefined, architectures);
    isWell(t, await root.update(), architectures.join());
    const { output } = await root.cache('dumpavail');
    const found = [...output.matchAll(/^Package: (.*)\nArchitecture: (.*)$/gm)].map(
      ([, name, architecture]) => `${name}:${architecture}`,
    );
    t.same(found.sort(), expected, architectures.join());
  }
});

void t.test('apt refuses what was tampered with', { skip }, async (t) => {
  const server = await startInProcess(t);
  const pool = await publish(server, hello('1.0'));
  const suite = '/apt/main/dists/stable';
  const index = `${suite}/main/binary-amd64/Packages.gz`;
  const cases: readonly (readonly [string, string, (path: string) => void, RegExp])[] = [
    [
      'a date in InRelease',
      `${suite}/InRelease`,
      (path) => tamper(path, 'Date: ', 'Date:  '.slice(0, 5) + '\t'),
      /BADSIG|not valid|not signed/,
    ],
    [
      'a digest in InRelease',
      `${suite}/InRelease`,
      (path) => {
        const digest = /^ ([0-9a-f]{64}) /m.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
        tamper(path, digest, '0'.repeat(64));
      },
      /BADSIG|not signed/,
    ],
    ['the index', index, (path) => flipBit(path, -20), /Hash Sum mismatch/],
  ];
  for (const [what, path, change, reason] of cases) {
    const whole = await download(server, path);
    change(onDisk(server, path));
    const root = await aptMachine(t, server);
    const outcome = await root.update();
    t.equal(outcome.code, 100, `${what}: ${outcome.output}`);
    t.match(outcome.output, reason, what);
    t.same(await versions(root), [], what);
    await writeFile(onDisk(server, path), whole);
    isWell(t, await root.update(), `${what}, mended`);
    t.same(await versions(root), ['1.0'], what);
  }
  const root = await aptMachine(t, server);
  isWell(t, await root.update(), 'update');
  const deb = onDisk(server, pool);
  flipBit(deb, -1);
  const outcome = await root.apt('install', 'hello');
  t.equal(outcome.code, 100, outcome.output);
  t.match(outcome.output, /Hash Sum mismatch/);
  t.same(await root.installed(), []);
  flipBit(deb, -1);
  isWell(t, await root.apt('install', 'hello'), 'mended');
});

void t.test('a machine that trusts another key takes nothing', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const key = (await strangeKey()).trimEnd().replace(/^$/gm, '.').replace(/^/gm, ' ');
  const root = await aptMachine(t, server, (sources) => sources.replace(/^ -----BEGIN[^]*/m, `${key}\n`));
  const outcome = await root.update();
  t.equal(outcome.code, 100, outcome.output);
  t.match(outcome.output, /NO_PUBKEY/);
});

void t.test('apt finds the lists by every way it has', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const compression = 'Acquire::IndexTargets::deb::Packages::CompressionTypes';
  const ways: readonly (readonly [string, string[], RegExp])[] = [
    ['by hash', [], /GET \S+\/by-hash\/SHA256\/[0-9a-f]{64} /],
    ['by name', ['Acquire::By-Hash=no'], /GET \S+\/binary-amd64\/Packages\.gz /],
    ['kept compressed', ['Acquire::GzipIndexes=true'], /GET \S+\/by-hash\//],
    ['uncompressed, by hash', [`${compression}=uncompressed`], /GET \S+\/by-hash\//],
    ['uncompressed, by name', [`${compression}=uncompressed`, 'Acquire::By-Hash=no'], /GET \S+\/Packages /],
    ['one request at a time', ['Acquire::http::Pipeline-Depth=0'], /GET /],
  ];
  for (const [what, options, request] of ways) {
    const root = await aptMachine(t, server);
    const outcome = await root.update('Debug::Acquire::http=true', ...options);
    isWell(t, outcome, what);
    t.match(outcome.output, request, what);
    t.notMatch(outcome.output, /^Ign|^Err| 404 /m, what);
    const { output } = await root.cache(...options.flatMap((option) => ['-o', option]), 'show', 'hello');
    t.match(output, /^Package: hello$/m, what);
  }
});

void t.test('machines that revalidate by name see every publication', { skip }, async (t) => {
  const server = await startInProcess(t);
  const root = await aptMachine(t, server, (sources) => sources.replace('Suites:', 'By-Hash: no\nSuites:'));
  for (const version of ['1', '2', '3', '4']) {
    await publish(server, hello(version));
    isWell(t, await root.update(), version);
    t.equal((await versions(root))[0], version);
  }
  await yankHello(server, '4');
  isWell(t, await root.update(), 'yank');
  t.equal((await versions(root))[0], '3');
});

void t.test('a machine can be pinned to one InRelease', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const inRelease = await download(server, '/apt/main/dists/stable/InRelease');
  const digest = createHash('sha256').update(inRelease).digest('hex');
  const root = aptRoot(t);
  await writeFile(join(root.dir, 'etc/apt/main.gpg'), await download(server, '/keys/main.gpg'));
  // apt reads the option in lines of one-line style only, whatever sources.list(5) says.
  await writeFile(
    join(root.dir, 'etc/apt/sources.list.d/main.list'),
    `deb [signed-by=${root.dir}/etc/apt/main.gpg inrelease-path=by-hash/SHA256/${digest}] ${server.url}/apt/main stable main\n`,
  );
  await publish(server, hello('2.0'));
  await yankHello(server, '1.0');
  isWell(t, await root.update(), 'update');
  isWell(t, await root.apt('install', 'hello'), 'install');
  t.same(await root.installed(), ['hello 1.0 amd64']);
});

void t.test('a machine can be pinned to a snapshot', { skip }, async (t) => {
  let now = Date.now();
  const server = await startInProcess(t, { clock: { now: () => now } });
  now -= 400 * 86_400_000;
  await publish(server, hello('1.0'));
  now += 400 * 86_400_000;
  await publish(server, hello('2.0'));
  const root = await aptMachine(t, server, (sources) => sources.replace(/^URIs: .*$/m, '$&/snapshots/2'));
  isWell(t, await root.update(), 'update');
  t.same(await versions(root), ['1.0']);
  isWell(t, await root.apt('install', 'hello'), 'install');
  t.same(await root.installed(), ['hello 1.0 amd64']);
});

void t.test('gpgv accepts what is signed, with the key that is served', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const dir = temporaryDir(t);
  const suite = '/apt/main/dists/stable';
  const save = async (path: string, name: string): Promise<string> => {
    await writeFile(join(dir, name), await download(server, path));
    return join(dir, name);
  };
  const keyring = ['--keyring', await save('/keys/main.gpg', 'main.gpg')];
  const text = join(dir, 'text');
  const inline = await save(`${suite}/InRelease`, 'InRelease');
  const clear = await run('gpgv', [...keyring, '--output', text, inline]);
  t.equal(clear.code, 0, clear.stderr);
  const release = await save(`${suite}/Release`, 'Release');
  const detached = await run('gpgv', [
    ...keyring,
    await save(`${suite}/Release.gpg`, 'Release.gpg'),
    release,
  ]);
  t.equal(detached.code, 0, detached.stderr);
  t.equal(readFileSync(text, 'utf8'), readFileSync(release, 'utf8'), 'both say the same');
  const armored = await save('/keys/main.asc', 'main.asc');
  const dearmored = await run('gpg', ['--dearmor', '--output', join(dir, 'dearmored'), armored]);
  t.equal(dearmored.code, 0, dearmored.stderr);
  t.same(readFileSync(join(dir, 'dearmored')), readFileSync(join(dir, 'main.gpg')));
});

void t.test('a second update transfers nothing', { skip }, async (t) => {
  let now = Date.now() - 3_600_000;
  const server = await startInProcess(t, { clock: { now: () => now } });
  await publish(server, hello('1.0'));
  now += 60_000;
  const root = await aptMachine(t, server);
  t.match((await root.update()).output, /^Get:1 /m);
  const again = await root.update();
  isWell(t, again, 'again');
  t.match(again.output, /^Hit:1 .* InRelease$/m);
  t.notMatch(again.output, /^Get/m);
});

void t.test('several publications of one second are all seen', { skip }, async (t) => {
  let now = Math.floor(Date.now() / 1000) * 1000 - 3_600_000 + 250;
  const server = await startInProcess(t, { clock: { now: () => now } });
  const root = await aptMachine(t, server);
  for (const version of ['1', '2', '3', '4']) {
    await publish(server, hello(version));
    isWell(t, await root.update(), version);
    t.equal((await versions(root))[0], version);
  }
  const shown = (await fetch(`${server.url}/apt/main/dists/stable/InRelease`)).headers.get('last-modified');
  t.equal(Date.parse(shown ?? ''), now - 250, 'no time is shown that has not come yet');
  now += 60_000;
  isWell(t, await root.update(), 'a minute later');
  const other = await aptMachine(t, server);
  isWell(t, await other.update(), 'another machine');
  t.match((await other.update()).output, /^Hit:1 /m, 'which then has nothing to transfer');
  await publish(server, hello('5'));
  isWell(t, await root.update(), '5');
  t.equal((await versions(root))[0], '5');
});

void t.test('a machine whose clock is ahead misses no publication', { skip }, async (t) => {
  let now = Date.now() - 3_600_000;
  const server = await startInProcess(t, { clock: { now: () => now } });
  await publish(server, hello('1'));
  await publish(server, hello('2'));
  const root = await aptMachine(t, server);
  isWell(t, await root.update(), '2');
  const lists = join(root.dir, 'var/lib/apt/lists');
  const inRelease = readdirSync(lists).find((name) => name.endsWith('InRelease'))!;
  // The server publishes in the very second that the machine took for the time of what it has.
  now = Math.max(statSync(join(lists, inRelease)).mtimeMs, now);
  await publish(server, hello('3'));
  isWell(t, await root.update(), '3');
  t.equal((await versions(root))[0], '3');
});

void t.test(
  'a machine that is moved to another suite of the same second takes its lists',
  { skip },
  async (t) => {
    const server = await startInProcess(t);
    await publish(server, hello('1'));
    await publish(server, hello('2'));
    const byHash = onDisk(server, '/apt/main/dists/stable/main/binary-amd64/by-hash/SHA256');
    const second = Math.floor(Date.now() / 1000);
    for (const name of readdirSync(byHash)) utimesSync(join(byHash, name), second, second);
    const root = await aptMachine(t, server);
    isWell(t, await root.update(), 'update');
    // Without the InRelease that the lists came with, apt asks for others by the time of those it has.
    const lists = join(root.dir, 'var/lib/apt/lists');
    for (const name of readdirSync(lists).filter((list) => list.endsWith('InRelease')))
      rmSync(join(lists, name));
    await publish(server, hello('3'));
    for (const name of readdirSync(byHash)) utimesSync(join(byHash, name), second, second);
    isWell(t, await root.update(), 'update');
    t.same(await versions(root), ['3', '2', '1']);
  },
);

void t.test('lists whose download was interrupted go on where it stopped', { skip }, async (t) => {
  const server = await startInProcess(t);
  const description = createHash('sha512').update('seed').digest('base64url').repeat(3);
  for (const version of ['1', '2', '3'])
    await publish(server, hello(version, { Description: description + version }));
  const root = await aptMachine(t, server);
  const path = `/apt/main/dists/stable/main/binary-amd64/Packages.gz`;
  const bytes = await download(server, path);
  const name = `${server.url.replace('http://', '')}${path}`.replaceAll('/', '_');
  const partial = join(root.dir, 'var/lib/apt/lists/partial', name);
  await writeFile(partial, bytes.subarray(0, 100));
  const { mtime } = statSync(onDisk(server, path));
  utimesSync(partial, mtime, mtime);
  const outcome = await root.update('Debug::Acquire::http=true');
  isWell(t, outcome, 'update');
  t.match(outcome.output, /^Range: bytes=100-/m);
  t.match(outcome.output, new RegExp(`^Content-Range: bytes 100-${bytes.length - 1}/${bytes.length}`, 'im'));
  t.same(await versions(root), ['3', '2', '1']);
});

void t.test('a download that was interrupted goes on where it stopped', { skip }, async (t) => {
  const server = await startInProcess(t);
  const data = createHash('sha512').update('seed').digest('hex').repeat(1000);
  await publish(server, { ...hello('1.0'), files: [{ path: 'opt/hello', data }], compression: 'none' });
  const root = await aptMachine(t, server);
  isWell(t, await root.update(), 'update');
  isWell(t, await root.apt('--download-only', 'install', 'hello'), 'download');
  const archives = join(root.dir, 'var/cache/apt/archives');
  const whole = join(archives, 'hello_1.0_amd64.deb');
  const partial = join(archives, 'partial/hello_1.0_amd64.deb');
  const { mtime, size } = statSync(whole);
  copyFileSync(whole, partial);
  truncateSync(partial, 100_000);
  utimesSync(partial, mtime, mtime);
  rmSync(whole);
  const outcome = await root.apt('-o', 'Debug::Acquire::http=true', 'install', 'hello');
  isWell(t, outcome, 'install');
  t.match(outcome.output, /^Range: bytes=100000-/m);
  t.match(outcome.output, new RegExp(`^Content-Range: bytes 100000-${size - 1}/${size}`, 'im'));
  t.equal(root.read('opt/hello'), data);
});

void t.test('many packages come over one connection, whatever their size', { skip }, async (t) => {
  const server = await startInProcess(t);
  const names = Array.from({ length: 40 }, (_, i) => `part${i}`);
  const size = (i: number): number => (i % 10 === 0 ? 3_000_000 : i * 100);
  await Promise.all(
    names.map((name, i) =>
      publish(server, {
        control: { Package: name },
        files: [{ path: `opt/${name}`, data: Buffer.alloc(size(i), i) }],
        compression: 'none',
      }),
    ),
  );
  const root = await aptMachine(t, server);
  isWell(t, await root.update(), 'update');
  isWell(t, await root.apt('install', ...names), 'install');
  t.equal((await root.installed()).length, names.length);
  names.forEach((name, i) => t.equal(statSync(join(root.dir, 'opt', name)).size, size(i)));
});

void t.test('updates in the midst of publications take one generation or another', { skip }, async (t) => {
  const server = await startInProcess(t);
  const ci = keepPublishing((version) => publish(server, hello(`1.${version}`)));
  const seen: number[] = [];
  const root = await aptMachine(t, server);
  for (let i = 0; i < 10; i++) {
    const before = ci.published();
    const machine = i % 2 === 0 ? root : await aptMachine(t, server);
    isWell(t, await machine.update(), `update ${i}`);
    const newest = Number((await versions(machine))[0]?.replace('1.', '') ?? 0);
    t.ok(newest >= before, `${newest} after ${before}`);
    seen.push(newest);
  }
  await ci.stop();
  t.ok(new Set(seen).size > 2, `saw ${seen.join(' ')} of ${ci.published()}`);
});

void t.test('a quiet channel expires unless it is signed again', { skip }, async (t) => {
  let now = Date.now() - 8 * 86_400_000;
  const server = await startInProcess(t, { clock: { now: () => now } });
  await publish(server, hello('1.0'));
  const root = await aptMachine(t, server);
  const expired = await root.update();
  t.equal(expired.code, 100);
  t.match(expired.output, /is expired \(invalid since/);
  now += 8 * 86_400_000;
  t.same(await server.app.publisher.signStale(), ['main/stable']);
  isWell(t, await root.update(), 'signed again');
  t.same(await versions(root), ['1.0']);
});

void t.test('machines pin a channel by its names, and choose components', { skip }, async (t) => {
  const server = await startInProcess(t);
  const settings = { format: 'apt', components: ['main', 'extra'] };
  const put = { method: 'PUT', body: JSON.stringify(settings) };
  t.equal((await server.api('/api/v1/repositories/main/channels/stable', put)).status, 200);
  await publish(server, hello('1.0'));
  const extra = '/api/v1/repositories/main/channels/stable/packages/hello.deb?component=extra';
  const body = new Uint8Array(buildDeb(hello('2.0')));
  t.equal((await server.api(extra, { method: 'PUT', body })).status, 201);
  const both = await aptMachine(t, server);
  isWell(t, await both.update(), 'both components');
  t.same(await versions(both), ['2.0', '1.0']);
  const one = await aptMachine(t, server, (sources) =>
    sources.replace(/^Components: .*$/m, 'Components: main'),
  );
  isWell(t, await one.update(), 'one component');
  t.same(await versions(one), ['1.0']);
  t.match((await both.cache('policy')).output, /release o=main,a=stable,n=stable,l=main,c=extra,b=amd64/);
  await writeFile(
    join(both.dir, 'etc/apt/preferences.d/extra'),
    'Package: *\nPin: release o=main, c=extra\nPin-Priority: -1\n',
  );
  t.match((await both.cache('policy', 'hello')).output, /Candidate: 1\.0$/m);
});

void t.test('a private repository asks for a token, which apt sends as a password', { skip }, async (t) => {
  const server = await startInProcess(t);
  await publish(server, hello('1.0'));
  const root = await aptMachine(t, server);
  const token = await makePrivate(server);
  const refused = await root.update();
  t.equal(refused.code, 100);
  t.match(refused.output, /401 +Unauthorized/);
  await writeFile(
    join(root.dir, 'etc/apt/auth.conf.d/main.conf'),
    `machine ${server.url}/apt/main/\nlogin token\npassword ${token}\n`,
  );
  isWell(t, await root.update(), 'update');
  isWell(t, await root.apt('install', 'hello'), 'install');
  t.same(await root.installed(), ['hello 1.0 amd64']);
});

void t.test(
  'the published tree serves machines as it lies on disk, without the server',
  { skip },
  async (t) => {
    const server = await startInProcess(t);
    await publish(server, hello('1.0'));
    await publish(server, hello('2.0~rc+1'));
    const root = await aptMachine(t, server, (sources) =>
      sources.replace(`URIs: ${server.url}`, `URIs: file:${server.dataDir}/tree`),
    );
    await server.close();
    isWell(t, await root.update(), 'update');
    isWell(t, await root.apt('install', 'hello'), 'install');
    t.same(await root.installed(), ['hello 2.0~rc+1 amd64']);
  },
);

void t.test('a root that was given no sources has no packages', { skip }, async (t) => {
  const root = aptRoot(t);
  isWell(t, await root.update(), 'update');
  t.equal((await root.cache('dumpavail')).output, '');
});
