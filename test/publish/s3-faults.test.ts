/** Whatever an object store does, machines find a whole state, uploads are told the truth, and it goes on by itself. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { kill } from 'node:process';
import t, { type Test } from 'tap';
import { checkEverything } from '../../src/registry/fsck.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { faultyProxy, type Fate } from '../faulty-proxy.ts';
import { debSample, rpmSample } from '../packages.ts';
import { startCeph, unlessS3 } from '../s3.ts';
import { readApt, readFrom, readPackage, readYum } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';

t.setTimeout(500_000);
const skip = unlessS3();

const formats = [
  { channel: 'stable', sample: debSample, read: readApt, document: 'dists/stable/InRelease' },
  { channel: 'stable-rpm', sample: rpmSample, read: readYum, document: 'stable-rpm/repodata/repomd.xml' },
] as const;

/** The names of what machines find in a channel, every file of which is held against what names it. */
async function found(server: InProcess, { channel, read }: (typeof formats)[number]): Promise<string[]> {
  const from = readFrom(server.url);
  const packages = await read(from, 'main', channel);
  for (const entry of packages) await readPackage(from, entry);
  return packages.map(({ name }) => name).sort();
}

/** As the minute's look at what failed does it; nothing else is done by hand. */
async function isSound(t: Test, server: InProcess): Promise<void> {
  await server.app.publisher.showUnshown();
  t.same(await Array.fromAsync(checkEverything(server.app, { alone: true })), [], 'fsck finds nothing');
}

const settings = { store_timeout: 0.5 };

for (const fate of ['refuse', 'lose'] as const)
  t.test(`every write of a publication fails once and for good (${fate})`, { skip }, async (t) => {
    const ceph = await startCeph(t, fate === 'refuse' ? 'bookworm' : 'forky');
    const proxy = await faultyProxy(t, ceph.endpoint);
    const environment = { ...ceph.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
    const store = await ceph.bucket();
    const server = await startInProcess(t, { settings: { ...settings, store }, environment });
    for (const format of formats) {
      const { channel, sample } = format;
      const names: string[] = [];
      for (let step = 0, reached = true; reached; step++) {
        reached = false;
        let seen = 0;
        let broken: string | null = null;
        proxy.fate = (method, path): Fate => {
          if (method !== 'PUT') return 'pass';
          if (broken === null && seen++ === step) {
            broken = path;
            reached = true;
          }
          // Every attempt at the same object.
          return path === broken ? fate : 'pass';
        };
        const name = `package-${step}`;
        const { filename, bytes } = sample(name);
        const answer = await server.upload(channel, filename, bytes);
        if (answer.status === 503) t.match(await problemOf(answer), { code: 'store_unavailable' });
        else t.equal(answer.status, 201, `step ${step}: ${await answer.text()}`);
        const during = await found(server, format);
        const isThere = during.includes(name);
        t.same(
          during,
          [...names, ...(isThere ? [name] : [])].sort(),
          `step ${step} (${String(broken)}): whole`,
        );
        if (answer.status === 201) t.ok(isThere, 'what was acknowledged is there');
        proxy.fate = () => 'pass';
        if (answer.status !== 201) {
          const again = await jsonOf<{ status: string }>(await server.upload(channel, filename, bytes));
          t.match(again.status, /^(created|unchanged)$/);
        }
        names.push(name);
        t.same(await found(server, format), [...names].sort(), 'and goes in');
      }
      t.ok(names.length > 8, `${names.length - 1} writes`);
    }
    await isSound(t, server);
  });

t.test('a single failure is not noticed', { skip }, async (t) => {
  const ceph = await startCeph(t, 'bookworm');
  const proxy = await faultyProxy(t, ceph.endpoint);
  const environment = { ...ceph.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
  const server = await startInProcess(t, {
    settings: { ...settings, store: await ceph.bucket() },
    environment,
  });
  const met = new Set<string>();
  let failures = 0;
  proxy.fate = (method, path) => {
    // Each request fails the first time, by turns in the two ways.
    if (met.has(method + path)) return 'pass';
    met.add(method + path);
    return failures++ % 2 === 0 ? 'refuse' : 'lose';
  };
  for (const format of formats) {
    const { filename, bytes } = format.sample('hello');
    await jsonOf(await server.upload(format.channel, filename, bytes));
    t.same(await found(server, format), ['hello']);
  }
  t.ok(failures > 40, `${failures} failures`);
  await isSound(t, server);
});

t.test('what is carried out long after it was given up changes nothing', { skip }, async (t) => {
  const ceph = await startCeph(t, 'bookworm');
  const proxy = await faultyProxy(t, ceph.endpoint);
  const environment = { ...ceph.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
  const server = await startInProcess(t, {
    settings: { ...settings, store: await ceph.bucket() },
    environment,
  });
  for (const format of formats) {
    const { filename, bytes } = format.sample('first');
    proxy.fate = (method, path) => (method === 'PUT' && path.endsWith(format.document) ? 'hold' : 'pass');
    t.equal((await server.upload(format.channel, filename, bytes)).status, 503);
    proxy.fate = () => 'pass';
    const second = format.sample('second');
    await jsonOf(await server.upload(format.channel, filename, bytes));
    await jsonOf(await server.upload(format.channel, second.filename, second.bytes));
    const late = await proxy.release();
    t.ok(late.length >= 4, 'every attempt at the pointer was held');
    t.ok(
      late.every((status) => status === 412 || status === 409),
      late.join(),
    );
    t.same(await found(server, format), ['first', 'second']);
  }
  await isSound(t, server);
});

t.test('a download that stands still, or breaks off, is taken up where it was', { skip }, async (t) => {
  const ceph = await startCeph(t, 'bookworm');
  const proxy = await faultyProxy(t, ceph.endpoint);
  const environment = { ...ceph.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
  const server = await startInProcess(t, {
    settings: { ...settings, store: await ceph.bucket() },
    environment,
  });
  const content = randomBytes(3 * 2 ** 20);
  await server.app.store.putImmutable('apt/main/pool/l/large.deb', [content]);
  let downloads = 0;
  // The first request has what is read at once; the next three are those for the rest.
  proxy.fate = (method) => {
    if (method !== 'GET') return 'pass';
    downloads += 1;
    return downloads > 1 && downloads < 5 ? 'stall' : 'pass';
  };
  const answer = await fetch(`${server.url}/apt/main/pool/l/large.deb`);
  t.ok(Buffer.from(await answer.arrayBuffer()).equals(content));
  t.equal(downloads, 5);
});

t.test('the gateway stands still, is killed, comes back', { skip }, async (t) => {
  const ceph = await startCeph(t, 'bookworm');
  const server = await startInProcess(t, {
    settings: { ...settings, store: await ceph.bucket() },
    environment: ceph.env,
  });
  const names: string[] = [];
  const uploadAll = async (name: string): Promise<number[]> =>
    await Promise.all(
      formats.map(async ({ channel, sample }) => {
        const { filename, bytes } = sample(name);
        const answer = await server.upload(channel, filename, bytes);
        if (answer.status === 503) {
          t.match(await problemOf(answer), { code: 'store_unavailable' });
          t.ok(Number(answer.headers.get('retry-after')) > 0);
        }
        return answer.status;
      }),
    );
  const goesIn = async (name: string): Promise<void> => {
    for (const status of await uploadAll(name)) t.match(String(status), /^20[01]$/);
    names.push(name);
    for (const format of formats) t.same(await found(server, format), [...names].sort());
  };
  await goesIn('before');
  kill(ceph.gatewayPid(), 'SIGSTOP');
  t.same(await uploadAll('stopped'), [503, 503], 'refused in time');
  t.equal((await fetch(`${server.url}/healthz`)).status, 200, 'the server runs on');
  t.equal((await fetch(`${server.url}/apt/main/dists/stable/InRelease`)).status, 503);
  kill(ceph.gatewayPid(), 'SIGCONT');
  await goesIn('stopped');
  kill(ceph.gatewayPid(), 'SIGKILL');
  t.same(await uploadAll('killed'), [503, 503]);
  await ceph.start();
  await goesIn('killed');
  await isSound(t, server);
});

t.test('the store is full', { skip }, async (t) => {
  const ceph = await startCeph(t, 'bookworm');
  const server = await startInProcess(t, {
    settings: { ...settings, store: await ceph.bucket() },
    environment: ceph.env,
  });
  const [apt] = formats;
  const small = apt.sample('small');
  await jsonOf(await server.upload('stable', small.filename, small.bytes));
  const quota = async (...args: string[]): Promise<void> => {
    const all = ['-c', `${ceph.stateDir}/ceph.conf`, '-n', 'client.rgw', 'quota', ...args];
    const admin = spawn('radosgw-admin', [...all, '--quota-scope=user', '--uid=test'], { stdio: 'ignore' });
    const [code] = (await once(admin, 'close')) as [number | null];
    t.equal(code, 0);
  };
  await quota('set', '--max-size=1');
  await quota('enable');
  const { filename, bytes } = apt.sample('refused');
  const answer = await server.upload('stable', filename, bytes);
  t.equal(answer.status, 507);
  t.match(await problemOf(answer), { code: 'store_full' });
  t.same(await found(server, apt), ['small']);
  await quota('disable');
  await jsonOf(await server.upload('stable', filename, bytes));
  t.same(await found(server, apt), ['refused', 'small']);
  await isSound(t, server);
});
