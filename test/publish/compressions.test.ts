/** A channel's indexes in the forms that its options ask for. */
import t, { type Test } from 'tap';
import { jsonOf, problemOf } from '../ask.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readFrom, releaseFields, releaseFiles } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';

const put = (server: InProcess, channel: string, body: object): Promise<Response> =>
  server.api(`/api/v1/repositories/main/channels/${channel}`, { method: 'PUT', body: JSON.stringify(body) });

async function listed(server: InProcess): Promise<string[]> {
  const release = (await readFrom(server.url)('apt/main/dists/stable/InRelease')).toString();
  return [...releaseFiles(releaseFields(release)).keys()].filter((path) => path.includes('binary-amd64'));
}

const plain = (extension: string): string => `/apt/main/dists/stable/main/binary-amd64/Packages${extension}`;

const status = async (server: InProcess, path: string): Promise<number> => {
  const response = await fetch(`${server.url}${path}`);
  await response.arrayBuffer();
  return response.status;
};

void t.test('apt: forms come and go, gzip stays', async (t) => {
  const server = await startInProcess(t);
  const { filename, bytes } = debSample('hello');
  await jsonOf(await server.upload('stable', filename, bytes));
  const names = (...extensions: string[]): string[] =>
    ['', ...extensions].map((extension) => `main/binary-amd64/Packages${extension}`).sort();
  t.same(await listed(server), names('.gz'));

  const channel = await jsonOf<{ compressions: string[]; generation: number }>(
    await put(server, 'stable', { format: 'apt', compressions: ['xz', 'zstd', 'gzip'] }),
  );
  t.same(channel.compressions, ['gzip', 'zstd', 'xz']);
  t.equal(channel.generation, 3, 'a generation of its own');
  t.same(await listed(server), names('.gz', '.xz', '.zst'));
  for (const extension of ['', '.gz', '.xz', '.zst'])
    t.equal(await status(server, plain(extension)), 200, `Packages${extension}`);

  const same = await put(server, 'stable', { format: 'apt', compressions: ['gzip', 'zstd', 'xz'] });
  t.equal((await jsonOf<{ generation: number }>(same)).generation, 3, 'nothing changed');

  await jsonOf(await put(server, 'stable', { format: 'apt', compressions: ['gzip'] }));
  t.same(await listed(server), names('.gz'));
  t.equal(await status(server, plain('.xz')), 404, 'a plain name does not go on with an old index');
  t.equal(await status(server, plain('.gz')), 200);
});

void t.test('what clients of a format could not read is refused', async (t) => {
  const server = await startInProcess(t);
  const refused = async (t: Test, channel: string, format: string, compressions: string[]): Promise<void> => {
    const { code } = await problemOf(await put(server, channel, { format, compressions }));
    t.equal(code, 'bad_request', `${format} ${compressions.join()}`);
  };
  await refused(t, 'stable', 'apt', ['xz']);
  await refused(t, 'stable', 'apt', []);
  await refused(t, 'stable', 'apt', ['gzip', 'bzip2']);
  await refused(t, 'stable-rpm', 'yum', ['xz']);
  await refused(t, 'stable-rpm', 'yum', ['gzip', 'zstd']);
});

void t.test('yum: zstd in place of gzip', async (t) => {
  const server = await startInProcess(t);
  const { filename, bytes } = rpmSample('hello');
  await jsonOf(await server.upload('stable-rpm', filename, bytes));
  await jsonOf(await put(server, 'stable-rpm', { format: 'yum', compressions: ['zstd'] }));
  const repomd = (await readFrom(server.url)('yum/main/stable-rpm/repodata/repomd.xml')).toString();
  const names = [...repomd.matchAll(/href="repodata\/[0-9a-f]{64}-([^"]+)"/g)].map(([, name]) => name);
  t.same(names, ['primary.xml.zst', 'filelists.xml.zst', 'other.xml.zst']);
});
