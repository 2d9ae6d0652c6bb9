import { setTimeout } from 'node:timers/promises';
import { PostgresAdapter, sql } from 'kysely';
import { AppError } from '../errors.ts';
import type { Catalog } from './catalog.ts';

export function isPostgres(catalog: Catalog): boolean {
  return catalog.getExecutor().adapter instanceof PostgresAdapter;
}

/** Of these one goes through each time, so that as many writers of the same rows come to their end. */
const attempts = 20;
const longestPauseMs = 100;

/**
 * serialization_failure and deadlock_detected: nothing of the transaction holds, and it is to be run again.
 * unique_violation is what two that write the same new row may get in place of the first.
 */
const conflicts: Readonly<Record<string, number>> = { '40001': attempts, '40P01': attempts, '23505': 3 };

/**
 * Runs `work` as if nobody else were writing. SQLite has one writer at a time; PostgreSQL runs several side by side
 * and refuses those that cannot be put into an order, so `work` may run several times and must leave nothing in
 * memory but what it answers. Throws `catalog_unavailable` when others come first each time.
 */
export async function transact<T>(db: Catalog, work: (transaction: Catalog) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(work);
    } catch (error) {
      const allowed = conflicts[(error as { code?: string }).code ?? ''];
      if (allowed === undefined) throw error;
      if (attempt >= allowed) throw exhausted(error, attempt);
    }
    // Not all at once again.
    await setTimeout(Math.random() * Math.min(longestPauseMs, 5 * 2 ** attempt));
  }
}

/**
 * The same for what nobody is told of before a later transaction holds, and on SQLite without waiting for the disk: a
 * power cut takes this one only with all that came after it (sqlite.org/pragma.html#pragma_synchronous). A server of
 * PostgreSQL may be started again while ours runs, and would have forgotten what ours goes on with.
 */
export async function transactBefore<T>(db: Catalog, work: (transaction: Catalog) => Promise<T>): Promise<T> {
  if (isPostgres(db)) return await transact(db, work);
  return await db.connection().execute(async (connection) => {
    await sql`PRAGMA synchronous = NORMAL`.execute(connection);
    try {
      return await transact(connection, work);
    } finally {
      await sql`PRAGMA synchronous = FULL`.execute(connection);
    }
  });
}

function exhausted(error: unknown, attempt: number): unknown {
  if ((error as { code?: string }).code === '23505') return error;
  const detail = `The catalog could not be written in ${attempt} attempts: others wrote the same each time.`;
  return new AppError('catalog_unavailable', detail, undefined, { cause: error });
}

class Refused extends Error {}

/** A transaction whose work can say no: then nothing of it stays. */
export async function transactIf(
  db: Catalog,
  work: (transaction: Catalog) => Promise<boolean>,
): Promise<boolean> {
  try {
    return await transact(db, async (transaction) => {
      if (!(await work(transaction))) throw new Refused();
      return true;
    });
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}
