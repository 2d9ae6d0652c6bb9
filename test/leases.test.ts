/** What one node does alone among several: the time is in the hands of the test, the catalog is a real one. */
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { listLeases, takeLease } from '../src/db/leases.ts';
import { Leases } from '../src/leases.ts';
import { emptyCatalog } from './db/rows.ts';

t.test('a node that is lost is waited for once, whatever it held', async (t) => {
  const db = await emptyCatalog(t);
  let now = 1000;
  t.intercept(performance, 'now', { value: () => now });
  for (const name of ['package tool', 'publish main/stable']) await takeLease(db, name, 'lost');
  const leases = new Leases(db);
  const ran: string[] = [];
  const hold = (name: string): Promise<unknown> =>
    leases.hold(name, ({ takenOver }) =>
      Promise.resolve(ran.push(`${name}${takenOver ? ', taken over' : ''}`)),
    );

  const first = hold('package tool');
  await leases.hold('package other', () => Promise.resolve());
  t.same(ran, [], 'its holder may be alive');
  // It stands in the row itself that somebody waits, and has looked.
  const row = db.selectFrom('leases').select('wanted').where('name', '=', 'package tool');
  while ((await row.executeTakeFirstOrThrow()).wanted === 0) await setTimeout(1);
  now += 13_000;
  await first;
  // The clock stands still: a wait that began now would have no end.
  await hold('publish main/stable');
  t.same(ran, ['package tool, taken over', 'publish main/stable, taken over']);
  t.same(await listLeases(db, ''), []);
});

t.test('who counts on is not gone, however long another one waits', async (t) => {
  const db = await emptyCatalog(t);
  let now = 1000;
  t.intercept(performance, 'now', { value: () => now });
  await takeLease(db, 'publish main/stable', 'alive');
  const leases = new Leases(db);
  let isTaken = false;
  const waiting = leases.hold('publish main/stable', () => Promise.resolve((isTaken = true)));
  for (let renewals = 1; renewals <= 5; renewals++) {
    await db.updateTable('leases').set({ renewals, wanted: 0 }).execute();
    // Twice: what was seen before the time went on, and what is seen after it.
    for (let i = 0; i < 2; i++) {
      await leases.hold(`package ${renewals} ${i}`, () => Promise.resolve());
      now += 5000;
    }
    t.equal(isTaken, false);
  }
  await db.deleteFrom('leases').execute();
  await waiting;
  t.equal(isTaken, true);
});
