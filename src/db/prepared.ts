import type Sqlite from 'better-sqlite3';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { QuietCheckpoints, type Uncertain } from './checkpoint.ts';

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
export function withPreparedStatements(database: Sqlite.Database, uncertain?: Uncertain): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  const watcher = uncertain && { uncertain, checkpoints: new QuietCheckpoints(database, uncertain) };
  return {
    close: () => {
      watcher?.checkpoints.close();
      database.close();
    },
    prepare: (text) => {
      // A full disk has ended the transaction already (sqlite.org/lang_transaction.html, section 3).
      if (text === 'rollback' && !database.inTransaction) return nothing;
      // Some take effect when they are prepared, and never again.
      if (text.startsWith('PRAGMA ')) return prepare(database, text);
      const known = statements.get(text);
      // Moved to the end: the first is then the least recently used.
      if (known) statements.delete(text);
      else if (statements.size >= maxStatements) statements.delete(statements.keys().next().value ?? '');
      const statement = known ?? prepare(database, text, watcher);
      statements.set(text, statement);
      return statement;
    },
  };
}

/** Who is told of what fails, and of what is committed. */
type Watcher = { readonly uncertain: Uncertain; readonly checkpoints: QuietCheckpoints };

function prepare(database: Sqlite.Database, text: string, watcher?: Watcher): SqliteStatement {
  const statement: SqliteStatement = database.prepare(text === 'begin' ? 'begin immediate' : text);
  if (!watcher) return statement;
  const { uncertain, checkpoints } = watcher;
  const watch = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (isUncertain(error, text)) uncertain(error);
      throw error;
    }
  };
  return {
    reader: statement.reader,
    all: (parameters) => watch(() => statement.all(parameters)),
    run: (parameters) => {
      const changed = watch(() => statement.run(parameters));
      if (text === 'commit') checkpoints.committed();
      return changed;
    },
    iterate: (parameters) => statement.iterate(parameters),
  };
}

/**
 * After a failed fsync, and after a commit that failed for the disk's sake, the log may hold the transaction all
 * the same, and the next start brings it back. A full disk is no such case: SQLite knows then that nothing holds.
 */
function isUncertain(error: unknown, text: string): boolean {
  const { code = '' } = error as { code?: string };
  return code.startsWith('SQLITE_IOERR') && (text === 'commit' || code.endsWith('FSYNC'));
}
