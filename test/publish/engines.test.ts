/** Which database and which store a server has is nothing that a machine could tell. */
import t from 'tap';
import { jsonOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { startPostgres, unlessPostgres } from '../postgres.ts';
import { startCeph, unlessS3 } from '../s3.ts';
import { readFrom, releaseFields, releaseFiles, sha256 } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';

t.setTimeout(240_000);
const main = '/api/v1/repositories/main';
const names = ['one', 'two', 'three', 'lib+four', 'five.0'];
const debs = names.map((name) => debSample(name));
const rpms = names.map((name) => rpmSample(name, { version: '2:1.0-1' }));

/** One upload, a publication of many with a yank in it, a promotion and a rollback, in both formats. */
async function doEverything(server: InProcess, clock: ReturnType<typeof fakeClock>): Promise<void> {
  const send = async (method: string, path: string, body: unknown): Promise<void> => {
    clock.advance(1500);
    await jsonOf(await server.api(`${main}${path}`, { method, body: JSON.stringify(body) }));
  };
  for (const [format, channel, [first, ...rest]] of [
    ['apt', 'stable', debs],
    ['yum', 'stable-rpm', rpms],
  ] as const) {
    const settings = format === 'apt' ? { compressions: ['gzip', 'zstd', 'xz'], contents: true } : {};
    await send('PUT', `/channels/${channel}`, { format, ...settings });
    await send('PUT', `/channels/next-${format}`, { format });
    const { filename, bytes } = first ?? debSample('none');
    await jsonOf(await server.upload(channel, filename, bytes));
    const remove = [{ name: 'one' }];
    const add = await Promise.all(rest.map((sample) => stage(server, sample)));
    await send('POST', `/channels/${channel}/publications`, { add, remove, force: true });
    await send('POST', '/promotions', { from: channel, to: `next-${format}` });
    await send('POST', `/channels/${channel}/rollback`, { generation: 1, force: true });
  }
}

async function stage(server: InProcess, { filename, bytes }: Sample): Promise<string> {
  const path = `${main}/uploads/${encodeURIComponent(filename)}`;
  const answer = await jsonOf(await server.api(path, { method: 'PUT', body: new Uint8Array(bytes) }));
  return (answer as { package: { sha256: string } }).package.sha256;
}

/** Digests of `InRelease` and `repomd.xml`, of their signatures, and of every file that they name. */
async function servedFiles(server: InProcess): Promise<Map<string, string>> {
  const read = readFrom(server.url);
  const files = new Map<string, string>();
  const take = async (path: string): Promise<Buffer> => {
    const bytes = await read(path);
    files.set(path, sha256(bytes));
    return bytes;
  };
  for (const channel of ['stable', 'next-apt']) {
    const root = `apt/main/dists/${channel}`;
    const inRelease = (await take(`${root}/InRelease`)).toString();
    for (const name of ['Release', 'Release.gpg']) await take(`${root}/${name}`);
    for (const [path, named] of releaseFiles(releaseFields(inRelease))) {
      const folder = path.slice(0, path.lastIndexOf('/'));
      // The plain form is named and not kept (docs/decisions/0002).
      if (/\.(gz|xz|zst)$/.test(path)) await take(`${root}/${folder}/by-hash/SHA256/${named.sha256}`);
    }
  }
  for (const channel of ['stable-rpm', 'next-yum']) {
    const root = `yum/main/${channel}`;
    const repomd = (await take(`${root}/repodata/repomd.xml`)).toString();
    await take(`${root}/repodata/repomd.xml.asc`);
    for (const [, href = ''] of repomd.matchAll(/<location href="([^"]+)"/g)) await take(`${root}/${href}`);
  }
  return files;
}

/** Everything in the store, whether a machine would ask for it or not. */
async function storedFiles({ app: { store } }: InProcess): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { key, kind } of store.list('')) {
    const file = await store.open(key);
    files.set(key, `${kind} ${file ? sha256(await file.bytes()) : 'of a folder'}`);
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

t.test(
  'SQLite with a directory and PostgreSQL with S3 publish the same bytes, signatures and all',
  { skip: unlessPostgres() || unlessS3() },
  async (t) => {
    const [postgres, ceph] = await Promise.all([startPostgres(t), startCeph(t, 'forky')]);
    const shared = { store: await ceph.bucket(), database_url: await postgres.newDatabase() };
    const [one, other] = await Promise.all(
      [{}, shared].map(async (engines) => {
        const clock = fakeClock();
        const settings = { public_url: 'https://packages.example', ...engines };
        const server = await startInProcess(t, { clock, settings, environment: ceph.env });
        await doEverything(server, clock);
        return server;
      }),
    );
    if (!one || !other) throw new Error('two servers');
    const served = await servedFiles(one);
    t.ok(served.size >= 25, `${served.size} files`);
    t.same(await servedFiles(other), served);
    t.same(await storedFiles(other), await storedFiles(one), 'also in everything that nobody asks for');
  },
);
