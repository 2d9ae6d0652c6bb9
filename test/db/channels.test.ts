import t from 'tap';
import {
  findChannel,
  getChannel,
  insertChannel,
  listChannels,
  moveHead,
  updateChannel,
} from '../../src/db/channels.ts';
import { catalogWith, put, rowOf } from './rows.ts';

t.test('channels are found by name, by id, and listed by repository', async (t) => {
  const db = await catalogWith(t);
  await put(db, 'repositories', { name: 'beta' });
  await insertChannel(
    db,
    await rowOf(db, 'channels', { id: 'beta/stable', repository: 'beta', name: 'stable' }),
  );
  t.match(await findChannel(db, 'acme', 'stable'), { id: 'acme/stable' });
  t.equal(await findChannel(db, 'acme', 'none'), undefined);
  t.match(await getChannel(db, 'beta/stable'), { repository: 'beta' });
  await t.rejects(getChannel(db, 'beta/none'));
  const ids = async (repository?: string): Promise<string[]> =>
    (await listChannels(db, repository)).map(({ id }) => id);
  t.same(await ids(), ['acme/el9', 'acme/stable', 'beta/stable']);
  t.same(await ids('acme'), ['acme/el9', 'acme/stable']);
  t.same(await ids('none'), []);
  await t.rejects(insertChannel(db, await getChannel(db, 'beta/stable')), /unique/i);
});

t.test('what is given is changed', async (t) => {
  const db = await catalogWith(t);
  const before = await getChannel(db, 'acme/stable');
  await updateChannel(db, 'acme/stable', { components: 'main contrib' });
  t.same(await getChannel(db, 'acme/stable'), { ...before, components: 'main contrib' });
  await updateChannel(db, 'acme/stable', {});
  t.match(await getChannel(db, 'acme/el9'), { components: '' });
});

t.test('the head moves only from where it was seen', async (t) => {
  const db = await catalogWith(t);
  const seen = await getChannel(db, 'acme/stable');
  t.ok(await moveHead(db, seen, { head: 1, architectures: 'amd64 arm64' }));
  t.match(await getChannel(db, 'acme/stable'), { head: 1, architectures: 'amd64 arm64' });
  t.notOk(await moveHead(db, seen, { head: 1, architectures: 'amd64' }), 'somebody else was first');
  const now = await getChannel(db, 'acme/stable');
  await updateChannel(db, 'acme/stable', { architectures: 'amd64 arm64 riscv64' });
  t.notOk(await moveHead(db, now, { head: 2, architectures: 'amd64 arm64' }), 'or has added an architecture');
  t.match(await getChannel(db, 'acme/stable'), { head: 1, architectures: 'amd64 arm64 riscv64' });
  t.match(await getChannel(db, 'acme/el9'), { head: 0 });
});
