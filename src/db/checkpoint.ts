/** The log of the SQLite catalog is brought into the database while nobody waits for a commit. */
import type Sqlite from 'better-sqlite3';

/** What is done about a write of which nobody knows whether it holds. */
export type Uncertain = (error: unknown) => never;

/** After the last commit. Whoever publishes sooner again is not held up. */
const quietMs = 250;
/** The next commit begins the log anew, which waits for the disk once more: not each time. */
const commitsBetween = 8;

/**
 * SQLite does that itself with the commit that makes the log a thousand pages long, which then takes many times as
 * long as others: that remains for a server that is never quiet. And it passes over a disk that fails meanwhile
 * (wal.c, sqlite3WalDefaultHook), which is told here.
 */
export class QuietCheckpoints {
  readonly #database: Sqlite.Database;
  readonly #uncertain: Uncertain;
  #timer: NodeJS.Timeout | undefined;
  #commits = 0;

  constructor(database: Sqlite.Database, uncertain: Uncertain) {
    this.#database = database;
    this.#uncertain = uncertain;
  }

  committed(): void {
    this.#commits += 1;
    if (this.#commits < commitsBetween) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#checkpoint(), quietMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #checkpoint(): void {
    // Its commit begins anew.
    if (this.#database.inTransaction) return;
    this.#commits = 0;
    try {
      this.#database.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      // What could not be written is still in the log; what the disk may have lost is nowhere.
      if (String((error as { code?: string }).code).endsWith('FSYNC')) this.#uncertain(error);
    }
  }
}
