/** Ephemeral channels: made by an upload, kept alive by uploads, gone when their time is over, and back again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Actor } from '../../src/auth/permissions.ts';
import { collect, type Collection } from '../../src/registry/collect.ts';
import { openEphemeral } from '../../src/registry/ephemeral.ts';
import { getChannel } from '../../src/db/channels.ts';
import type { SetupFiles } from '../../src/registry/setup-files.ts';
import { createToken } from '../../src/registry/create-token.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { fakeClock, type FakeClock } from '../fake-clock.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { gate, openWorkshop } from '../publish/workshop.ts';
import { readApt, readFrom, readYum } from '../served.ts';
import { startInProcess, type InProcess } from '../server.ts';

t.setTimeout(240_000);

const actor: Actor = { kind: 'operator', name: 'test' };
const hour = 3_600_000;
const day = 24 * hour;
const main = '/api/v1/repositories/main';
const rule = { prefix: 'feature-', expiresAfterDays: 7, limit: 3 };

type Yard = {
  readonly server: InProcess;
  readonly clock: FakeClock;
  readonly put: (channel: string, sample: Sample) => Promise<Response>;
  readonly gc: (dryRun?: boolean) => Promise<Collection>;
  readonly allow: (...rules: object[]) => Promise<unknown>;
  readonly channel: (name: string) => Promise<Response>;
};

function yardOf(server: InProcess, clock: FakeClock): Yard {
  return {
    server,
    clock,
    put: (channel, { filename, bytes }) => server.upload(channel, filename, bytes),
    gc: (dryRun = false) => collect(server.app, { actor, repository: 'main', dryRun }),
    allow: async (...ephemeral) =>
      await jsonOf(await server.api(main, { method: 'PUT', body: JSON.stringify({ ephemeral }) })),
    channel: (name) => server.api(`${main}/channels/${name}`),
  };
}

async function open(t: Test): Promise<Yard> {
  // Files have the system's times.
  const clock = fakeClock(Date.now());
  const yard = yardOf(await startInProcess(t, { clock }), clock);
  await yard.allow(rule);
  return yard;
}

async function isSound(t: Test, { server }: Yard): Promise<void> {
  t.same(await Array.fromAsync(checkEverything(server.app)), []);
}

const status = async ({ server }: Yard, path: string): Promise<number> =>
  (await fetch(`${server.url}/${path}`)).status;

t.test('an upload makes the channel that the repository allows, and no other', async (t) => {
  const yard = await open(t);
  const { put, server, clock } = yard;
  t.match(await problemOf(await put('staging', debSample('app'))), { status: 404 });
  t.match(await problemOf(await put('feature-', debSample('app'))), { status: 400 });
  t.match(await problemOf(await put('feature-1', { ...debSample('app'), filename: 'app.zip' })), {
    code: 'wrong_format',
  });
  const broken = { filename: 'app.deb', bytes: Buffer.from('no package') };
  t.match(await problemOf(await put('feature-1', broken)), { status: 422 });
  t.match(await problemOf(await yard.channel('feature-1')), { status: 404 }, 'nothing of it stays');

  t.match(await jsonOf(await put('feature-1', debSample('app'))), { generation: 1, channel: 'feature-1' });
  t.match(await jsonOf(await put('feature-2', rpmSample('app'))), { generation: 1, channel: 'feature-2' });
  const expiresAt = new Date(clock.now() + 7 * day).toISOString();
  t.match(await jsonOf(await yard.channel('feature-1')), { format: 'apt', distribution: null, expiresAt });
  t.match(await jsonOf(await yard.channel('feature-2')), { format: 'yum', expiresAt });
  t.match(await jsonOf(await yard.channel('stable')), { expiresAt: null });
  t.equal((await readApt(readFrom(server.url), 'main', 'feature-1')).length, 1);
  t.equal((await readYum(readFrom(server.url), 'main', 'feature-2')).length, 1);
  for (const path of ['setup/main/feature-1.sources', 'setup/main/feature-2.repo'])
    t.equal(await status(yard, path), 200, path);
  t.match(await problemOf(await put('feature-2', debSample('app'))), { code: 'wrong_format' });
  const { events } = await jsonOf<{ events: object[] }>(await server.api(`${main}/events`));
  t.match(
    events.filter((event) => (event as { channel: string }).channel === 'feature-1'),
    [{ kind: 'upload' }, { kind: 'channel-create', detail: { ephemeral: true, expiresAt } }],
  );
  const page = await (await fetch(`${server.url}/r/main/c/feature-1`)).text();
  t.match(page, /<dt>Expires<\/dt>[\s\S]*in 7 d</);
  t.match(await (await fetch(`${server.url}/r/main`)).text(), /Ephemeral channels[\s\S]*feature-2/);
  t.match(await jsonOf(await server.api(main)), { ephemeral: [rule] });
  await isSound(t, yard);
});

t.test('who may not upload makes no channel, and is not told of private ones', async (t) => {
  const yard = await open(t);
  const { app } = yard.server;
  const token = async (scope: 'read' | 'upload', repository: string): Promise<string> =>
    (
      await createToken(app, actor, {
        name: scope + repository,
        scope,
        repositories: [repository],
        expiresAt: null,
      })
    ).text;
  const body = new Uint8Array(debSample('app').bytes);
  const as = async (text: string): Promise<Response> =>
    await yard.server.api(`${main}/channels/feature-1/packages/app.deb`, {
      method: 'PUT',
      body,
      headers: { authorization: `Bearer ${text}` },
    });
  await jsonOf(await yard.server.api('/api/v1/repositories/other', { method: 'PUT' }));
  t.match(await problemOf(await as(await token('read', 'main'))), { code: 'forbidden' });
  t.match(await problemOf(await as(await token('upload', 'other'))), { code: 'forbidden' });
  t.equal((await yard.channel('feature-1')).status, 404);
  t.match(await jsonOf(await as(await token('upload', 'main'))), { generation: 1 });
});

t.test('there are no more of them than the rule says, and rules are what can be kept', async (t) => {
  const yard = await open(t);
  await yard.allow(
    { ...rule, limit: 2 },
    { prefix: 'pr.', expiresAfterDays: 1, limit: 1, distribution: 'el9' },
  );
  for (const name of ['feature-1', 'feature-2']) await jsonOf(await yard.put(name, debSample('app')));
  t.match(await problemOf(await yard.put('feature-3', debSample('app'))), {
    status: 409,
    code: 'ephemeral_limit',
  });
  t.equal((await yard.channel('feature-3')).status, 404);
  t.match(
    await jsonOf(await yard.put('feature-1', debSample('more'))),
    { generation: 2 },
    'those that are there',
  );
  await jsonOf(await yard.put('pr.7', rpmSample('app')));
  t.match(await jsonOf(await yard.channel('pr.7')), { distribution: 'el9' }, 'another rule has its own');
  for (const wrong of [
    { ...rule, prefix: 'feature' },
    { ...rule, limit: 0 },
    { ...rule, expiresAfterDays: 0 },
  ]) {
    const body = JSON.stringify({ ephemeral: [wrong] });
    t.equal((await yard.server.api(main, { method: 'PUT', body })).status, 400);
  }
  await yard.allow();
  t.match(await problemOf(await yard.put('feature-4', debSample('app'))), { status: 404 });
  await isSound(t, yard);
});

t.test('first uploads at once make one channel, with all of their packages', async (t) => {
  const yard = await open(t);
  const names = ['apple', 'pear', 'plum', 'quince', 'fig'];
  const replies = await Promise.all(names.map((name) => yard.put('feature-1', debSample(name))));
  for (const reply of replies) t.equal(reply.status, 201);
  const served = await readApt(readFrom(yard.server.url), 'main', 'feature-1');
  t.same(served.map(({ name }) => name).sort(), names.toSorted());
  const { events } = await jsonOf<{ events: { kind: string }[] }>(await yard.server.api(`${main}/events`));
  t.equal(events.filter(({ kind }) => kind === 'channel-create').length, 3, 'two were there from the start');

  const both = await Promise.all([
    yard.put('feature-2', debSample('apple')),
    yard.put('feature-2', rpmSample('apple')),
  ]);
  t.same(both.map((reply) => reply.status).sort(), [201, 422], 'one format wins');
  await isSound(t, yard);
});

t.test(
  'uploads keep it, and without them it goes: empty first, then not there, then collected',
  async (t) => {
    const yard = await open(t);
    const { clock, put, gc, server } = yard;
    await jsonOf(await put('feature-1', debSample('app')));
    await jsonOf(await put('feature-2', rpmSample('app')));
    clock.advance(6 * day);
    t.match(
      await jsonOf(await put('feature-1', debSample('app'))),
      { status: 'unchanged' },
      'the same again will do',
    );
    clock.advance(2 * day);
    t.same((await gc(true)).expired, ['feature-2']);
    t.equal((await yard.channel('feature-2')).status, 200, 'a dry run does nothing');
    const stale = await (await fetch(`${server.url}/r/main/c/feature-2`)).text();
    t.match(stale, /with the next collection/);
    t.same((await gc()).expired, ['feature-2']);
    t.same(await readYum(readFrom(server.url), 'main', 'feature-2'), [], 'who follows it finds it empty');
    t.equal(await status(yard, 'setup/main/feature-2.repo'), 404);
    t.match(await problemOf(await yard.channel('feature-2')), {
      status: 410,
      code: 'channel_expired',
      detail: /feature-2.*expired on 20/,
    });
    t.equal((await fetch(`${server.url}/r/main/c/feature-2`)).status, 410);
    t.notMatch(await (await fetch(`${server.url}/r/main`)).text(), /feature-2/);
    const promotion = JSON.stringify({ from: 'stable-rpm', to: 'feature-2' });
    t.match(await problemOf(await server.api(`${main}/promotions`, { method: 'POST', body: promotion })), {
      code: 'channel_expired',
    });
    t.match(await jsonOf(await yard.channel('feature-1')), { generation: 1 });
    await isSound(t, yard);

    const file = join(server.dataDir, 'tree', 'yum/main/pool/a/app-1.0-1.x86_64.rpm');
    t.ok(existsSync(file));
    clock.advance(30 * day);
    await gc();
    clock.advance(hour);
    const left = await gc();
    t.notOk(existsSync(file), 'nobody needs its packages any more');
    t.equal(await status(yard, 'yum/main/feature-2/repodata/repomd.xml'), 404);
    t.same((await Array.fromAsync(server.app.store.list('yum/main/feature-2'))).length, 0);
    t.same(left.expired, []);
    await isSound(t, yard);
  },
);

for (const collected of [false, true])
  t.test(
    `it comes back with the next upload, ${collected ? 'after' : 'before'} its files were collected`,
    async (t) => {
      const yard = await open(t);
      const { clock, put, gc, server } = yard;
      for (const name of ['apple', 'pear']) await jsonOf(await put('feature-1', debSample(name)));
      clock.advance(8 * day);
      await gc();
      if (collected)
        for (const ms of [30 * day, hour]) {
          clock.advance(ms);
          await gc();
        }
      t.match(
        await jsonOf(await put('feature-1', debSample('plum'))),
        { generation: 4 },
        'its history goes on',
      );
      const served = await readApt(readFrom(server.url), 'main', 'feature-1');
      t.same(
        served.map(({ name }) => name),
        ['plum'],
      );
      t.equal(await status(yard, 'setup/main/feature-1.sources'), 200);
      t.match(await jsonOf(await yard.channel('feature-1')), {
        expiresAt: new Date(clock.now() + 7 * day).toISOString(),
      });
      t.match(await jsonOf(await put('feature-1', debSample('apple'))), { status: 'created', generation: 5 });
      await isSound(t, yard);
      await yard.allow();
      clock.advance(8 * day);
      t.same((await gc()).expired, ['feature-1'], 'also when no new ones are allowed');
      t.match(await problemOf(await put('feature-1', debSample('fig'))), { code: 'channel_expired' });
      const kept = JSON.stringify({ format: 'apt' });
      const made = await jsonOf(
        await server.api(`${main}/channels/feature-1`, { method: 'PUT', body: kept }),
      );
      t.match(made, { expiresAt: null }, 'who asks for it by name gets one that stays');
      clock.advance(80 * day);
      t.same((await gc()).expired, []);
      t.match(await jsonOf(await put('feature-1', debSample('fig'))), { status: 'created' });
      await isSound(t, yard);
    },
  );

t.test('what is pinned of it stays', async (t) => {
  const yard = await open(t);
  const { clock, put, gc, server } = yard;
  await jsonOf(await put('feature-1', debSample('app')));
  await jsonOf(await server.api(`${main}/channels/feature-1/pins/golden`, { method: 'PUT' }));
  for (const ms of [8 * day, 30 * day, hour]) {
    clock.advance(ms);
    await gc();
  }
  t.equal(await status(yard, 'apt/main/snapshots/golden/dists/feature-1/InRelease'), 200);
  t.equal(await status(yard, 'apt/main/snapshots/golden/pool/a/app/app_1.0-1_amd64.deb'), 200);
  await isSound(t, yard);
});

/** The set-up files of a server, with something else at the moment when an expiry takes them away. */
function withRemove(setupFiles: SetupFiles, remove: SetupFiles['remove']): SetupFiles {
  return new Proxy(setupFiles, {
    get: (target, name) => {
      if (name === 'remove') return remove;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

t.test('an expiry that was cut short is ended by the next one, also after a restart', async (t) => {
  const clock = fakeClock(Date.now());
  const workshop = await openWorkshop(t, { clock });
  const { app, hooks, server } = workshop;
  const yard = yardOf(server, clock);
  await yard.allow(rule);
  await jsonOf(await yard.put('feature-1', debSample('app')));
  clock.advance(8 * day);
  const cut = {
    ...app,
    setupFiles: withRemove(app.setupFiles, () => Promise.reject(new Error('power cut'))),
  };
  hooks.sign = () => Promise.reject(new Error('no key'));
  await t.rejects(collect(app, { actor, repository: 'main', dryRun: false }), { message: 'no key' });
  t.equal((await readApt(readFrom(server.url), 'main', 'feature-1')).length, 1, 'nothing has happened');
  hooks.sign = () => undefined;
  await t.rejects(collect(cut, { actor, repository: 'main', dryRun: false }), { message: 'power cut' });
  t.same(await readApt(readFrom(server.url), 'main', 'feature-1'), [], 'it is empty');
  t.match(await jsonOf(await yard.channel('feature-1')), { generation: 2 }, 'and still there');
  await isSound(t, yard);
  await server.close();
  const again = yardOf(await startInProcess(t, { clock, dataDir: server.dataDir }), clock);
  t.equal(await status(again, 'setup/main/feature-1.sources'), 200);
  t.same((await again.gc()).expired, ['feature-1']);
  t.equal(await status(again, 'setup/main/feature-1.sources'), 404);
  t.equal((await again.channel('feature-1')).status, 410);
  await isSound(t, again);
});

t.test('an upload in the middle of an expiry keeps the channel, with just that', async (t) => {
  const clock = fakeClock(Date.now());
  const workshop = await openWorkshop(t, { clock });
  const { app, hooks, server, upload } = workshop;
  const yard = yardOf(server, clock);
  await yard.allow(rule);
  await upload('feature-1', debSample('old'));
  clock.advance(8 * day);
  const door = gate();
  hooks.sign = door.pass;
  const expiring = collect(app, { actor, repository: 'main', dryRun: false });
  await door.reached;
  const uploading = upload('feature-1', debSample('new'));
  hooks.sign = () => undefined;
  door.open();
  const [collection, receipt] = await Promise.all([expiring, uploading]);
  t.match(receipt, { status: 'created' });
  const served = await readApt(readFrom(server.url), 'main', 'feature-1');
  t.same(
    served.map(({ name }) => name),
    ['new'],
  );
  const isExpired = collection.expired.includes('feature-1');
  t.match(await jsonOf(await yard.channel('feature-1')), { name: 'feature-1' });
  t.equal(await status(yard, 'setup/main/feature-1.sources'), 200, `expired meanwhile: ${isExpired}`);
  await isSound(t, yard);
});

t.test(
  'an upload that is recorded just before the mark keeps the channel and what sets machines up',
  async (t) => {
    const yard = await open(t);
    const { app } = yard.server;
    await jsonOf(await yard.put('feature-1', debSample('app')));
    yard.clock.advance(8 * day);
    const setupFiles = withRemove(app.setupFiles, async (channel) => {
      await app.setupFiles.remove(channel);
      // As the transaction of an upload begins.
      await openEphemeral(app.db, await getChannel(app.db, channel.id), actor, yard.clock.now());
    });
    const { expired } = await collect({ ...app, setupFiles }, { actor, repository: 'main', dryRun: false });
    t.same(expired, []);
    t.equal(await status(yard, 'setup/main/feature-1.sources'), 200);
    t.match(await jsonOf(await yard.channel('feature-1')), {
      expiresAt: new Date(yard.clock.now() + 7 * day).toISOString(),
    });
    await isSound(t, yard);
  },
);
