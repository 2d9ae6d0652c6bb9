import { closeSync, fsyncSync, openSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { AppError } from '../errors.ts';

/** All pages at once: a reader in the log keeps no writer waiting, and a copy in parts begins anew with each write. */
const allPages = 2 ** 30;

/** Copies the catalog at `path` as of one moment into the new file `target`, durable, beside a running server. */
export async function backUpSqlite(path: string, target: string): Promise<void> {
  // For its owner alone from the first byte: digests of tokens are in it.
  closeSync(openSync(target, 'wx', 0o600));
  const database = new Sqlite(path, { readonly: true });
  try {
    await database.backup(target, { progress: () => allPages });
  } finally {
    database.close();
  }
  checkSqlite(target);
  const file = openSync(target, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Throws `backup_damaged` unless the file is a whole catalog. Leaves it without a log beside it. */
export function checkSqlite(path: string): void {
  try {
    const database = new Sqlite(path);
    try {
      database.pragma('journal_mode = DELETE');
      const answer: unknown = database.pragma('quick_check', { simple: true });
      if (answer !== 'ok') throw new Error(String(answer));
      database.exec('SELECT 1 FROM schema_migrations');
    } finally {
      database.close();
    }
  } catch (cause) {
    throw new AppError('backup_damaged', `${path} is not a whole catalog.`, undefined, { cause });
  }
}
