/** Contents of apt channels: which package ships which file, as long as it is there and under one name. */
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { jsonOf, problemOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { debSample, type Sample } from '../packages.ts';
import { readFrom, readNamed, releaseFields, releaseFiles } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';
import { checkEverything } from '../../src/registry/fsck.ts';

t.setTimeout(240_000);

const main = '/api/v1/repositories/main';
const stable = 'apt/main/dists/stable';

const put = (server: InProcess, channel: string, body: object): Promise<Response> =>
  server.api(`${main}/channels/${channel}`, { method: 'PUT', body: JSON.stringify(body) });

async function open(t: Test, settings: object = {}): Promise<InProcess> {
  const server = await startInProcess(t);
  await jsonOf(await put(server, 'stable', { format: 'apt', contents: true, ...settings }));
  return server;
}

type Choice = {
  readonly version?: string;
  readonly architecture?: string;
  readonly section?: string | null;
  readonly paths: readonly string[];
};

function deb(
  name: string,
  { version = '1.0-1', architecture = 'amd64', section = 'utils', paths }: Choice,
): Sample {
  const control = { Package: name, Version: version, Architecture: architecture };
  return {
    filename: `${name}.deb`,
    bytes: buildDeb({
      control: section === null ? control : { ...control, Section: section },
      files: paths.map((path) => ({ path, data: `${name} ${version}` })),
    }),
  };
}

async function upload(server: InProcess, { filename, bytes }: Sample, query = ''): Promise<void> {
  const path = `${main}/channels/stable/packages/${filename}${query}`;
  await jsonOf(await server.api(path, { method: 'PUT', body: Uint8Array.from(bytes) }));
}

async function yank(
  server: InProcess,
  name: string,
  version = '1.0-1',
  architecture = 'amd64',
): Promise<void> {
  const path = `${main}/channels/stable/packages/${name}/${version}/${architecture}`;
  await jsonOf(await server.api(path, { method: 'DELETE' }));
}

/** The Contents that a Release names, by way of by-hash, both forms of each. */
async function contentsOf(server: InProcess, root = stable): Promise<Record<string, string[]>> {
  const read = readFrom(server.url);
  const files = releaseFiles(releaseFields((await read(`${root}/InRelease`)).toString()));
  const found: Record<string, string[]> = {};
  for (const [path, named] of files) {
    const [, component = '', architecture = '', gzip] = /^(.+)\/Contents-([^.]+)(\.gz)?$/.exec(path) ?? [];
    if (architecture === '') continue;
    const bytes = await readNamed(read, {
      ...named,
      path: `${root}/${component}/by-hash/SHA256/${named.sha256}`,
    });
    const lines = (gzip ? gunzipSync(bytes) : bytes).toString().split('\n').slice(0, -1);
    const id = `${component} ${architecture}`;
    if (found[id] && found[id].join('\n') !== lines.join('\n'))
      throw new Error(`${path} is not what it is plain`);
    found[id] = lines;
  }
  return found;
}

const isWhole = async (t: Test, server: InProcess): Promise<void> => {
  t.same(await Array.fromAsync(checkEverything(server.app)), [], 'fsck');
};

void t.test('a path has one line with everything that ships it', async (t) => {
  const server = await open(t);
  t.same(await contentsOf(server), { 'main all': [], 'main amd64': [], 'main arm64': [] }, 'empty');

  await upload(server, deb('hello', { paths: ['usr/bin/hello', 'usr/share/doc/hello/a b  c'] }));
  await upload(server, deb('other', { section: 'non-free/admin', paths: ['usr/bin/hello', 'etc/other'] }));
  await upload(server, deb('bare', { section: null, paths: ['usr/share/größe'] }));
  await upload(server, deb('words', { architecture: 'all', paths: ['usr/share/words', 'usr/bin/hello'] }));
  await upload(server, deb('hello', { architecture: 'arm64', paths: ['usr/bin/hello'] }));
  const expected = {
    'main all': ['usr/bin/hello\tutils/words', 'usr/share/words\tutils/words'],
    'main amd64': [
      'etc/other\tnon-free/admin/other',
      'usr/bin/hello\tnon-free/admin/other,utils/hello',
      'usr/share/doc/hello/a b  c\tutils/hello',
      'usr/share/größe\tbare',
    ],
    'main arm64': ['usr/bin/hello\tutils/hello'],
  };
  t.same(await contentsOf(server), expected);
  const release = (await readFrom(server.url)(`${stable}/InRelease`)).toString();
  t.match(release, '\nNo-Support-for-Architecture-all: Packages\n', 'so that apt fetches Contents-all too');
  const plain = (await readFrom(server.url)(`${stable}/main/Contents-arm64.gz`)) as Uint8Array;
  t.equal(gunzipSync(plain).toString(), 'usr/bin/hello\tutils/hello\n', 'under its plain name');

  await yank(server, 'other');
  t.same((await contentsOf(server))['main amd64'], [
    'usr/bin/hello\tutils/hello',
    'usr/share/doc/hello/a b  c\tutils/hello',
    'usr/share/größe\tbare',
  ]);
  t.same(await contentsOf(server, 'apt/main/snapshots/7/dists/stable'), expected, 'a snapshot keeps its own');
  await isWhole(t, server);

  const rollback = { method: 'POST', body: JSON.stringify({ generation: 7, force: true }) };
  await jsonOf(await server.api(`${main}/channels/stable/rollback`, rollback));
  t.same(await contentsOf(server), expected, 'rolled back');
  await isWhole(t, server);
});

void t.test('versions beside each other are one name, until the last one goes', async (t) => {
  const server = await open(t);
  await upload(server, deb('hello', { version: '1', paths: ['usr/bin/hello', 'usr/bin/old'] }));
  await upload(server, deb('hello', { version: '2', paths: ['usr/bin/hello', 'usr/bin/new'] }));
  await upload(server, deb('hello', { version: '3', section: 'admin', paths: ['usr/bin/hello'] }));
  const amd64 = async (): Promise<string[] | undefined> => (await contentsOf(server))['main amd64'];
  t.same(await amd64(), [
    'usr/bin/hello\tadmin/hello,utils/hello',
    'usr/bin/new\tutils/hello',
    'usr/bin/old\tutils/hello',
  ]);
  await yank(server, 'hello', '1');
  t.same(await amd64(), ['usr/bin/hello\tadmin/hello,utils/hello', 'usr/bin/new\tutils/hello']);

  await server.close();
  const again = await startInProcess(t, { dataDir: server.dataDir });
  await yank(again, 'hello', '2');
  t.same((await contentsOf(again))['main amd64'], ['usr/bin/hello\tadmin/hello'], 'also after a restart');
  await yank(again, 'hello', '3');
  t.same((await contentsOf(again))['main amd64'], []);
  await isWhole(t, again);
});

void t.test('each component has its own', async (t) => {
  const server = await open(t, { components: ['main', 'contrib'] });
  const sample = deb('hello', { paths: ['usr/bin/hello'] });
  await upload(server, sample, '?component=main');
  await upload(server, sample, '?component=contrib');
  await upload(
    server,
    deb('machine', { architecture: 'riscv64', paths: ['boot/vmlinuz'] }),
    '?component=contrib',
  );
  t.same(await contentsOf(server), {
    'main all': [],
    'main amd64': ['usr/bin/hello\tutils/hello'],
    'main arm64': [],
    'main riscv64': [],
    'contrib all': [],
    'contrib amd64': ['usr/bin/hello\tutils/hello'],
    'contrib arm64': [],
    'contrib riscv64': ['boot/vmlinuz\tutils/machine'],
  });
  await isWhole(t, server);
});

void t.test('it is off unless asked for, and goes again with its plain names', async (t) => {
  const server = await startInProcess(t);
  await upload(server, debSample('hello'));
  const channel = await jsonOf<{ contents: boolean }>(await server.api(`${main}/channels/stable`));
  t.equal(channel.contents, false);
  t.same(await contentsOf(server), {});

  const on = await jsonOf<{ contents: boolean; generation: number }>(
    await put(server, 'stable', { format: 'apt', contents: true }),
  );
  t.equal(on.contents, true);
  t.equal(on.generation, 3, 'a generation of its own');
  t.same((await contentsOf(server))['main amd64'], ['usr/share/hello/what\thello'], 'of what was there');
  const same = await jsonOf<{ generation: number }>(await put(server, 'stable', { format: 'apt' }));
  t.equal(same.generation, 3, 'stays as it is');

  await jsonOf(await put(server, 'stable', { format: 'apt', contents: false }));
  t.same(await contentsOf(server), {});
  for (const form of ['', '.gz']) {
    const response = await fetch(`${server.url}/${stable}/main/Contents-amd64${form}`);
    await response.arrayBuffer();
    t.equal(response.status, 404, `Contents-amd64${form}`);
  }
  await isWhole(t, server);
  const { code } = await problemOf(await put(server, 'stable-rpm', { format: 'yum', contents: true }));
  t.equal(code, 'bad_request', 'filelists say it in yum');
});

void t.test('a change reads the files of what changes, and no others', async (t) => {
  const server = await open(t);
  await upload(server, deb('there', { paths: ['usr/bin/both', 'usr/bin/there'] }));
  await upload(server, deb('leaving', { paths: ['usr/bin/both', 'usr/bin/leaving'] }));
  // What would be read again would be missing.
  const there = { path: '/usr/bin/not-as-it-was' };
  await server.app.db
    .updateTable('package_files')
    .set(there)
    .where('package', 'in', (from) => from.selectFrom('packages').select('id').where('name', '=', 'there'))
    .execute();
  await upload(server, deb('coming', { paths: ['usr/bin/both', 'usr/bin/coming'] }));
  await yank(server, 'leaving');
  await upload(server, deb('machine', { architecture: 'riscv64', paths: ['usr/bin/both'] }));
  const contents = await contentsOf(server);
  t.same(contents['main amd64'], [
    'usr/bin/both\tutils/coming,utils/there',
    'usr/bin/coming\tutils/coming',
    'usr/bin/there\tutils/there',
  ]);
  t.same(contents['main riscv64'], ['usr/bin/both\tutils/machine'], 'nor for an architecture that is new');
});

void t.test('a package with more files than are read at once', async (t) => {
  const server = await open(t);
  const paths = Array.from({ length: 5000 }, (_, i) => `usr/share/many/${String(i).padStart(4, '0')}`);
  await upload(server, deb('few', { paths: ['usr/share/many/0001'] }));
  await upload(server, deb('many', { paths }));
  const lines = (await contentsOf(server))['main amd64'] ?? [];
  t.same(
    lines,
    paths.map((path) => `${path}\t${path.endsWith('/0001') ? 'utils/few,' : ''}utils/many`),
  );
  await yank(server, 'many');
  t.same((await contentsOf(server))['main amd64'], ['usr/share/many/0001\tutils/few']);
  await isWhole(t, server);
});

void t.test('fsck finds Contents that are not those of the packages', async (t) => {
  const server = await open(t);
  await upload(server, deb('hello', { paths: ['usr/bin/hello'] }));
  await upload(server, deb('other', { paths: ['usr/bin/other'] }));
  await isWhole(t, server);
  await server.app.db
    .updateTable('package_files')
    .set({ path: '/usr/bin/hullo' })
    .where('path', '=', '/usr/bin/hello')
    .execute();
  const faults = await Array.fromAsync(checkEverything(server.app));
  t.same(
    faults.map(({ key }) => key).sort(),
    ['main/stable generation 3 main/Contents-amd64', 'main/stable main/Contents-amd64'],
    'in the head and in the generation before it',
  );
});
