import type Sqlite from 'better-sqlite3';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** Texts of queries that are kept ready. Inserts of several rows have a text for each number of rows. */
const maxStatements = 500;

const nothing: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

/**
 * A database as Kysely sees it, with each text prepared once. And writers take their lock when they begin:
 * a transaction that reads first and finds another process writing then could not go on (SQLITE_BUSY_SNAPSHOT).
 */
export function withPreparedStatements(database: Sqlite.Database): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => {
      database.close();
    },
    prepare: (text) => {
      // A full disk has ended the transaction already (sqlite.org/lang_transaction.html, section 3).
      if (text === 'rollback' && !database.inTransaction) return nothing;
      const known = statements.get(text);
      // Moved to the end: the first is then the least recently used.
      if (known) statements.delete(text);
      else if (statements.size >= maxStatements) statements.delete(statements.keys().next().value ?? '');
      const statement = known ?? database.prepare(text === 'begin' ? 'begin immediate' : text);
      statements.set(text, statement);
      return statement;
    },
  };
}
