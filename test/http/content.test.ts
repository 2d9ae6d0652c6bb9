/** What clients read, byte by byte and header by header. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { ask, jsonOf, type Answer, type Asking } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { releaseFields, releaseFiles, sha256 } from '../served.ts';
import { startInProcess } from '../server.ts';

// Ahead of the real one, which the times of files that never change come from.
const clock = fakeClock(Math.ceil(Date.now() / 1000) * 1000 + 60_000);
const server = await startInProcess(t, { clock });
const get = (path: string, asking?: Asking): Promise<Answer> => ask(server.url, path, asking);
const getWith = (path: string, headers: Record<string, string>): Promise<Answer> => get(path, { headers });

const { filename, bytes } = debSample('content', { content: 'x'.repeat(5000) });
await jsonOf<Receipt>(await server.upload('stable', filename, bytes));
const pool = `/apt/main/pool/c/content/${filename}`;
const rpm = rpmSample('content');
await jsonOf<Receipt>(await server.upload('stable-rpm', rpm.filename, rpm.bytes));
const inRelease = '/apt/main/dists/stable/InRelease';
// Two generations so far, and the second one's time was moved on by a second.
clock.advance(10_000);

/** The path of an index below its channel, by its digest in Release. */
async function byHash(path: string): Promise<string> {
  const files = releaseFiles(releaseFields((await get(inRelease)).body.toString()));
  const folder = path.slice(0, path.lastIndexOf('/'));
  return `/apt/main/dists/stable/${folder}/by-hash/SHA256/${files.get(path)?.sha256 ?? ''}`;
}

t.test('files that never change may be kept for ever', async (t) => {
  for (const path of [
    pool,
    await byHash('main/binary-amd64/Packages.gz'),
    '/yum/main/pool/c/content-1.0-1.x86_64.rpm',
    '/yum/main/stable-rpm/packages/c/content-1.0-1.x86_64.rpm',
    '/yum/main/stable-rpm/generations/2/repodata/repomd.xml',
    '/yum/main/stable-rpm/generations/2/packages/c/content-1.0-1.x86_64.rpm',
  ]) {
    const answer = await get(path);
    t.equal(answer.status, 200, path);
    t.match(answer.headers, {
      'cache-control': 'public, max-age=31536000, immutable',
      etag: /^"[!#-~]+"$/,
      'accept-ranges': 'bytes',
      'content-length': String(answer.body.length),
      'x-content-type-options': 'nosniff',
    });
  }
  t.same((await get(pool)).body, bytes);
});

t.test('pointers are asked for again each time', async (t) => {
  for (const path of [
    inRelease,
    '/apt/main/dists/stable/Release',
    '/apt/main/dists/stable/Release.gpg',
    '/apt/main/dists/stable/main/binary-amd64/Packages.gz',
    '/yum/main/stable-rpm/repodata/repomd.xml',
    '/yum/main/stable-rpm/repodata/repomd.xml.asc',
    '/yum/main/stable-rpm/metalink',
    '/keys/main.asc',
    '/setup/main/stable.sources',
  ]) {
    const answer = await getWith(path, { range: 'bytes=0-9' });
    t.equal(answer.status, 200, `${path} is not served in parts`);
    t.match(answer.headers, { 'cache-control': 'no-cache', etag: /^"/, 'last-modified': /GMT$/ }, path);
    t.notMatch(answer.headers['accept-ranges'], 'bytes');
  }
});

t.test('media types are what a browser and a proxy expect', async (t) => {
  for (const [path, type] of [
    [inRelease, 'text/plain; charset=utf-8'],
    ['/apt/main/dists/stable/Release.gpg', 'application/pgp-signature'],
    ['/apt/main/dists/stable/main/binary-amd64/Packages', 'text/plain; charset=utf-8'],
    ['/apt/main/dists/stable/main/binary-amd64/Packages.gz', 'application/gzip'],
    [pool, 'application/vnd.debian.binary-package'],
    ['/yum/main/pool/c/content-1.0-1.x86_64.rpm', 'application/x-rpm'],
    ['/yum/main/stable-rpm/repodata/repomd.xml', 'application/xml'],
    ['/yum/main/stable-rpm/repodata/repomd.xml.asc', 'application/pgp-signature'],
    ['/yum/main/stable-rpm/metalink', 'application/metalink+xml'],
    ['/keys/main.asc', 'application/pgp-keys'],
    ['/keys/main.gpg', 'application/pgp-keys'],
    ['/setup/main/stable.sources', 'text/plain; charset=utf-8'],
    ['/setup/main/stable.sh', 'text/plain; charset=utf-8'],
    ['/setup/main/stable-rpm.repo', 'text/plain; charset=utf-8'],
  ] as const)
    t.equal((await get(path)).headers['content-type'], type, path);
});

t.test('nothing is ever compressed on its way', async (t) => {
  for (const path of [inRelease, pool, '/apt/main/dists/stable/main/binary-amd64/Packages']) {
    const answer = await getWith(path, { 'accept-encoding': 'gzip, br, zstd' });
    t.equal(answer.headers['content-encoding'], undefined, path);
    t.same(answer.body, (await get(path)).body);
  }
});

t.test('HEAD says what GET would, and sends nothing', async (t) => {
  for (const path of [inRelease, pool, '/apt/main/dists/stable/main/binary-amd64/Packages', '/nowhere']) {
    for (const headers of [{}, { range: 'bytes=0-9' }, { range: 'bytes=999999-' }]) {
      const [head, whole] = await Promise.all([
        get(path, { method: 'HEAD', headers }),
        get(path, { headers }),
      ]);
      t.equal(head.status, whole.status, path);
      t.equal(head.body.length, 0);
      for (const name of ['etag', 'last-modified', 'cache-control', 'content-type', 'content-range'])
        t.equal(head.headers[name], whole.headers[name], `${path} ${name}`);
      if (whole.status < 300 && !path.endsWith('/Packages'))
        t.equal(head.headers['content-length'], whole.headers['content-length'], path);
    }
  }
});

t.test('what a client has already is not sent again', async (t) => {
  for (const path of [pool, inRelease, '/apt/main/dists/stable/main/binary-amd64/Packages']) {
    const { etag = '', 'last-modified': time = '' } = (await get(path)).headers;
    for (const [headers, status] of [
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': `"other", W/${etag}` }, 304],
      [{ 'if-none-match': '*' }, 304],
      [{ 'if-none-match': '"other"' }, 200],
      [{ 'if-none-match': etag.replaceAll('"', '') }, 200],
      [{ 'if-modified-since': time }, 304],
      [{ 'if-none-match': '"other"', 'if-modified-since': time }, 200],
      [{ 'if-modified-since': new Date(Date.parse(time) - 1000).toUTCString() }, 200],
      [{ 'if-modified-since': new Date(Date.parse(time) + 1000).toUTCString() }, 200],
      [{ 'if-modified-since': 'yesterday' }, 200],
    ] as const) {
      const answer = await getWith(path, headers);
      t.equal(answer.status, status, `${path} ${JSON.stringify(headers)}`);
      if (status !== 304) continue;
      t.equal(answer.body.length, 0);
      t.equal(answer.headers.etag, etag);
      t.ok(answer.headers['cache-control']);
    }
  }
});

t.test('two generations of one second are never taken for each other', async (t) => {
  clock.advance(60_000);
  const upload = async (name: string): Promise<void> => {
    const sample = debSample(name);
    await jsonOf(await server.upload('stable', sample.filename, sample.bytes));
  };
  await upload('second-a');
  const first = await get(inRelease);
  const seen = first.headers['last-modified'] ?? '';
  t.equal(Date.parse(seen), clock.now());
  const tags = new Set([first.headers.etag]);
  for (const name of ['second-b', 'second-c', 'second-d']) {
    await upload(name);
    const answer = await getWith(inRelease, { 'if-modified-since': seen });
    t.equal(answer.status, 200, 'the very second that was seen does not count');
    t.notSame(answer.body, first.body);
    tags.add(answer.headers.etag);
    const shown = answer.headers['last-modified'];
    t.ok(shown === undefined || Date.parse(shown) <= clock.now(), 'never ahead of the clock');
    if (shown !== undefined)
      t.equal(
        (await getWith(inRelease, { 'if-modified-since': shown })).status,
        200,
        'and what is shown while it is ahead of the clock is not the time of any content',
      );
  }
  t.equal(tags.size, 4);
  clock.advance(10_000);
  const settled = await get(inRelease);
  const time = settled.headers['last-modified'] ?? '';
  t.ok(Date.parse(time) > Date.parse(seen));
  t.equal((await getWith(inRelease, { 'if-modified-since': time })).status, 304);
});

async function ranges(t: Test, path: string, whole: Buffer): Promise<void> {
  const size = whole.length;
  const last = size - 1;
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 0],
    ['bytes=0-99', 0, 99],
    ['bytes=100-', 100, last],
    [`bytes=${last}-${last}`, last, last],
    [`bytes=10-${size + 1000}`, 10, last],
    ['bytes=-1', last, last],
    ['bytes=-100', size - 100, last],
    [`bytes=-${size + 1000}`, 0, last],
  ] as const) {
    const answer = await getWith(path, { range });
    t.equal(answer.status, 206, range);
    t.equal(answer.headers['content-range'], `bytes ${start}-${end}/${size}`);
    t.equal(answer.headers['content-length'], String(end - start + 1));
    t.same(answer.body, whole.subarray(start, end + 1));
  }
}

t.test('a package can be fetched in parts', async (t) => {
  await ranges(t, pool, bytes);
});

t.test('a part that is not there is refused with the size', async (t) => {
  for (const range of [`bytes=${bytes.length}-`, 'bytes=99999999999-99999999999', 'bytes=-0']) {
    const answer = await getWith(pool, { range });
    t.equal(answer.status, 416, range);
    t.equal(answer.headers['content-range'], `bytes */${bytes.length}`);
    t.equal(answer.body.length, 0);
  }
});

t.test('what is no range, or several, is answered whole', async (t) => {
  for (const range of [
    'bytes=0-1,5-6',
    'bytes=5-4',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'lines=0-5',
    'bytes 0-5',
    '0-5',
  ]) {
    const answer = await getWith(pool, { range });
    t.equal(answer.status, 200, range);
    t.same(answer.body, bytes);
  }
  const many = `bytes=${Array.from({ length: 1000 }, (_, i) => `${i}-${i}`).join(',')}`;
  t.same((await getWith(pool, { range: many })).body, bytes);
});

t.test('an interrupted download goes on only with the same content', async (t) => {
  const { etag = '', 'last-modified': time = '' } = (await get(pool)).headers;
  for (const [condition, status] of [
    [etag, 206],
    [time, 206],
    ['"other"', 200],
    [`W/${etag}`, 200],
    [new Date(Date.parse(time) - 1000).toUTCString(), 200],
    [new Date(Date.parse(time) + 1000).toUTCString(), 200],
    ['yesterday', 200],
  ] as const) {
    const answer = await getWith(pool, { range: 'bytes=100-199', 'if-range': condition });
    t.equal(answer.status, status, condition);
    t.same(answer.body, status === 206 ? bytes.subarray(100, 200) : bytes);
  }
});

t.test('the plain form of an index is what Release says of it', async (t) => {
  const files = releaseFiles(releaseFields((await get(inRelease)).body.toString()));
  for (const architecture of ['amd64', 'arm64', 'all']) {
    const path = `main/binary-${architecture}/Packages`;
    const plain = await get(`/apt/main/dists/stable/${path}`);
    t.equal(plain.status, 200);
    t.match(files.get(path), { sha256: sha256(plain.body), sizeBytes: plain.body.length }, path);
    t.same((await get(await byHash(path))).body, plain.body, 'also by its digest');
    const packed = await get(`/apt/main/dists/stable/${path}.gz`);
    t.match(files.get(`${path}.gz`), { sha256: sha256(packed.body), sizeBytes: packed.body.length });
    t.not(plain.headers.etag, packed.headers.etag);
  }
});

t.test('the signs of versions work in every spelling', async (t) => {
  const deb = debSample('signs', { version: '1.0~rc1+b2-1' });
  await jsonOf(await server.upload('stable', deb.filename, deb.bytes));
  const signed = rpmSample('signs++', { version: '1.0~rc1^git2+b3-1' });
  const receipt = await jsonOf<Receipt>(await server.upload('stable-rpm', signed.filename, signed.bytes));
  const served = (await get(new URL(receipt.url).pathname)).body;
  for (const [path, expected] of [
    ['/apt/main/pool/s/signs/signs_1.0~rc1+b2-1_amd64.deb', deb.bytes],
    ['/apt/main/pool/s/signs/signs_1.0%7erc1%2bb2-1_amd64.deb', deb.bytes],
    ['/apt/main/pool/s/signs/signs_1.0%7Erc1%2Bb2-1_amd64.deb', deb.bytes],
    ['/apt/main/pool/s/signs/signs%5F1.0~rc1%2bb2%2D1_amd64.deb', deb.bytes],
    ['/yum/main/stable-rpm/packages/s/signs++-1.0~rc1^git2+b3-1.x86_64.rpm', served],
    ['/yum/main/stable-rpm/packages/s/signs%2B%2B-1.0%7Erc1%5Egit2%2Bb3-1.x86_64.rpm', served],
    ['/yum/main/stable-rpm/packages/s/signs%2b%2b-1.0~rc1%5egit2%2bb3-1.x86_64.rpm?x=1', served],
  ] as const) {
    const answer = await get(path);
    t.equal(answer.status, 200, path);
    t.same(answer.body, expected);
  }
  t.equal((await get('/apt/main/pool/s/signs/signs_1.0%257Erc1+b2-1_amd64.deb')).status, 404, 'decoded once');
});

/** A path as it is, also one that no client library would send. */
async function getRaw(path: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close');
  return text;
}

t.test('nothing outside the tree, and nothing hidden in it, can be reached', async (t) => {
  const tree = join(server.dataDir, 'tree');
  writeFileSync(join(server.dataDir, 'outside'), 'SECRET');
  mkdirSync(join(tree, 'apt/main/.hidden'), { recursive: true });
  for (const name of ['.hidden/file', '.file']) writeFileSync(join(tree, 'apt/main', name), 'SECRET');
  mkdirSync(join(tree, '.tmp'), { recursive: true });
  writeFileSync(join(tree, '.tmp/file'), 'SECRET');
  for (const path of [
    '/apt/main/../../../outside',
    '/apt/main/%2e%2e/%2e%2e/%2e%2e/outside',
    '/apt/main/..%2f..%2f..%2foutside',
    '/apt/main/..%5c..%5c..%5coutside',
    '/apt/../../outside',
    '/keys/../../outside',
    '/keys/..%2f..%2foutside',
    '/apt/main/%252e%252e/%252e%252e/outside',
    '/apt/main/.hidden/file',
    '/apt/main/%2ehidden/file',
    '/apt/main/.file',
    '/.tmp/file',
    '/apt/../.tmp/file',
    '/apt/%2e%2e/.tmp/file',
    '/apt/main/./dists/stable/InRelease',
    '/apt/main//dists/stable/InRelease',
    '//apt/main/dists/stable/InRelease',
    '/apt/main/dists/stable/InRelease/',
    '/apt/main/dists/stable/InRelease%00',
    '/apt/main/dists/stable/InRelease%00.gz',
    '/apt/main/dists/stable/',
    '/apt/main/dists/stable',
    '/apt/',
    '/apt/main/pool',
    '/apt/main/%c0%ae%c0%ae/outside',
    `/apt/main/${'a/'.repeat(3000)}x`,
    `/apt/main/${'x'.repeat(300)}`,
  ]) {
    const text = await getRaw(path);
    t.match(text, /^HTTP\/1\.1 (404|400) /, path.slice(0, 80));
    t.notMatch(text, /SECRET/);
  }
});

t.test('a pipe in the tree stops nobody', async (t) => {
  symlinkSync('/dev/zero', join(server.dataDir, 'tree/apt/main/zero'));
  t.equal((await get('/apt/main/zero')).status, 404);
});

/** Files of the tree that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(join(server.dataDir, 'tree')) ? [path] : [];
    } catch {
      return [];
    }
  });
}

t.test('whoever leaves early leaves no file open', { skip: !existsSync('/proc/self/fd') }, async (t) => {
  const large = debSample('large', { content: randomBytes(2 ** 22).toString('base64') });
  const receipt = await jsonOf<Receipt>(await server.upload('stable', large.filename, large.bytes));
  const { pathname } = new URL(receipt.url);
  const { hostname, port } = new URL(server.url);
  for (const [method, headers] of [
    ['GET', ''],
    ['GET', 'Range: bytes=100-\r\n'],
    ['GET', 'Range: bytes=99999999-\r\n'],
    ['GET', 'If-None-Match: *\r\n'],
    ['HEAD', ''],
  ] as const)
    for (let i = 0; i < 10; i++) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(`${method} ${pathname} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
      await once(socket, 'data');
      socket.destroy();
    }
  const deadline = Date.now() + 10_000;
  while (openFiles().length > 0 && Date.now() < deadline) await new Promise(setImmediate);
  t.same(openFiles(), []);
});

t.test('reading needs no catalog', async (t) => {
  await server.app.db.destroy();
  for (const path of [inRelease, pool, '/yum/main/stable-rpm/repodata/repomd.xml', '/keys/main.asc'])
    t.equal((await get(path)).status, 200, path);
});
