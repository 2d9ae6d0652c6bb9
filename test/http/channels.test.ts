import t from 'tap';
import { jsonOf, problemOf } from '../ask.ts';
import { everythingKept } from '../kept.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readYum, releaseFields } from '../served.ts';
import { startInProcess } from '../server.ts';

const server = await startInProcess(t);
const read = readFrom(server.url);
const base = '/api/v1/repositories/main/channels';

const put = (name: string, body: unknown): Promise<Response> =>
  server.api(`${base}/${name}`, { method: 'PUT', body: JSON.stringify(body) });

type Channel = {
  name: string;
  format: string;
  generation: number;
  components: string[];
  architectures: string[];
};

const releaseOf = async (channel: string): Promise<Map<string, string>> =>
  releaseFields((await read(`apt/main/dists/${channel}/InRelease`)).toString());

t.test('an apt channel is there for machines as soon as it is made', async (t) => {
  const response = await put('production', { format: 'apt', label: 'Acme', description: 'What runs' });
  t.equal(response.status, 201);
  const channel = (await response.json()) as Channel & { createdAt: string };
  t.match(channel.createdAt, /^\d{4}-/);
  t.same(channel, {
    repository: 'main',
    name: 'production',
    format: 'apt',
    distribution: null,
    origin: 'main',
    label: 'Acme',
    description: 'What runs',
    components: ['main'],
    architectures: ['amd64', 'arm64'],
    compressions: ['gzip'],
    contents: false,
    expiresAt: null,
    generation: 1,
    url: `${server.url}/apt/main`,
    setup: [`${server.url}/setup/main/production.sources`, `${server.url}/setup/main/production.sh`],
    createdAt: channel.createdAt,
  });
  const release = await releaseOf('production');
  t.match(Object.fromEntries(release), {
    Origin: 'main',
    Label: 'Acme',
    Suite: 'production',
    Codename: 'production',
    Architectures: 'amd64 arm64 all',
    Components: 'main',
    Description: 'What runs',
    'Acquire-By-Hash': 'yes',
  });
  t.same(await readApt(read, 'main', 'production'), []);
  t.match(
    (await read('setup/main/production.sources')).toString(),
    `URIs: ${server.url}/apt/main\nSuites: production`,
  );
});

t.test('a yum channel too', async (t) => {
  const channel = await jsonOf<Channel>(await put('el9', { format: 'yum', distribution: 'el9' }));
  t.match(channel, {
    format: 'yum',
    distribution: 'el9',
    components: ['main'],
    architectures: [],
    generation: 1,
    url: `${server.url}/yum/main/el9`,
    setup: [`${server.url}/setup/main/el9.repo`],
  });
  t.same(await readYum(read, 'main', 'el9'), []);
  t.match((await read('setup/main/el9.repo')).toString(), `metalink=${server.url}/yum/main/el9/metalink`);
});

t.test('the same settings again make no generation', async (t) => {
  const settings = { format: 'apt', label: 'Same', components: ['main', 'extra'] };
  const first = await jsonOf<Channel>(await put('same', settings));
  const before = await everythingKept(server);
  for (const again of [settings, { format: 'apt' }, { ...settings, components: ['main', 'extra', 'main'] }]) {
    const response = await put('same', again);
    t.equal(response.status, 200);
    t.same(await response.json(), first);
  }
  t.same(await everythingKept(server), before);
});

t.test('components and architectures grow, and machines see it at once', async (t) => {
  await jsonOf(await put('growing', { format: 'apt' }));
  const { filename, bytes } = debSample('riscy', { architecture: 'riscv64' });
  t.equal((await server.upload('growing', filename, bytes)).status, 201);
  t.equal((await releaseOf('growing')).get('Architectures'), 'amd64 arm64 riscv64 all');

  const channel = await jsonOf<Channel>(
    await put('growing', {
      format: 'apt',
      components: ['main', 'contrib'],
      architectures: ['s390x', 'riscv64', 'arm64', 'amd64'],
    }),
  );
  t.match(channel, {
    generation: 3,
    components: ['main', 'contrib'],
    architectures: ['amd64', 'arm64', 'riscv64', 's390x'],
  });
  const release = await releaseOf('growing');
  t.equal(release.get('Architectures'), 'amd64 arm64 riscv64 s390x all');
  t.equal(release.get('Components'), 'main contrib');
  t.match(release.get('SHA256'), / contrib\/binary-s390x\/Packages\n/);
  t.equal((await readApt(read, 'main', 'growing')).length, 1, 'what was there stays');
});

t.test('settings and uploads at the same time lose nothing of each other', async (t) => {
  await jsonOf(await put('busy', { format: 'apt' }));
  const architectures = ['amd64', 'arm64', 'armhf', 'i386', 'ppc64el', 'riscv64', 's390x'];
  await Promise.all(
    architectures.flatMap((architecture, i) => {
      const { filename, bytes } = debSample('busy', { architecture });
      return [
        server.upload('busy', filename, bytes).then((answer) => jsonOf(answer)),
        put('busy', { format: 'apt', description: `Number ${i}` }).then((answer) => jsonOf(answer)),
      ];
    }),
  );
  t.equal((await releaseOf('busy')).get('Architectures'), `${architectures.join(' ')} all`);
  const channel = await jsonOf<Channel>(await server.api(`${base}/busy`));
  t.same(channel.architectures, architectures);
  t.equal((await readApt(read, 'main', 'busy')).length, architectures.length);
});

t.test('what machines have pinned cannot change any more', async (t) => {
  await jsonOf(
    await put('fixed', {
      format: 'apt',
      distribution: 'bookworm',
      origin: 'Acme',
      label: 'Acme',
      components: ['main', 'contrib'],
      architectures: ['amd64', 'arm64'],
    }),
  );
  const before = await everythingKept(server);
  for (const [settings, field, detail] of [
    [{ format: 'yum' }, 'format', /"apt".*cannot become "yum"/],
    [{ format: 'apt', distribution: 'noble' }, 'distribution', /"bookworm"/],
    [{ format: 'apt', origin: 'Other' }, 'origin', /"Acme".*cannot become "Other"/],
    [{ format: 'apt', label: 'Other' }, 'label', /"Acme"/],
    [{ format: 'apt', components: ['main'] }, 'components', /can only grow: machines ask for contrib/],
    [{ format: 'apt', architectures: ['amd64'] }, 'architectures', /machines ask for arm64/],
  ] as const) {
    t.match(await problemOf(await put('fixed', settings)), {
      status: 409,
      code: 'fixed_at_publication',
      detail,
      place: { field },
    });
  }
  t.same(await everythingKept(server), before);
});

t.test('settings that a channel cannot have are refused', async (t) => {
  const before = await everythingKept(server);
  for (const [settings, field] of [
    [{}, 'format'],
    [{ format: 'deb' }, 'format'],
    [{ format: 'apt', components: [] }, 'components'],
    [{ format: 'apt', components: ['../main'] }, 'components.0'],
    [{ format: 'apt', components: ['main non-free'] }, 'components.0'],
    [{ format: 'apt', architectures: ['x86 64'] }, 'architectures.0'],
    [{ format: 'apt', architectures: ['all'] }, 'architectures.0'],
    [{ format: 'apt', architectures: ['any'] }, 'architectures.0'],
    [{ format: 'apt', architectures: ['source'] }, 'architectures.0'],
    [{ format: 'apt', label: 'a\nOrigin: b' }, 'label'],
    [{ format: 'apt', distribution: 'l' }, 'distribution'],
    [{ format: 'apt', distribution: 'liba' }, 'distribution'],
    [{ format: 'yum', components: ['main'] }, 'components'],
    [{ format: 'yum', architectures: ['amd64'] }, 'architectures'],
    [{ format: 'apt', suite: 'x' }, undefined],
  ] as const) {
    const problem = await problemOf(await put('wrong', settings));
    t.match(problem, { status: 400, code: 'bad_request', place: { part: 'body' } }, JSON.stringify(settings));
    t.equal(problem.place?.['field'], field, JSON.stringify(settings));
  }
  for (const name of [
    'pool',
    'dists',
    'snapshots',
    'repodata',
    'packages',
    'generations',
    'A',
    '..',
    'a%20b',
  ])
    t.match(await problemOf(await put(name, { format: 'apt' })), { status: /^40[04]$/ }, name);
  t.same(await everythingKept(server), before);
});

t.test('channels are listed, and shown one by one', async (t) => {
  const { channels } = await jsonOf<{ channels: Channel[] }>(await server.api(base));
  t.same(
    channels.map(({ name, format }) => `${name} ${format}`),
    ['busy', 'el9', 'fixed', 'growing', 'production', 'same', 'stable', 'stable-rpm'].map(
      (name) => `${name} ${['el9', 'stable-rpm'].includes(name) ? 'yum' : 'apt'}`,
    ),
  );
  t.same(await jsonOf(await server.api(`${base}/growing`)), channels[3]);
  t.match(await problemOf(await server.api(`${base}/nowhere`)), {
    status: 404,
    detail: 'The repository "main" has no channel "nowhere".',
  });
  t.match(await problemOf(await server.api('/api/v1/repositories/nowhere/channels')), { status: 404 });
});

t.test('one name serves either format, and each has its own tree', async (t) => {
  await jsonOf(await put('el9-noarch', { format: 'yum' }));
  const { filename, bytes } = rpmSample('thing', { architecture: 'noarch' });
  t.equal((await server.upload('el9-noarch', filename, bytes)).status, 201);
  t.match(await readYum(read, 'main', 'el9-noarch'), [{ name: 'thing', architecture: 'noarch' }]);
});
