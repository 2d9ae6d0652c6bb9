import t from 'tap';
import {
  findGeneration,
  insertGeneration,
  listGenerations,
  oldestHeadDate,
  updateSigning,
} from '../../src/db/generations.ts';
import { catalogWith, put, rowOf } from './rows.ts';

t.test('generations are found by number and listed from the newest', async (t) => {
  const db = await catalogWith(t);
  for (const number of [1, 2, 3, 4, 5])
    await insertGeneration(db, await rowOf(db, 'generations', { channel: 'acme/stable', number }));
  await put(db, 'generations', { channel: 'acme/el9', number: 9 });
  t.match(await findGeneration(db, 'acme/stable', 3), { number: 3 });
  t.equal(await findGeneration(db, 'acme/stable', 9), undefined);
  const numbers = async (page: { before?: number; limit: number }): Promise<number[]> =>
    (await listGenerations(db, 'acme/stable', page)).map(({ number }) => number);
  t.same(await numbers({ limit: 2 }), [5, 4]);
  t.same(await numbers({ limit: 2, before: 4 }), [3, 2]);
  t.same(await numbers({ limit: 9, before: 2 }), [1]);
  t.same(await numbers({ limit: 9, before: 1 }), []);
  await t.rejects(put(db, 'generations', { channel: 'acme/stable', number: 5 }), /unique/i);
});

t.test('a new signing is recorded only over the one that was seen', async (t) => {
  const db = await catalogWith(t);
  await put(db, 'generations', {
    channel: 'acme/stable',
    number: 1,
    date: 100,
    signed_at: 100_000,
    pointers: 'old',
  });
  const seen = await findGeneration(db, 'acme/stable', 1);
  if (!seen) throw new Error('not there');
  t.ok(await updateSigning(db, seen, { date: 200, signed_at: 200_000, pointers: 'new' }));
  t.match(await findGeneration(db, 'acme/stable', 1), { date: 200, signed_at: 200_000, pointers: 'new' });
  t.notOk(await updateSigning(db, seen, { date: 300, signed_at: 300_000, pointers: 'late' }));
  t.match(await findGeneration(db, 'acme/stable', 1), { pointers: 'new' });
});

t.test('the apt channel that was signed longest ago', async (t) => {
  const db = await catalogWith(t);
  t.equal(await oldestHeadDate(db), undefined);
  await put(db, 'channels', { id: 'acme/other', repository: 'acme', name: 'other', format: 'apt', head: 7 });
  await put(
    db,
    'generations',
    { channel: 'acme/other', number: 6, date: 1 },
    { channel: 'acme/other', number: 7, date: 500 },
    { channel: 'acme/el9', number: 0, date: 2 },
    { channel: 'acme/stable', number: 0, date: 400 },
  );
  t.equal(await oldestHeadDate(db), 400, 'heads alone, and no yum channel, which does not expire');
});
