import type Sqlite from 'better-sqlite3';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** Texts of queries that are kept ready. Inserts of several rows have a text for each number of rows. */
const maxStatements = 500;

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
