import t, { type Test } from 'tap';
import type { Catalog } from '../../src/db/catalog.ts';
import {
  addMember,
  countMembers,
  findMembership,
  insertPendingChanges,
  listMemberDetails,
  pagesOfMembers,
  listPendingChanges,
  listPlaces,
  loadEntries,
  removeMember,
  settleChanges,
  type Member,
} from '../../src/db/membership.ts';
import { catalogWith, put, putPackage } from './rows.ts';

const stable = 'acme/stable';
const add = (db: Catalog, name: string, added_in: number, component = 'main'): Promise<void> =>
  addMember(db, { channel: stable, package: name, component, added_in });
const remove = (db: Catalog, name: string, removed_in: number, component = 'main'): Promise<void> =>
  removeMember(db, { channel: stable, package: name, component, removed_in });

async function listMembers(db: Catalog, channel: string, generation: number): Promise<Member[]> {
  const all = (await Array.fromAsync(pagesOfMembers(db, channel, generation))).flat();
  // A package is in two components at the most.
  const small = (await Array.fromAsync(pagesOfMembers(db, channel, generation, 3))).flat();
  const names = (members: readonly Member[]): string[] =>
    members.map((member) => `${member.package} ${member.component}`).sort();
  if (names(all).join() !== names(small).join()) throw new Error(`in pages: ${names(small).join()}`);
  return all;
}

/** What each generation holds: a came first and stayed, b came and went and came back, c is in two components. */
async function history(t: Test): Promise<Catalog> {
  const db = await catalogWith(t, 'a', 'b', 'c', 'd');
  await add(db, 'a', 1);
  await add(db, 'b', 2);
  await add(db, 'c', 2);
  await add(db, 'c', 3, 'extra');
  await remove(db, 'b', 3);
  await add(db, 'b', 5);
  await remove(db, 'c', 5);
  await addMember(db, { channel: 'acme/el9', package: 'd', component: 'main', added_in: 1 });
  return db;
}

t.test('every generation holds what it was published with', async (t) => {
  const db = await history(t);
  const held = async (generation: number): Promise<string> =>
    (await listMembers(db, stable, generation))
      .map((member) => `${member.package}/${member.component}`)
      .sort()
      .join(' ');
  t.equal(await held(0), '');
  t.equal(await held(1), 'a/main');
  t.equal(await held(2), 'a/main b/main c/main');
  t.equal(await held(3), 'a/main c/extra c/main');
  t.equal(await held(4), 'a/main c/extra c/main');
  t.equal(await held(5), 'a/main b/main c/extra');
  t.match(await listMembers(db, stable, 1), [
    {
      package: 'a',
      name: 'a',
      version: '1',
      architecture: 'amd64',
      sha256: 'served a',
    },
  ]);
});

t.test('what the head holds is counted, found and listed', async (t) => {
  const db = await history(t);
  t.equal(await countMembers(db, stable), 3);
  t.equal(await countMembers(db, 'acme/el9'), 1);
  t.equal(await countMembers(db, 'acme/none'), 0);
  t.same(await findMembership(db, stable, 'c'), ['extra']);
  t.same(await findMembership(db, stable, 'd'), []);
  t.match(await listMemberDetails(db, stable, { limit: 10 }), [
    { name: 'a', component: 'main', added_in: 1 },
    { name: 'b', component: 'main', added_in: 5 },
    { name: 'c', component: 'extra', added_in: 3 },
  ]);
  t.match(await listMemberDetails(db, stable, { name: 'b', limit: 10 }), [{ name: 'b' }]);
  t.same(await listMemberDetails(db, stable, { name: 'd', limit: 10 }), []);
});

t.test('a list is continued where it stopped', async (t) => {
  const db = await catalogWith(t);
  for (const [id, name] of [
    ['1', 'b'],
    ['2', 'a'],
    ['3', 'b'],
    ['4', 'c'],
  ] as const) {
    await putPackage(db, id, { name, version: id });
    for (const component of ['main', 'extra']) await add(db, id, 1, component);
  }
  const all = await listMemberDetails(db, stable, { limit: 100 });
  t.same(
    all.map(({ name, id, component }) => `${name}${id} ${component}`),
    ['a2 extra', 'a2 main', 'b1 extra', 'b1 main', 'b3 extra', 'b3 main', 'c4 extra', 'c4 main'],
  );
  for (const [i, after] of all.entries())
    t.same(await listMemberDetails(db, stable, { after, limit: 3 }), all.slice(i + 1, i + 4));
});

t.test('where a package came and went', async (t) => {
  const db = await history(t);
  await addMember(db, { channel: 'acme/el9', package: 'b', component: 'main', added_in: 4 });
  t.same(await listPlaces(db, 'b'), [
    { channel: 'acme/el9', component: 'main', added_in: 4, removed_in: null },
    { channel: stable, component: 'main', added_in: 2, removed_in: 3 },
    { channel: stable, component: 'main', added_in: 5, removed_in: null },
  ]);
  t.same(await listPlaces(db, 'none'), []);
});

t.test('a member is there once, and a package that is none is no member', async (t) => {
  const db = await history(t);
  await t.rejects(add(db, 'a', 1), /unique/i);
  await t.rejects(add(db, 'nothing', 1), /foreign key/i);
});

t.test('entries are loaded by kind, for any number of packages', async (t) => {
  const names = Array.from({ length: 2300 }, (_, i) => `p${String(i).padStart(4, '0')}`);
  const db = await catalogWith(t, ...names.slice(0, 30));
  for (const name of names.slice(0, 30))
    await put(
      db,
      'entries',
      { package: name, kind: 'primary', body: `<${name}>` },
      { package: name, kind: 'other', body: 'x' },
    );
  const found = await loadEntries(db, 'primary', names);
  t.equal(found.size, 30);
  t.equal(found.get('p0007'), '<p0007>');
  t.equal((await loadEntries(db, 'filelists', names)).size, 0);
  t.equal((await loadEntries(db, 'primary', [])).size, 0);
});

t.test('pending changes come in their order, those of one event together', async (t) => {
  const db = await catalogWith(t, 'a', 'b');
  await put(
    db,
    'events',
    { id: 'e1', actor: 'ci', kind: 'upload' },
    { id: 'e2', actor: 'me', kind: 'yank' },
    { id: 'e3', actor: 'ci', kind: 'upload' },
  );
  const change = { channel: stable, component: 'main' };
  await insertPendingChanges(db, [
    { id: '2', ...change, action: 'remove', package: 'a', event: 'e2' },
    { id: '1', ...change, action: 'add', package: 'a', event: 'e1' },
    { id: '3', ...change, action: 'remove', package: 'b', event: 'e2' },
    { id: '4', ...change, action: 'add', package: 'b', event: 'e3' },
    { id: '0', ...change, channel: 'acme/el9', action: 'add', package: 'b', event: 'e1' },
  ]);
  await insertPendingChanges(db, []);
  const ids = async (limit: number): Promise<[string, boolean]> => {
    const { changes, more } = await listPendingChanges(db, { id: stable, head: 1 }, limit);
    return [changes.map(({ id }) => id).join(''), more];
  };
  t.same(await ids(10), ['1234', false]);
  t.same(await ids(1), ['1', true]);
  t.same(await ids(2), ['123', true], 'an event is never torn into two generations');
  t.match((await listPendingChanges(db, { id: stable, head: 1 }, 10)).changes, [
    { id: '1', action: 'add', name: 'a', path: 'pool/a', actor: 'ci', cause: 'upload' },
    { id: '2', action: 'remove', name: 'a', actor: 'me', cause: 'yank' },
    { id: '3', name: 'b' },
    { id: '4', name: 'b' },
  ]);
});

t.test('a pending change says since when the head holds its package', async (t) => {
  const db = await history(t);
  await put(db, 'events', { id: 'e' });
  const change = { channel: stable, package: 'b', action: 'add', event: 'e' } as const;
  await insertPendingChanges(db, [
    { id: '1', ...change, component: 'main' },
    { id: '2', ...change, component: 'another' },
  ]);
  const since = async (head: number): Promise<unknown[]> => {
    const { changes } = await listPendingChanges(db, { id: stable, head }, 10);
    return changes.map(({ member_since }) => member_since);
  };
  t.same(await Promise.all([1, 2, 3, 4, 5].map(since)), [
    [null, null],
    [2, null],
    [null, null],
    [null, null],
    [5, null],
  ]);
});

t.test('settling tells events where they went, and notices what was taken back', async (t) => {
  const db = await catalogWith(t, 'a', 'b');
  await put(db, 'events', { id: 'e1' }, { id: 'e2', generation: 4 }, { id: 'e3' });
  const change = { channel: stable, component: 'main', action: 'add' } as const;
  await insertPendingChanges(db, [
    { id: '1', ...change, package: 'a', event: 'e1' },
    { id: '2', ...change, package: 'b', event: 'e2' },
    { id: '3', ...change, package: 'b', event: 'e3' },
  ]);
  const { changes: taken } = await listPendingChanges(db, { id: stable, head: 1 }, 2);
  t.ok(await settleChanges(db, taken, 7));
  t.match(await listPendingChanges(db, { id: stable, head: 1 }, 10), { changes: [{ id: '3' }], more: false });
  const events = await db.selectFrom('events').select(['id', 'generation']).orderBy('id').execute();
  t.same(events, [
    { id: 'e1', generation: 7 },
    { id: 'e2', generation: 4 },
    { id: 'e3', generation: null },
  ]);
  t.notOk(await settleChanges(db, taken, 8), 'they are no longer there');
  t.ok(await settleChanges(db, [], 8));
});

t.test('thousands of changes are settled', async (t) => {
  const db = await catalogWith(t, 'a');
  await put(db, 'events', { id: 'e' });
  const changes = Array.from({ length: 7000 }, (_, i) => ({
    id: String(i).padStart(5, '0'),
    channel: stable,
    action: 'add' as const,
    package: 'a',
    component: 'main',
    event: 'e',
  }));
  await insertPendingChanges(db, changes);
  t.ok(await settleChanges(db, changes, 2));
  t.same(await listPendingChanges(db, { id: stable, head: 1 }, 10), { changes: [], more: false });
});
