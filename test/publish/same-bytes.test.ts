/** An index is a function of the set alone: the order, the history and the clock leave no trace in it. */
import t, { type Test } from 'tap';
import { listGenerations } from '../../src/db/generations.ts';
import { parseIndexes } from '../../src/publish/build.ts';
import { jsonOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { readFrom, releaseFields, releaseFiles } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';

t.setTimeout(240_000);

const names = Array.from({ length: 20 }, (_, i) => `package-${(i * 7) % 20}`);
const debs = [
  ...names.map((name) => debSample(name)),
  ...['1.0-2', '1:1.0-1', '0.9'].map((version) => debSample('versions', { version })),
  ...['arm64', 'all', 'riscv64'].map((architecture) => debSample('machines', { architecture })),
];
const rpms = [
  ...names.map((name) => rpmSample(name)),
  ...['1.0-2', '1:1.0-1', '0.9-1'].map((version) => rpmSample('versions', { version })),
  ...['aarch64', 'noarch'].map((architecture) => rpmSample('machines', { architecture })),
];

async function upload(server: InProcess, channel: string, { filename, bytes }: Sample): Promise<void> {
  await jsonOf(await server.upload(channel, filename, bytes));
}

/** Every index of the head, each form with its digest and size. */
async function headIndexes(server: InProcess, channel: string): Promise<object> {
  const [head] = await listGenerations(server.app.db, `main/${channel}`, { limit: 1 });
  return Object.fromEntries(
    parseIndexes(head?.indexes ?? '[]').map(({ id, count, raw, forms }) => [
      id,
      {
        count,
        raw,
        forms: forms.map(({ compression, sha256, sizeBytes }) => ({ compression, sha256, sizeBytes })),
      },
    ]),
  );
}

/** The list of files in Release, or the metadata names in repomd.xml: what clients compare. */
async function named(server: InProcess): Promise<object> {
  const read = readFrom(server.url);
  const release = (await read('apt/main/dists/stable/InRelease')).toString();
  const repomd = (await read('yum/main/stable-rpm/repodata/repomd.xml')).toString();
  return {
    apt: Object.fromEntries(releaseFiles(releaseFields(release))),
    yum: [...repomd.matchAll(/href="([^"]+)"/g)].map(([, href]) => href),
  };
}

/** gzip, zstd and xz beside each other in apt, and Contents; zstd, which has several frames, in yum. */
async function everyForm(server: InProcess): Promise<void> {
  for (const [channel, settings] of [
    ['stable', { format: 'apt', compressions: ['xz', 'gzip', 'zstd'], contents: true }],
    ['stable-rpm', { format: 'yum', compressions: ['zstd'] }],
  ] as const)
    await jsonOf(
      await server.api(`/api/v1/repositories/main/channels/${channel}`, {
        method: 'PUT',
        body: JSON.stringify(settings),
      }),
    );
}

async function fill(t: Test, order: (samples: readonly Sample[]) => readonly Sample[], clock = fakeClock()) {
  const server = await startInProcess(t, { clock });
  await everyForm(server);
  for (const sample of order(debs)) {
    await upload(server, 'stable', sample);
    clock.advance(1500);
  }
  for (const sample of order(rpms)) await upload(server, 'stable-rpm', sample);
  return server;
}

/** Everything comes by way of another channel: some by itself, yanked, and then all of it. */
async function promoteAll(t: Test): Promise<InProcess> {
  const server = await startInProcess(t);
  await everyForm(server);
  const main = '/api/v1/repositories/main';
  for (const [format, to, samples] of [
    ['apt', 'stable', debs],
    ['yum', 'stable-rpm', rpms],
  ] as const) {
    const from = `staging-${format}`;
    const put = { method: 'PUT', body: JSON.stringify({ format }) };
    await jsonOf(await server.api(`${main}/channels/${from}`, put));
    await Promise.all(samples.toReversed().map((sample) => upload(server, from, sample)));
    const promote = async (packages?: readonly { name: string }[]): Promise<void> => {
      const body = JSON.stringify({ from, to, force: true, ...(packages && { packages }) });
      await jsonOf(await server.api(`${main}/promotions`, { method: 'POST', body }));
    };
    await promote([{ name: 'package-3' }, { name: 'versions' }]);
    const machine = format === 'apt' ? '1.0-1/amd64' : '0:1.0-1/x86_64';
    const yank = `${main}/channels/${to}/packages/package-3/${encodeURI(machine)}`;
    await jsonOf(await server.api(yank, { method: 'DELETE' }));
    await promote();
  }
  return server;
}

t.test('two orders, a crowd and a long history lead to the same bytes', async (t) => {
  const forward = await fill(t, (samples) => samples);
  const expected = {
    apt: await headIndexes(forward, 'stable'),
    yum: await headIndexes(forward, 'stable-rpm'),
    named: await named(forward),
  };
  const same = async (server: InProcess, what: string): Promise<void> => {
    t.same(
      {
        apt: await headIndexes(server, 'stable'),
        yum: await headIndexes(server, 'stable-rpm'),
        named: await named(server),
      },
      expected,
      what,
    );
  };

  await same(await fill(t, (samples) => samples.toReversed(), fakeClock(Date.UTC(2027, 1, 1))), 'backwards');

  const crowd = await startInProcess(t);
  await everyForm(crowd);
  await Promise.all([
    ...debs.map((sample) => upload(crowd, 'stable', sample)),
    ...rpms.map((sample) => upload(crowd, 'stable-rpm', sample)),
  ]);
  await same(crowd, 'all at once');

  await same(await promoteAll(t), 'promoted from other channels, some yanked and promoted again');

  const winding = crowd;
  for (const sample of [debSample('passing'), debSample('aaa'), debSample('zzz')])
    await upload(winding, 'stable', sample);
  for (const name of ['passing', 'aaa', 'zzz', 'package-7', 'package-0'])
    await jsonOf(
      await winding.api(`/api/v1/repositories/main/channels/stable/packages/${name}/1.0-1/amd64`, {
        method: 'DELETE',
      }),
    );
  for (const name of ['package-0', 'package-7']) await upload(winding, 'stable', debSample(name));
  await same(winding, 'with some that came and went, and came back');

  await winding.close();
  const restarted = await startInProcess(t, { dataDir: winding.dataDir });
  await upload(restarted, 'stable', debSample('after-restart'));
  await jsonOf(
    await restarted.api('/api/v1/repositories/main/channels/stable/packages/after-restart/1.0-1/amd64', {
      method: 'DELETE',
    }),
  );
  await same(restarted, 'read from the catalog again after a restart');
});
