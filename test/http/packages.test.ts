/** Looking at what a channel holds, where a package came from, and taking one out again. */
import t from 'tap';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { everythingKept } from '../kept.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { readApt, readFrom, readPackage, readYum } from '../served.ts';
import { adminToken, startInProcess } from '../server.ts';

const server = await startInProcess(t);
const read = readFrom(server.url);
const main = '/api/v1/repositories/main';
const packagesOf = (channel: string): string => `${main}/channels/${channel}/packages`;

type Listed = { name: string; version: string; architecture: string; component: string; sha256: string };
type Page = { packages: Listed[]; next: string | null };

async function upload(channel: string, { filename, bytes }: Sample, query = ''): Promise<Receipt> {
  return await jsonOf<Receipt>(
    await server.api(`${packagesOf(channel)}/${encodeURIComponent(filename)}${query}`, {
      method: 'PUT',
      headers: { 'user-agent': 'a test/1.0' },
      body: new Uint8Array(bytes),
    }),
  );
}

async function makeChannel(name: string, settings: object): Promise<void> {
  await jsonOf(
    await server.api(`${main}/channels/${name}`, { method: 'PUT', body: JSON.stringify(settings) }),
  );
}

/** Every page, one after the other. */
async function pages(path: string, limit: number): Promise<Listed[][]> {
  const found: Listed[][] = [];
  for (let after: string | null = ''; after !== null;) {
    const query = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
    const page: Page = await jsonOf<Page>(await server.api(`${path}?limit=${limit}${query}`));
    if (page.packages.length > 0) found.push(page.packages);
    after = page.next;
  }
  return found;
}

t.test('a channel is listed by name, a page at a time', async (t) => {
  await makeChannel('listed', { format: 'apt', components: ['main', 'contrib'] });
  t.same(await jsonOf(await server.api(packagesOf('listed'))), { packages: [], next: null });
  for (const [name, version] of [
    ['pear', '1.0-1'],
    ['apple', '1.0-1'],
    ['apple', '1.0-2'],
    ['plum', '1.0-1'],
    ['fig', '1.0-1'],
  ] as const)
    await upload('listed', debSample(name, { version }));
  await upload('listed', debSample('fig'), '?component=contrib');

  const { packages, next } = await jsonOf<Page>(await server.api(packagesOf('listed')));
  t.same(
    packages.map(({ name, version, component }) => `${name} ${version} ${component}`),
    [
      'apple 1.0-1 main',
      'apple 1.0-2 main',
      'fig 1.0-1 contrib',
      'fig 1.0-1 main',
      'pear 1.0-1 main',
      'plum 1.0-1 main',
    ],
  );
  t.equal(next, null);
  const { bytes, filename } = debSample('pear');
  t.match(packages[4], {
    format: 'apt',
    architecture: 'amd64',
    filename,
    size: bytes.length,
    summary: 'a package of a test',
    addedIn: 2,
    url: `${server.url}/apt/main/pool/p/pear/${filename}`,
  });
  for (const limit of [1, 2, 3, 4, 6]) {
    const found = await pages(packagesOf('listed'), limit);
    t.same(found.flat(), packages, `in pages of ${limit}`);
    t.ok(found.every((page, i) => page.length === limit || i === found.length - 1));
  }
});

t.test('the versions of one package', async (t) => {
  const expected = ['apple 1.0-1', 'apple 1.0-2'];
  for (const path of [`${packagesOf('listed')}?name=apple`, `${packagesOf('listed')}/apple`]) {
    const { packages } = await jsonOf<Page>(await server.api(path));
    t.same(
      packages.map(({ name, version }) => `${name} ${version}`),
      expected,
    );
  }
  t.same(await jsonOf(await server.api(`${packagesOf('listed')}?name=quince`)), { packages: [], next: null });
  t.match(await problemOf(await server.api(`${packagesOf('listed')}/quince`)), {
    status: 404,
    detail: 'main/listed holds no package "quince".',
  });
});

t.test('a page that cannot be asked for is refused', async (t) => {
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=x', 'after=%00', 'page=2'])
    t.match(await problemOf(await server.api(`${packagesOf('listed')}?${query}`)), {
      status: 400,
      code: 'bad_request',
      detail: /^querystring: /,
    });
});

t.test('a package is found by each of its digests, with where it came from', async (t) => {
  await makeChannel('el9', { format: 'yum' });
  const sample = rpmSample('origin', { version: '2:1.0-1' });
  const declared = {
    source: 'https://git.example/acme/origin',
    commit: '0123456789abcdef',
    ref: 'refs/tags/v1.0',
    run: 'https://ci.example/runs/7',
    builder: 'Example CI, runner 3',
  };
  const receipt = await upload('el9', sample, `?${new URLSearchParams(declared).toString()}`);
  await upload('stable-rpm', sample);
  const { sha256, uploadedSha256 } = receipt.package;
  const detail = await jsonOf<{ coreSha256: string; receivedAt: string; uploads: { at: string }[] }>(
    await server.api(`${main}/packages/${sha256}`),
  );
  for (const digest of [uploadedSha256, detail.coreSha256])
    t.same(await jsonOf(await server.api(`${main}/packages/${digest}`)), detail);

  t.match(detail, {
    ...receipt.package,
    url: receipt.url,
    distribution: null,
    uploadedSize: sample.bytes.length,
    signedBy: /^[0-9A-F]{40}$/i,
    facts: { summary: 'The origin package', license: 'MIT', buildHost: 'build.example' },
    files: [{ path: '/usr/share/origin/what', type: 'file', size: 16, mode: 0o644 }],
  });
  const uploads = ['el9', 'stable-rpm'].map((channel, i) => ({
    at: detail.uploads[i]?.at,
    actor: 'admin',
    client: 'a test/1.0',
    channel,
    filename: sample.filename,
    declared: i === 0 ? declared : { source: null, commit: null, ref: null, run: null, builder: null },
  }));
  t.match(detail, {
    uploads,
    channels: [
      { channel: 'el9', component: 'main', addedIn: 2, removedIn: null },
      { channel: 'stable-rpm', component: 'main', addedIn: 2, removedIn: null },
    ],
  });
  t.equal(detail.uploads.length, 2);

  t.match(await problemOf(await server.api(`${main}/packages/${'0'.repeat(64)}`)), {
    status: 404,
    code: 'not_found',
  });
  for (const wrong of ['abc', sha256.toUpperCase(), `${sha256}0`])
    t.match(await problemOf(await server.api(`${main}/packages/${wrong}`)), {
      status: 400,
      code: 'bad_request',
    });
});

type Event = {
  id: string;
  kind: string;
  channel: string | null;
  generation: number | null;
  package: string | null;
  actor: string;
  detail: Record<string, unknown>;
};
type Events = { events: Event[]; next: string | null };

t.test('everything that was done can be read back', async (t) => {
  const all = await jsonOf<Events>(await server.api(`${main}/events?limit=1000`));
  t.equal(all.next, null);
  t.same(
    all.events.map(({ id }) => id),
    all.events
      .map(({ id }) => id)
      .sort()
      .reverse(),
    'the newest first',
  );
  t.match(all.events.slice(0, 3), [
    { kind: 'upload', channel: 'stable-rpm', generation: 2, actor: 'admin', detail: { component: 'main' } },
    { kind: 'upload', channel: 'el9', generation: 2 },
    { kind: 'channel-create', channel: 'el9', detail: { format: 'yum' } },
  ]);
  t.match(all.events.at(-1), { kind: 'repository-create', actor: 'first start' });

  const paged: Event[] = [];
  for (let before: string | null = ''; before !== null;) {
    const page: Events = await jsonOf<Events>(
      await server.api(`${main}/events?limit=3${before === '' ? '' : `&before=${before}`}`),
    );
    paged.push(...page.events);
    before = page.next;
  }
  t.same(paged, all.events);
  t.match(await problemOf(await server.api(`${main}/events?limit=0`)), { status: 400 });
});

const yank = (channel: string, name: string, version = '1.0-1', architecture = 'amd64'): Promise<Response> =>
  server.api(`${packagesOf(channel)}/${name}/${encodeURIComponent(version)}/${architecture}`, {
    method: 'DELETE',
  });

t.test('a yanked package leaves the index, and its file stays', async (t) => {
  const receipt = await upload('stable', debSample('yanked'));
  await upload('stable', debSample('stays'));
  const entry = (await readApt(read, 'main', 'stable')).find(({ name }) => name === 'yanked');
  const response = await yank('stable', 'yanked');
  t.equal(response.status, 200);
  t.match(await response.json(), {
    channel: 'stable',
    generation: 4,
    status: 'published',
    added: [],
    removed: [{ name: 'yanked', version: '1.0-1', architecture: 'amd64', component: 'main' }],
    moves: [{ name: 'yanked', from: '1.0-1', to: null, kind: 'gone' }],
  });
  t.match(await readApt(read, 'main', 'stable'), [{ name: 'stays' }]);
  t.ok(entry);
  if (entry) await readPackage(read, entry);

  const { packages } = await jsonOf<Page>(await server.api(packagesOf('stable')));
  t.same(
    packages.map(({ name }) => name),
    ['stays'],
  );
  t.match(await jsonOf(await server.api(`${main}/packages/${receipt.package.sha256}`)), {
    channels: [{ channel: 'stable', component: 'main', addedIn: 2, removedIn: 4 }],
  });
  const { events } = await jsonOf<Events>(await server.api(`${main}/events?limit=1`));
  t.match(events, [{ kind: 'yank', channel: 'stable', generation: 4, detail: { components: ['main'] } }]);
});

t.test('its name, version and architecture stay taken', async (t) => {
  const before = await everythingKept(server);
  const { filename, bytes } = debSample('yanked', { content: 'other' });
  t.match(await problemOf(await server.upload('stable', filename, bytes)), {
    status: 409,
    code: 'identity_conflict',
  });
  t.same(await everythingKept(server), before);
});

t.test('the same bytes bring it back', async (t) => {
  const { filename, bytes } = debSample('yanked');
  const response = await server.upload('stable', filename, bytes);
  t.equal(response.status, 201);
  t.match(await response.json(), { status: 'created', generation: 5 });
  t.same((await readApt(read, 'main', 'stable')).map(({ name }) => name).sort(), ['stays', 'yanked']);
});

t.test('a yank takes a package out of every component, and out of one channel alone', async (t) => {
  await upload('stable', debSample('fig'));
  await jsonOf(await yank('listed', 'fig'));
  t.notOk((await readApt(read, 'main', 'listed')).some(({ name }) => name === 'fig'));
  t.ok((await readApt(read, 'main', 'stable')).some(({ name }) => name === 'fig'));
});

t.test('versions with an epoch and signs are yanked by their own names', async (t) => {
  await upload('stable', debSample('signs', { version: '1:1.0~rc1+b2-1' }));
  await jsonOf(await yank('stable', 'signs', '1:1.0~rc1+b2-1'));
  await jsonOf(await yank('stable-rpm', 'origin', '2:1.0-1', 'x86_64'));
  t.same(await readYum(read, 'main', 'stable-rpm'), []);
});

t.test('what is not there cannot be yanked', async (t) => {
  const before = await everythingKept(server);
  for (const response of [
    await yank('stable', 'nothing'),
    await yank('stable', 'stays', '2.0-1'),
    await yank('stable', 'stays', '1.0-1', 'arm64'),
    await yank('listed', 'fig'),
    await yank('nowhere', 'stays'),
  ])
    t.match(await problemOf(response), { status: 404, code: 'not_found' });
  const anonymous = await fetch(`${server.url}${packagesOf('stable')}/stays/1.0-1/amd64`, {
    method: 'DELETE',
  });
  t.match(await problemOf(anonymous), { status: 401, code: 'unauthenticated' });
  t.same(await everythingKept(server), before);
});

t.test('two yanks at once are one', async (t) => {
  await upload('stable', debSample('twice'));
  const answers = await Promise.all([yank('stable', 'twice'), yank('stable', 'twice')]);
  const statuses = answers.map((answer) => answer.status);
  t.ok(statuses.includes(200));
  t.ok(statuses.every((status) => status === 200 || status === 404));
  t.notOk((await readApt(read, 'main', 'stable')).some(({ name }) => name === 'twice'));
});

t.test('the token is never shown', async (t) => {
  const shown = await Promise.all(
    [`${main}/events?limit=1000`, packagesOf('stable'), main].map(async (path) =>
      (await server.api(path)).text(),
    ),
  );
  t.notOk(shown.join().includes(adminToken));
});
