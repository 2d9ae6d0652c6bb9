/** Collection beside uploads, publications and rollbacks, each stopped where it could do harm; and crashes. */
import t, { type Test } from 'tap';
import type { Actor } from '../../src/auth/permissions.ts';
import { collect, type Collection } from '../../src/registry/collect.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { rollBack } from '../../src/registry/roll-back.ts';
import { yankPackage } from '../../src/registry/yank-package.ts';
import { fakeClock, type FakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { gate, openWorkshop, type Workshop } from '../publish/workshop.ts';
import { readApt, readFrom, readPackage } from '../served.ts';

t.setTimeout(240_000);

const actor: Actor = { kind: 'operator', name: 'test' };
const hour = 3_600_000;
const day = 24 * hour;
const oldFile = 'apt/main/pool/o/old/old_1.0-1_amd64.deb';

type Scene = Workshop & { readonly clock: FakeClock };

/** A channel whose generations 1 to 4 can be collected, with a package that only they hold. */
async function openScene(t: Test): Promise<Scene> {
  const clock = fakeClock(Date.now());
  const workshop = await openWorkshop(t, { clock });
  for (const name of ['kept', 'old']) await workshop.upload('stable', debSample(name));
  await yank(workshop, 'old');
  for (const name of ['one', 'two', 'three']) await workshop.upload('stable', debSample(name));
  clock.advance(4 * day);
  return { ...workshop, clock };
}

async function yank({ app }: Workshop, name: string): Promise<void> {
  await yankPackage(app, {
    actor,
    repository: 'main',
    channel: 'stable',
    name,
    version: '1.0-1',
    architecture: 'amd64',
  });
}

const gc = ({ app }: Workshop): Promise<Collection> =>
  collect(app, { actor, repository: 'main', dryRun: false });

const rollBackTo = ({ app }: Workshop, generation: number) =>
  rollBack(app, { actor, repository: 'main', channel: 'stable', generation, dryRun: false, force: true });

async function names({ server }: Workshop): Promise<string[]> {
  const read = readFrom(server.url);
  const found = await readApt(read, 'main', 'stable');
  for (const entry of found) await readPackage(read, entry);
  return found.map(({ name }) => name).sort();
}

async function isSound(t: Test, { app }: Workshop): Promise<void> {
  t.same(await Array.fromAsync(checkEverything(app, { alone: true })), [], 'fsck is clean');
}

/** Holds the first write of this kind to a key that matches. */
function holdAt(scene: Scene, operation: string, pattern: RegExp): ReturnType<typeof gate> {
  const held = gate();
  scene.hooks.write = async (name, key) => {
    if (name === operation && pattern.test(key)) await held.pass();
  };
  return held;
}

t.test('a rollback that is recorded first keeps its packages', async (t) => {
  const scene = await openScene(t);
  const held = gate();
  scene.hooks.sign = held.pass;
  const rolling = rollBackTo(scene, 3);
  await held.reached;
  t.same((await gc(scene)).packages, []);
  held.open();
  t.equal((await rolling).status, 'published');
  scene.clock.advance(hour);
  await gc(scene);
  t.same(await names(scene), ['kept', 'old']);
  await isSound(t, scene);
});

t.test('a rollback that comes second is refused, and changes nothing', async (t) => {
  const scene = await openScene(t);
  t.same(
    (await gc(scene)).packages.map(({ key }) => key),
    [oldFile],
  );
  await t.rejects(rollBackTo(scene, 3), { code: 'package_collected' });
  t.same(await names(scene), ['kept', 'one', 'three', 'two']);
  await isSound(t, scene);
});

t.test('a rollback that read the package before it was marked is refused as well', async (t) => {
  const scene = await openScene(t);
  // Between what it reads and what it records stands the plan, which this holds up.
  const { db } = scene.app;
  const held = gate();
  const slow = new Proxy(db, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'transaction' || typeof value !== 'function')
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      return () => ({
        execute: async (work: Parameters<ReturnType<typeof db.transaction>['execute']>[0]) => {
          await held.pass();
          return await db.transaction().execute(work);
        },
      });
    },
  });
  const rolling = rollBackTo({ ...scene, app: { ...scene.app, db: slow } }, 3);
  await held.reached;
  t.equal((await gc(scene)).packages.length, 1);
  held.open();
  await t.rejects(rolling, { code: 'package_collected' });
  await isSound(t, scene);
});

t.test('a file is not deleted from under the publication that comes to name it again', async (t) => {
  const scene = await openScene(t);
  for (const name of ['one', 'two']) await yank(scene, name);
  scene.clock.advance(4 * day);
  await gc(scene);
  scene.clock.advance(hour);
  // The index of "kept" alone is one of generation 2, which was collected.
  const held = gate();
  scene.hooks.sign = held.pass;
  const yanking = yank(scene, 'three');
  await held.reached;
  const collecting = gc(scene);
  held.open();
  await yanking;
  const { deleted } = await collecting;
  t.ok(deleted.length > 0);
  t.same(await names(scene), ['kept']);
  await isSound(t, scene);
});

t.test('a publication waits for a deletion, and writes the file again', async (t) => {
  const scene = await openScene(t);
  for (const name of ['one', 'two']) await yank(scene, name);
  scene.clock.advance(4 * day);
  await gc(scene);
  scene.clock.advance(hour);
  const held = holdAt(scene, 'delete', /binary-amd64\/by-hash/);
  const collecting = gc(scene);
  await held.reached;
  const yanking = yank(scene, 'three');
  held.open();
  await Promise.all([collecting, yanking]);
  t.same(await names(scene), ['kept']);
  await isSound(t, scene);
});

t.test('an upload waits for the deletion of its file, and brings it back', async (t) => {
  const scene = await openScene(t);
  await gc(scene);
  scene.clock.advance(hour);
  const held = holdAt(scene, 'delete', /^apt\/main\/pool/);
  const collecting = gc(scene);
  await held.reached;
  const uploading = scene.upload('stable', debSample('old'));
  held.open();
  t.ok((await collecting).deleted.some(({ key }) => key === oldFile));
  t.equal((await uploading).status, 'created');
  t.ok((await names(scene)).includes('old'));
  await isSound(t, scene);
});

t.test('a deletion waits for an upload, and leaves its file alone', async (t) => {
  const scene = await openScene(t);
  await gc(scene);
  scene.clock.advance(hour);
  // Damaged, so that the upload has something to write while it holds the lock.
  await scene.app.store.putImmutable(oldFile, [Buffer.from('damaged')]);
  const held = holdAt(scene, 'putImmutableFile', /old/);
  const uploading = scene.upload('stable', debSample('old'));
  await held.reached;
  const { identities } = scene.app;
  const waiting = gate();
  waiting.open();
  const told = new Proxy(identities, {
    get: () => async (name: string, work: () => Promise<unknown>) => {
      const result = identities.run(name, work);
      if (name.startsWith('package ')) await waiting.pass();
      return await result;
    },
  });
  const collecting = gc({ ...scene, app: { ...scene.app, identities: told } });
  await waiting.reached;
  held.open();
  t.equal((await uploading).status, 'created');
  t.notOk((await collecting).deleted.some(({ key }) => key === oldFile));
  t.ok((await names(scene)).includes('old'));
  await isSound(t, scene);
});

t.test('a channel that is made while files are deleted finds its own', async (t) => {
  const scene = await openScene(t);
  await gc(scene);
  scene.clock.advance(hour);
  const held = holdAt(scene, 'delete', /snapshots\/1\/pool/);
  const collecting = gc(scene);
  await held.reached;
  const making = scene.server.api('/api/v1/repositories/main/channels/fresh', {
    method: 'PUT',
    body: '{"format":"apt"}',
  });
  held.open();
  await collecting;
  t.equal((await making).status, 201);
  await isSound(t, scene);
});

t.test('a crash at any deletion leaves a sound tree, and the next collection goes on', async (t) => {
  const scene = await openScene(t);
  for (const name of ['one', 'two']) await scene.upload('stable-rpm', rpmSample(name));
  scene.clock.advance(4 * day);
  await gc(scene);
  scene.clock.advance(hour);
  const planned = await collect(scene.app, { actor, repository: 'main', dryRun: true });
  const left = new Set(planned.deleted.map(({ key }) => key));
  t.ok(left.size > 10);
  let points = 0;
  for (let crashed = true; crashed; points++) {
    let deletions = 0;
    crashed = false;
    scene.hooks.write = (operation, key) => {
      if (operation !== 'delete') return;
      if (deletions++ === 3) {
        crashed = true;
        throw new Error('power cut');
      }
      left.delete(key);
    };
    await gc(scene).catch((error: unknown) => t.match(error, { message: 'power cut' }));
    await isSound(t, scene);
  }
  t.same([...left], [], `all gone after ${points} attempts`);
  t.same(await names(scene), ['kept', 'one', 'three', 'two']);
});
