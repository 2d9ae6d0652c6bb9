/** Retention: what was superseded leaves its channel in a generation of its own, and nothing is lost by it. */
import t from 'tap';
import type { Actor } from '../../src/auth/permissions.ts';
import { collect, type Collection } from '../../src/registry/collect.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readYum } from '../served.ts';
import { startInProcess } from '../server.ts';

t.setTimeout(240_000);

const actor: Actor = { kind: 'operator', name: 'test' };
const day = 86_400_000;
const main = '/api/v1/repositories/main';
const clock = fakeClock(Date.now());
const server = await startInProcess(t, { clock });
const gc = (dryRun = false): Promise<Collection> =>
  collect(server.app, { actor, repository: 'main', dryRun });
const set = async (path: string, body: object): Promise<Record<string, unknown>> =>
  await jsonOf(await server.api(`${main}${path}`, { method: 'PUT', body: JSON.stringify(body) }));
const versions = async (channel: string): Promise<string[]> => {
  const read = channel.endsWith('rpm') ? readYum : readApt;
  return (await read(readFrom(server.url), 'main', channel))
    .map(({ name, version, architecture }) => `${name} ${version} ${architecture}`)
    .sort();
};

/** In the order of their upload, which is not that of the versions. */
const apt = ['1.0-2', '1.0~rc1-1', '1:0.1-1', '1.0-10'];
const yum = ['1.0-2', '1.0~rc1-1', '1:0.1-1', '1.0-10'];

t.test('without a rule nothing leaves', async (t) => {
  for (const version of apt) {
    const { filename, bytes } = debSample('app', { version });
    await jsonOf(await server.upload('stable', filename, bytes));
  }
  for (const version of yum) {
    const { filename, bytes } = rpmSample('app', { version });
    await jsonOf(await server.upload('stable-rpm', filename, bytes));
  }
  const { filename, bytes } = debSample('app', { architecture: 'arm64', version: '0.1-1' });
  await jsonOf(await server.upload('stable', filename, bytes));
  t.same((await gc()).retained, []);
  t.equal((await versions('stable')).length, 5);
});

t.test('the last versions stay, by the order of dpkg and of rpm, for each architecture', async (t) => {
  t.match(await set('/channels/stable', { format: 'apt', retention: { keepVersions: 2 } }), {
    retention: { keepVersions: 2 },
  });
  await set('/channels/stable-rpm', { format: 'yum', retention: { keepVersions: 2 } });
  const planned = await gc(true);
  t.equal((await versions('stable')).length, 5, 'a dry run changes nothing');
  const done = await gc();
  t.match(
    planned.retained.map(({ removed, generation }) => ({ generation, removed })),
    done.retained.map(({ removed, generation }) => ({ generation, removed })),
  );
  t.same(await versions('stable'), ['app 0.1-1 arm64', 'app 1.0-10 amd64', 'app 1:0.1-1 amd64']);
  t.same(await versions('stable-rpm'), ['app 0:1.0-10 x86_64', 'app 1:0.1-1 x86_64']);
  t.same((await gc()).retained, [], 'once');
  const { generations } = await jsonOf<{ generations: { cause: string; actor: string; removed: number }[] }>(
    await server.api(`${main}/channels/stable/generations`),
  );
  t.match(generations[0], { cause: 'retention', actor: 'test', removed: 2 });
  t.same(await Array.fromAsync(checkEverything(server.app, { alone: true })), []);
});

t.test('it is a publication: it can be rolled back', async (t) => {
  const body = JSON.stringify({ generation: 6, force: true });
  await jsonOf(await server.api(`${main}/channels/stable/rollback`, { method: 'POST', body }));
  t.equal((await versions('stable')).length, 5);
});

t.test('what came lately stays, however many versions there are', async (t) => {
  await set('/channels/stable', { format: 'apt', retention: { keepVersions: 1, keepDays: 7 } });
  clock.advance(6 * day);
  const { filename, bytes } = debSample('app', { version: '0.5-1' });
  await jsonOf(await server.upload('stable', filename, bytes));
  t.same((await gc()).retained, []);
  clock.advance(2 * day);
  await gc();
  t.same(await versions('stable'), ['app 0.1-1 arm64', 'app 0.5-1 amd64', 'app 1:0.1-1 amd64']);
  clock.advance(6 * day);
  await gc();
  t.same(
    await versions('stable'),
    ['app 0.1-1 arm64', 'app 1:0.1-1 amd64'],
    'the newest stays whatever its age',
  );
});

t.test('the rule of the repository holds for channels without one', async (t) => {
  await set('/channels/other', { format: 'apt' });
  await set('/channels/all', { format: 'apt', retention: null });
  for (const channel of ['other', 'all'])
    for (const version of ['1', '2']) {
      const { filename, bytes } = debSample('lib', { version });
      await jsonOf(await server.upload(channel, filename, bytes));
    }
  t.match(await set('', { retention: { keepVersions: 1 } }), { retention: { keepVersions: 1 } });
  await gc();
  t.same(await versions('other'), ['lib 2 amd64']);
  t.same(await versions('all'), ['lib 1 amd64', 'lib 2 amd64']);
  t.match(await set('', { description: 'Other words' }), { retention: { keepVersions: 1 } });
  t.match(await set('', { retention: null }), { retention: null });
});

t.test('a rule that says nothing is refused', async (t) => {
  for (const retention of [{}, { keepVersions: 0 }, { keepDays: -1 }, { keepWeeks: 1 }])
    t.match(
      await problemOf(
        await server.api(`${main}/channels/stable`, {
          method: 'PUT',
          body: JSON.stringify({ format: 'apt', retention }),
        }),
      ),
      { status: 400, code: 'bad_request' },
    );
});
