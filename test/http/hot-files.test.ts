/** What is sent from memory is what is sent from the store, and never what was published before. */
import {
  copyFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { ask, jsonOf, type Answer, type Asking } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { releaseFields, releaseFiles } from '../served.ts';
import { startInProcess } from '../server.ts';

const clock = fakeClock(Math.ceil(Date.now() / 1000) * 1000 + 60_000);
const server = await startInProcess(t, { clock });
// One connection, as a client has: half of a pair is kept for who asked for the other.
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
t.teardown(() => agent.destroy());
const get = (path: string, asking: Asking = {}): Promise<Answer> =>
  ask(server.url, path, { agent, ...asking });
const getWith = (path: string, headers: Record<string, string>): Promise<Answer> => get(path, { headers });

let next = 0;
async function publish(): Promise<void> {
  for (const [channel, sample] of [
    ['stable', debSample],
    ['stable-rpm', rpmSample],
  ] as const) {
    const { filename, bytes } = sample(`package-${next++}`);
    await jsonOf(await server.upload(channel, filename, bytes));
  }
  clock.advance(10_000);
}
await publish();

/** Served from memory, as far as can be told from outside: no store is asked. */
async function isHot(path: string, asking: Asking = {}): Promise<boolean> {
  const { store } = server.app;
  const open = store.open.bind(store);
  let opened = 0;
  store.open = async (key) => {
    opened++;
    return await open(key);
  };
  try {
    await get(path, asking);
  } finally {
    store.open = open;
  }
  return opened === 0;
}

const inRelease = '/apt/main/dists/stable/InRelease';
const repomd = '/yum/main/stable-rpm/repodata/repomd.xml';

async function paths(): Promise<string[]> {
  const files = releaseFiles(releaseFields((await get(inRelease)).body.toString()));
  const digest = files.get('main/binary-amd64/Packages.gz')?.sha256 ?? '';
  return [
    inRelease,
    `/apt/main/dists/stable/main/binary-amd64/by-hash/SHA256/${digest}`,
    '/apt/main/dists/stable/main/binary-amd64/Packages.gz',
    repomd,
    '/yum/main/stable-rpm/generations/2/repodata/repomd.xml',
    '/keys/main.asc',
    '/setup/main/stable.sources',
  ];
}

/** Makes another file of the one that a path shows, with the same bytes and the same time. */
function touch(path: string): void {
  const file = realpathSync(join(server.dataDir, 'tree', path));
  const { atime, mtime } = statSync(file);
  copyFileSync(file, `${file}.copy`);
  utimesSync(`${file}.copy`, atime, mtime);
  renameSync(`${file}.copy`, file);
}

/** All but what is another one with each answer. */
function without({ status, headers, body }: Answer): Answer {
  const { date, 'x-request-id': id, ...same } = headers;
  t.ok(date);
  t.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
  return { status, headers: same, body };
}

t.test('the same answers as from the store', async (t) => {
  for (const path of await paths()) {
    const { etag = '', 'last-modified': time = '' } = (await get(path)).headers;
    for (const headers of [
      {},
      { 'if-none-match': etag },
      { 'if-none-match': '"other"' },
      { 'if-modified-since': time },
    ]) {
      // As if something had changed.
      touch(path);
      const cold = without(await getWith(path, headers));
      t.ok(await isHot(path, { headers }), `${path} is in memory`);
      t.same(without(await getWith(path, headers)), cold, `${path} ${JSON.stringify(headers)}`);
    }
    const head = without(await get(path, { method: 'HEAD' }));
    t.equal(head.body.length, 0);
    t.equal(head.headers['content-length'], (await get(path)).headers['content-length']);
  }
});

t.test('never what was published before', async (t) => {
  for (const path of [inRelease, repomd]) {
    const seen = new Set<string>();
    for (let i = 0; i < 5; i++) {
      await publish();
      const first = (await get(path)).body.toString();
      t.equal((await get(path)).body.toString(), first);
      t.notOk(seen.has(first), 'it is the one of this publication');
      seen.add(first);
    }
    const { etag = '' } = (await get(path)).headers;
    t.equal((await getWith(path, { 'if-none-match': etag })).status, 304);
    await publish();
    t.equal((await getWith(path, { 'if-none-match': etag })).status, 200);
  }
});

t.test('what somebody else writes is seen at once', async (t) => {
  await publish();
  const file = realpathSync(join(server.dataDir, 'tree', inRelease));
  const { body } = await get(inRelease);
  t.ok(await isHot(inRelease));
  for (const byte of [65, 66, 67]) {
    const other = Buffer.from(body);
    other[0] = byte;
    writeFileSync(file, other);
    t.same((await get(inRelease)).body, other);
  }
  writeFileSync(file, body);
});

t.test('a file that was opened before a publication is not kept', async (t) => {
  const { store } = server.app;
  const open = store.open.bind(store);
  await publish();
  store.open = async (key) => {
    const file = await open(key);
    if (`/${key}` === inRelease) {
      store.open = open;
      await publish();
    }
    return file;
  };
  const old = (await get(inRelease)).body.toString();
  t.not((await get(inRelease)).body.toString(), old);
});

t.test('a name that leads in a circle is no file any more, and ends nothing', async (t) => {
  const path = '/setup/main/stable.sources';
  const file = join(server.dataDir, 'tree', path);
  const { body } = await get(path);
  t.ok(await isHot(path));
  rmSync(file);
  symlinkSync('stable.sources', file);
  t.equal((await get(path)).status, 404);
  rmSync(file);
  writeFileSync(file, body);
  t.same((await get(path)).body, body);
});

t.test('what follows a question mark is not kept', async (t) => {
  await get(`${inRelease}?1`);
  t.notOk(await isHot(`${inRelease}?1`));
});

t.test('parts of files, packages and signatures come from the store', async (t) => {
  const { filename, bytes } = debSample('other');
  await jsonOf(await server.upload('stable', filename, bytes));
  for (const path of [
    `/apt/main/pool/o/other/${filename}`,
    `${repomd}.asc`,
    '/apt/main/dists/stable/Release.gpg',
  ]) {
    t.equal((await get(path)).status, 200, path);
    t.notOk(await isHot(path), path);
  }
  const [, index = ''] = await paths();
  await get(index);
  for (const make of [touch, () => undefined]) {
    make(index);
    const part = await getWith(index, { range: 'bytes=5-19' });
    t.equal(part.status, 206);
    t.same(part.body, (await get(index)).body.subarray(5, 20));
  }
  t.ok(await isHot(index));
});

t.test('what is made private is not sent from memory any more', async (t) => {
  await get(inRelease);
  t.ok(await isHot(inRelease));
  await server.api('/api/v1/repositories/main', {
    method: 'PUT',
    body: JSON.stringify({ visibility: 'private' }),
  });
  t.equal((await get(inRelease)).status, 401);
});
