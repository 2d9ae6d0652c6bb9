import t, { type Test } from 'tap';
import type { Catalog } from '../../src/db/catalog.ts';
import { listEvents, listUploads } from '../../src/db/events.ts';
import { addMember, insertPendingChanges } from '../../src/db/membership.ts';
import {
  findByDigest,
  findByIdentity,
  findByUploadedSha256,
  insertUpload,
  listPackageFiles,
  listPackages,
  pathIsTaken,
  withdraw,
} from '../../src/db/packages.ts';
import { listNamesWith } from '../../src/db/search.ts';
import { catalogWith, put, putPackage, rowOf } from './rows.ts';

const place = { repository: 'acme', format: 'apt', distribution: '' } as const;
const identity = { ...place, name: 'a', version: '1', architecture: 'amd64' };

t.test('an identity is found by all of it', async (t) => {
  const db = await catalogWith(t, 'a');
  t.match(await findByIdentity(db, identity), { id: 'a' });
  for (const other of [
    { repository: 'beta' },
    { format: 'yum' as const },
    { distribution: 'bookworm' },
    { name: 'b' },
    { version: '1.0' },
    { architecture: 'all' },
  ])
    t.equal(await findByIdentity(db, { ...identity, ...other }), undefined, JSON.stringify(other));
  await t.rejects(putPackage(db, 'again', { name: 'a', path: 'elsewhere' }), /unique/i, 'and is there once');
  await t.rejects(putPackage(db, 'other', { path: 'pool/a' }), /unique/i, 'as a path is');
});

t.test('a package is found by what was uploaded, within its format and distribution', async (t) => {
  const db = await catalogWith(t, 'a');
  const key = { ...place, uploaded_sha256: 'uploaded a' };
  t.match(await findByUploadedSha256(db, key), { id: 'a' });
  t.equal(await findByUploadedSha256(db, { ...key, distribution: 'noble' }), undefined);
  t.equal(await findByUploadedSha256(db, { ...key, format: 'yum' }), undefined);
  t.equal(await findByUploadedSha256(db, { ...key, uploaded_sha256: 'served a' }), undefined);
});

t.test('and by each of its digests, within its repository', async (t) => {
  const db = await catalogWith(t, 'a', 'b');
  for (const kind of ['served', 'uploaded', 'core'])
    t.match(await findByDigest(db, 'acme', `${kind} a`), [{ id: 'a' }]);
  t.same(await findByDigest(db, 'beta', 'served a'), []);
  await putPackage(db, 'c', { distribution: 'noble', sha256: 'served a' });
  t.same(
    (await findByDigest(db, 'acme', 'served a')).map(({ id }) => id),
    ['a', 'c'],
  );
});

t.test('paths that are taken', async (t) => {
  const db = await catalogWith(t, 'a');
  t.ok(await pathIsTaken(db, 'pool/a'));
  t.notOk(await pathIsTaken(db, 'pool/A'));
  t.same(
    (await listPackages(db)).map(({ id }) => id),
    ['a'],
  );
});

/** A package that one upload has brought and that waits to be published. */
async function pendingUpload(t: Test): Promise<Catalog> {
  const db = await catalogWith(t, 'a');
  await put(db, 'package_files', { package: 'a', position: 0, path: '/x' });
  await put(db, 'entries', { package: 'a', kind: 'packages', body: 'x' });
  await upload(db, 'e1', 'acme/stable');
  return db;
}

async function upload(db: Catalog, event: string, channel: string): Promise<void> {
  await put(db, 'events', {
    id: event,
    repository: 'acme',
    channel: channel.slice(5),
    kind: 'upload',
    package: 'a',
  });
  await insertUpload(db, await rowOf(db, 'uploads', { event, package: 'a', commit_id: `commit ${event}` }));
  await insertPendingChanges(db, [
    { id: event, channel, action: 'add', package: 'a', component: 'main', event },
  ]);
}

async function isGone(db: Catalog): Promise<boolean> {
  const left = [
    ...(await listPackages(db)),
    ...(await listPackageFiles(db, 'a')),
    ...(await db.selectFrom('entries').selectAll().execute()),
  ];
  return left.length === 0;
}

t.test('an upload that nobody saw is withdrawn with its package', async (t) => {
  const db = await pendingUpload(t);
  t.same(await withdraw(db, 'e1', 'a'), { changes: true, package: true });
  t.ok(await isGone(db));
  for (const table of ['events', 'uploads', 'pending_changes'] as const)
    t.same(await db.selectFrom(table).selectAll().execute(), []);
  t.same(await withdraw(db, 'e1', 'a'), { changes: false, package: false });
});

t.test('one that was published stays', async (t) => {
  const db = await pendingUpload(t);
  await db.deleteFrom('pending_changes').execute();
  await addMember(db, { channel: 'acme/stable', package: 'a', component: 'main', added_in: 1 });
  t.same(await withdraw(db, 'e1', 'a'), { changes: false, package: false });
  t.match(await listUploads(db, 'a'), [{ event: 'e1' }]);
});

t.test('a package that another upload waits with stays, and goes with the last one', async (t) => {
  const db = await pendingUpload(t);
  await upload(db, 'e2', 'acme/el9');
  t.same(await withdraw(db, 'e1', 'a'), { changes: true, package: false });
  t.match(await listUploads(db, 'a'), [{ event: 'e2' }]);
  t.same(await withdraw(db, 'e2', 'a'), { changes: true, package: true });
  t.ok(await isGone(db));
});

t.test('a package that is or was in a channel stays', async (t) => {
  for (const removed_in of [null, 2]) {
    const db = await pendingUpload(t);
    await put(db, 'channel_packages', {
      channel: 'acme/el9',
      package: 'a',
      component: 'main',
      added_in: 1,
      removed_in,
    });
    t.same(await withdraw(db, 'e1', 'a'), { changes: true, package: false });
    t.notOk(await isGone(db));
  }
});

t.test('an event without a package of its own is withdrawn alone', async (t) => {
  const db = await pendingUpload(t);
  t.same(await withdraw(db, 'e1', null), { changes: true, package: false });
  t.notOk(await isGone(db));
});

t.test('the uploads of a package, the oldest first, with who and where', async (t) => {
  const db = await pendingUpload(t);
  await upload(db, 'e0', 'acme/el9');
  t.match(await listUploads(db, 'a'), [
    { event: 'e0', channel: 'el9', commit_id: 'commit e0' },
    { event: 'e1', channel: 'stable', commit_id: 'commit e1' },
  ]);
  t.same(await listUploads(db, 'b'), []);
});

t.test('events by repository and channel, the newest first', async (t) => {
  const db = await catalogWith(t);
  for (const [id, repository, channel] of [
    ['1', 'acme', 'stable'],
    ['2', 'beta', 'stable'],
    ['3', 'acme', 'el9'],
    ['4', 'acme', null],
    ['5', 'acme', 'stable'],
  ] as const)
    await put(db, 'events', { id, repository, channel });
  const ids = async (filter: Parameters<typeof listEvents>[1]): Promise<string> =>
    (await listEvents(db, filter)).map(({ id }) => id).join('');
  t.equal(await ids({ limit: 10 }), '54321');
  t.equal(await ids({ repository: 'acme', limit: 10 }), '5431');
  t.equal(await ids({ repository: 'acme', channel: 'stable', limit: 10 }), '51');
  t.equal(await ids({ repository: 'acme', limit: 2 }), '54');
  t.equal(await ids({ repository: 'acme', before: '4', limit: 2 }), '31');
});

t.test('what stands anywhere in a name is looked for as it is', async (t) => {
  const db = await catalogWith(t);
  for (const name of ['lib_a', 'libxa', 'lib%a', 'lib\\a', 'LIB_B']) await putPackage(db, name, { name });
  const found = async (text: string): Promise<string[]> =>
    (await listNamesWith(db, 'acme', text, 10)).map(({ name }) => name).sort();
  t.same(await found('b_a'), ['lib_a']);
  t.same(await found('b%a'), ['lib%a']);
  t.same(await found('b\\a'), ['lib\\a']);
  t.same(await found('b_'), ['LIB_B', 'lib_a']);
});
