/** The rows of leases: each change is one statement, so that it needs no transaction and no session. */
import { sql } from 'kysely';
import type { Catalog, LeaseRow } from './catalog.ts';
import { prefixRange } from './prefix.ts';

export type SeenLease = Pick<LeaseRow, 'name' | 'holder' | 'renewals'>;

/** Takes a lease that nobody has. Null when it is taken now, else who has it. */
export async function takeLease(db: Catalog, name: string, holder: string): Promise<SeenLease | null> {
  for (;;) {
    const taken = await db
      .insertInto('leases')
      .values({ name, holder, renewals: 0, wanted: 0 })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirst();
    if (taken.numInsertedOrUpdatedRows === 1n) return null;
    const seen = await db.selectFrom('leases').selectAll().where('name', '=', name).executeTakeFirst();
    // It was given back just now.
    if (seen) return seen;
  }
}

/** Takes a lease from a holder who is gone. False when it is not as it was seen. */
export async function takeOverLease(
  db: Catalog,
  { name, holder, renewals }: SeenLease,
  successor: string,
): Promise<boolean> {
  const result = await db
    .updateTable('leases')
    .set({ holder: successor, renewals: 0, wanted: 0 })
    .where('name', '=', name)
    .where('holder', '=', holder)
    .where('renewals', '=', renewals)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** False when another one has it by now. */
export async function renewLease(db: Catalog, name: string, holder: string): Promise<boolean> {
  const result = await db
    .updateTable('leases')
    .set({ renewals: sql`renewals + 1` })
    .where('name', '=', name)
    .where('holder', '=', holder)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Tells the holder of a lease that another one waits. */
export async function wantLease(db: Catalog, name: string): Promise<void> {
  await db.updateTable('leases').set({ wanted: 1 }).where('name', '=', name).execute();
}

/** Gives a lease back. True when another one waits for it. */
export async function giveLeaseBack(db: Catalog, name: string, holder: string): Promise<boolean> {
  const row = await db
    .deleteFrom('leases')
    .where('name', '=', name)
    .where('holder', '=', holder)
    .returning('wanted')
    .executeTakeFirst();
  return row?.wanted === 1;
}

/** The leases that are held of those whose names begin so. */
export async function listLeases(db: Catalog, prefix: string): Promise<SeenLease[]> {
  const { from, to } = prefixRange(prefix);
  return await db.selectFrom('leases').selectAll().where('name', '>=', from).where('name', '<', to).execute();
}
