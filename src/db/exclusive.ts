import Sqlite from 'better-sqlite3';

/**
 * Holds a lock file for as long as this process lives. SQLite's exclusive transaction is a lock of the kernel,
 * which Node itself has no call for, and which ends with the process. Null when another process has it.
 */
export function holdExclusively(path: string): (() => void) | null {
  const database = new Sqlite(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY')) return null;
    throw error;
  }
  return () => {
    database.close();
  };
}

/**
 * Whether any other connection, of whichever process and data directory, has the SQLite catalog at `path` open:
 * in exclusive mode a log is read only by who has the file alone (sqlite.org/wal.html, section 6).
 */
export function isOpenElsewhere(path: string): boolean {
  const database = new Sqlite(path, { timeout: 0, fileMustExist: true });
  try {
    database.pragma('locking_mode = EXCLUSIVE');
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    return false;
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY')) return true;
    throw error;
  } finally {
    database.close();
  }
}
