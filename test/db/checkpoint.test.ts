/** What was committed comes into the database file itself once nobody commits any more. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import { openSqlite } from '../../src/db/catalog.ts';
import { transact } from '../../src/db/transact.ts';
import { sql } from 'kysely';
import { temporaryDir } from '../server.ts';

t.test('after a while without a commit, and not after each', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const dir = temporaryDir(t);
  const path = join(dir, 'catalog.db');
  const db = openSqlite(path, (error) => {
    throw error;
  });
  t.teardown(() => db.destroy());
  await sql`CREATE TABLE numbers (number INTEGER NOT NULL)`.execute(db);
  const commit = (number: number): Promise<unknown> =>
    transact(db, (transaction) => sql`INSERT INTO numbers VALUES (${number})`.execute(transaction));
  /** How many rows the file holds without its log. */
  const inFile = (): number => {
    const copy = join(dir, 'copy.db');
    copyFileSync(path, copy);
    const database = new Sqlite(copy);
    const known = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'numbers'").get();
    const rows = known ? database.prepare('SELECT count(*) FROM numbers').pluck().get() : 0;
    database.close();
    return rows as number;
  };
  await commit(1);
  mock.timers.tick(1000);
  t.equal(inFile(), 0, 'the log is not begun anew for each commit');
  for (let number = 2; number <= 8; number++) await commit(number);
  mock.timers.tick(249);
  t.equal(inFile(), 0, 'somebody may be about to commit');
  await commit(9);
  mock.timers.tick(249);
  t.equal(inFile(), 0);
  mock.timers.tick(1);
  t.equal(inFile(), 9);
});
