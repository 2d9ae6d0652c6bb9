/** A fault that shows only while a row is written. */
import { sql } from 'kysely';
import type { Catalog, Tables } from '../src/db/catalog.ts';
import { isOnPostgres } from './catalogs.ts';

/** From now on rows of a table are refused, all or those of one name; answers how that ends. */
export async function refuseInserts(
  db: Catalog,
  table: keyof Tables,
  name?: string,
): Promise<() => Promise<void>> {
  const trigger = sql.ref(`refuse_${table}`);
  const condition = name === undefined ? sql`` : sql`WHEN (NEW.name = ${sql.lit(name)})`;
  const on = sql.table(table);
  if (isOnPostgres()) {
    await sql`CREATE FUNCTION ${trigger}() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit("BEGIN RAISE EXCEPTION 'broken'; END")}`.execute(
      db,
    );
    await sql`CREATE TRIGGER ${trigger} BEFORE INSERT ON ${on} FOR EACH ROW ${condition} EXECUTE FUNCTION ${trigger}()`.execute(
      db,
    );
    return async () => {
      await sql`DROP FUNCTION ${trigger}() CASCADE`.execute(db);
    };
  }
  await sql`CREATE TRIGGER ${trigger} BEFORE INSERT ON ${on} ${condition} BEGIN SELECT RAISE(ABORT, 'broken'); END`.execute(
    db,
  );
  return async () => {
    await sql`DROP TRIGGER ${trigger}`.execute(db);
  };
}
