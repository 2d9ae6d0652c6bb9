/** Everything once with the published tree in a bucket: machines at the server, and at the bucket itself. */
import t, { type Test } from 'tap';
import { checkEverything } from '../../src/registry/fsck.ts';
import { ask, jsonOf } from '../ask.ts';
import { bucketRule } from '../bucket-rule.ts';
import { unlessInstalled } from '../clients.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { startCeph, unlessS3, type Ceph } from '../s3.ts';
import { startInProcess, type InProcess } from '../server.ts';
import { aptMachine, complaints } from './apt-root.ts';
import { byBaseUrl, dnfMachine, complaints as dnfComplaints } from './dnf-root.ts';
import { unlessRoot, type Outcome } from './roots.ts';

t.setTimeout(280_000);
const skip =
  unlessS3() || unlessInstalled('apt-get', 'gpgv', 'dpkg-deb', 'dnf', 'rpm', 'rpmkeys') || unlessRoot;

function isWell(t: Test, outcome: Outcome, what: string): void {
  t.equal(outcome.code, 0, `${what}: ${outcome.output}`);
  t.same(complaints(outcome), [], what);
}

const main = '/api/v1/repositories/main';
const post = (body: object): RequestInit => ({ method: 'POST', body: JSON.stringify(body) });
const put = (body: object): RequestInit => ({ method: 'PUT', body: JSON.stringify(body) });

async function uploadBoth(server: InProcess, name: string, version = '1.0-1'): Promise<void> {
  for (const [channel, { filename, bytes }] of [
    ['stable', debSample(name, { version })],
    ['stable-rpm', rpmSample(name, { version })],
  ] as const)
    await jsonOf(await server.upload(channel, filename, bytes));
}

t.test('a repository in a bucket', { skip }, async (t) => {
  const ceph: Ceph = await startCeph(t, 'forky');
  const store = `${await ceph.bucket({ isPublic: true })}/tree`;
  const base = `${ceph.endpoint}/${store.slice('s3://'.length)}`;
  const server = await startInProcess(t, { settings: { store }, environment: ceph.env });
  await uploadBoth(server, 'hello');
  const apt = await aptMachine(t, server);
  const dnf = await dnfMachine(t, server);

  await t.test('machines install from the server', async (t) => {
    isWell(t, await apt.update(), 'update');
    isWell(t, await apt.apt('install', 'hello'), 'install');
    t.same(await apt.installed(), ['hello 1.0-1 amd64']);
    const installed = await dnf.dnf('install', 'hello');
    t.equal(installed.code, 0, installed.output);
    t.same(dnfComplaints(dnf, installed), []);
    t.same(await dnf.installed(), ['hello-1.0-1.x86_64']);
  });

  await t.test('a file is sent in part, not at all, or without its content', async (t) => {
    const path = '/apt/main/pool/h/hello/hello_1.0-1_amd64.deb';
    const { bytes } = debSample('hello');
    const whole = await ask(server.url, path);
    t.same(whole.body, bytes);
    const etag = String(whole.headers['etag']);
    const head = await ask(server.url, path, { method: 'HEAD' });
    t.match(head, { status: 200, headers: { etag, 'content-length': String(bytes.length) } });
    t.equal(head.body.length, 0);
    t.equal((await ask(server.url, path, { headers: { 'if-none-match': etag } })).status, 304);
    const part = await ask(server.url, path, { headers: { range: 'bytes=100-199', 'if-range': etag } });
    t.equal(part.status, 206);
    t.same(part.body, bytes.subarray(100, 200));
    t.equal((await ask(server.url, `${path}x`)).status, 404);
  });

  await t.test('a large file is sent whole and in parts', async (t) => {
    const content = Array.from({ length: 300_000 }, (_, i) => `${i} ${(i * 7919) % 104_729}\n`).join('');
    const { filename, bytes } = debSample('large', { content });
    t.ok(bytes.length > 200_000);
    await jsonOf(await server.upload('stable', filename, bytes));
    const path = '/apt/main/pool/l/large/large_1.0-1_amd64.deb';
    t.ok((await ask(server.url, path)).body.equals(bytes));
    const from = bytes.length - 100_000;
    const part = await ask(server.url, path, { headers: { range: `bytes=${from}-` } });
    t.ok(part.body.equals(bytes.subarray(from)));
  });

  await t.test('machines install straight from the bucket', async (t) => {
    const fromBucket = await aptMachine(t, server, (sources) => sources.replaceAll(server.url, base));
    const cdn = await bucketRule(t, base);
    const fromCdn = await dnfMachine(t, server, (repo) => byBaseUrl(repo).replaceAll(server.url, cdn));
    isWell(t, await fromBucket.update(), 'update');
    isWell(t, await fromBucket.apt('install', 'hello'), 'install');
    t.same(await fromBucket.installed(), ['hello 1.0-1 amd64']);
    const installed = await fromCdn.dnf('install', 'hello');
    t.equal(installed.code, 0, installed.output);
    t.same(await fromCdn.installed(), ['hello-1.0-1.x86_64']);
    const plainNames = await aptMachine(t, server, (sources) => sources.replaceAll(server.url, base));
    isWell(t, await plainNames.update('Acquire::By-Hash=no'), 'update by plain names');
    isWell(t, await plainNames.apt('install', 'hello'), 'install by plain names');
    const answer = await ask(base, `${new URL(base).pathname}/apt/main/dists/stable/InRelease`);
    t.match(answer.headers, { 'cache-control': 'no-cache', 'content-type': 'text/plain; charset=utf-8' });
    const plain = await ask(base, `${new URL(base).pathname}/apt/main/pool/h/hello/hello_1.0-1_amd64.deb`);
    t.match(plain.headers, { 'cache-control': 'public, max-age=31536000, immutable' });
  });

  await t.test('machines install from a bucket that it was exported to, which has no rule', async (t) => {
    const to = `${await ceph.bucket({ isPublic: true })}/mirror`;
    const url = `${ceph.endpoint}/${to.slice('s3://'.length)}`;
    const run = async (): Promise<string> => {
      const args = ['export', 'main', '--data', server.dataDir, '--to', to, '--url', url];
      const { code, stdout, stderr } = await runCommand(args, { ...ceph.env, ENTREPOT_STORE: store });
      t.equal(code, 0, stderr);
      return stdout;
    };
    t.match(await run(), /^\d\d+ files copied, 0 there already, 0 removed/);
    t.match(
      await run(),
      /^0 files copied, \d\d+ there already, 0 removed/,
      'the second time only what changed',
    );
    const mirrored = { ...server, url };
    const fromMirror = await aptMachine(t, mirrored);
    isWell(t, await fromMirror.update(), 'update');
    isWell(t, await fromMirror.apt('install', 'hello'), 'install');
    const rpms = await dnfMachine(t, mirrored, byBaseUrl);
    const installed = await rpms.dnf('install', 'hello');
    t.equal(installed.code, 0, installed.output);
    t.same(await rpms.installed(), ['hello-1.0-1.x86_64']);
  });

  await t.test('promote, roll back, collect, check', async (t) => {
    await uploadBoth(server, 'hello', '2.0-1');
    await jsonOf(await server.api(`${main}/channels/production`, put({ format: 'apt' })));
    await jsonOf(await server.api(`${main}/promotions`, post({ from: 'stable', to: 'production' })));
    const promoted = (
      await ask(server.url, '/apt/main/dists/production/main/binary-amd64/Packages')
    ).body.toString();
    t.match(promoted, /Version: 2\.0-1/);
    await jsonOf(await server.api(`${main}/channels/stable/rollback`, post({ generation: 2, force: true })));
    const rolled = (
      await ask(server.url, '/apt/main/dists/stable/main/binary-amd64/Packages')
    ).body.toString();
    t.notMatch(rolled, /Version: 2\.0-1/);
    t.match(rolled, /Version: 1\.0-1/);
    await jsonOf(await server.api('/api/v1/collections', post({ dryRun: false })));
    t.same(await Array.fromAsync(checkEverything(server.app, { alone: true })), []);
    const checked = await runCommand(['fsck', '--data', server.dataDir], {
      ...ceph.env,
      ENTREPOT_STORE: store,
    });
    t.same(checked, { code: 0, stdout: 'clean\n', stderr: '' });
    isWell(t, await apt.update(), 'update');
  });

  await t.test('a file that is gone is found missing', async (t) => {
    await server.app.store.delete('apt/main/pool/l/large/large_1.0-1_amd64.deb');
    t.match(await Array.fromAsync(checkEverything(server.app, { alone: true })), [
      { key: 'apt/main/pool/l/large/large_1.0-1_amd64.deb', problem: 'missing' },
    ]);
  });
});

t.test('what nothing needs any more is collected from a bucket', { skip: unlessS3() }, async (t) => {
  const ceph = await startCeph(t, 'bookworm');
  const store = await ceph.bucket();
  const clock = fakeClock();
  const settings = { store, grace_days: 0, staged_days: 0 };
  const server = await startInProcess(t, { clock, settings, environment: ceph.env });
  for (let i = 1; i <= 6; i++) {
    await uploadBoth(server, 'hello', `1.0-${i}`);
    clock.advance(3_600_000);
  }
  const keys = async (): Promise<number> =>
    (await Array.fromAsync(server.app.store.list(''))).filter(({ kind }) => kind === 'file').length;
  const before = await keys();
  // The store's own time is that of today: what is to be old by the clock has to be older than that.
  clock.advance(Math.max(0, Date.now() - clock.now()) + 8 * 3_600_000);
  for (let i = 0; i < 2; i++) {
    await jsonOf(await server.api('/api/v1/collections', post({ dryRun: false })));
    clock.advance(2 * 3_600_000);
  }
  t.ok((await keys()) < before, 'generations went');
  t.same(await Array.fromAsync(checkEverything(server.app, { alone: true })), []);
});

t.test('packages are redirected to a CDN where the settings say so', { skip: unlessS3() }, async (t) => {
  const ceph = await startCeph(t, 'bookworm');
  const store = `${await ceph.bucket()}/tree`;
  const settings = { store, redirect_packages: 'https://cdn.example/packages/' };
  const server = await startInProcess(t, { settings, environment: ceph.env });
  await uploadBoth(server, 'hello+world');
  const deb = '/apt/main/pool/h/hello%2bworld/hello+world_1.0-1_amd64.deb';
  const rpm = '/yum/main/stable-rpm/packages/h/hello+world-1.0-1.x86_64.rpm';
  t.match(await ask(server.url, deb), {
    status: 302,
    headers: {
      location: 'https://cdn.example/packages/apt/main/pool/h/hello%2Bworld/hello%2Bworld_1.0-1_amd64.deb',
      'cache-control': 'no-store',
    },
  });
  t.match(await ask(server.url, rpm), {
    status: 302,
    headers: { location: 'https://cdn.example/packages/yum/main/pool/h/hello%2Bworld-1.0-1.x86_64.rpm' },
  });
  t.equal((await ask(server.url, deb, { method: 'HEAD' })).status, 200, 'a presigned URL would refuse it');
  t.equal((await ask(server.url, '/apt/main/dists/stable/InRelease')).status, 200, 'no index and no pointer');
  await jsonOf(await server.api(main, put({ visibility: 'private' })));
  const token = { authorization: 'Bearer admin-token-of-the-tests' };
  t.equal((await ask(server.url, deb, { headers: token })).status, 200, 'a private one stays here');
});
