/** An empty catalog, and rows for it of which a test says only what it is about. */
import { join } from 'node:path';
import { sql, type Insertable } from 'kysely';
import type { Test } from 'tap';
import { migrate, openSqlite, type Catalog, type Tables } from '../../src/db/catalog.ts';
import { temporaryDir } from '../server.ts';

export async function emptyCatalog(t: Test): Promise<Catalog> {
  const db = openSqlite(join(temporaryDir(t), 'catalog.db'));
  t.teardown(() => db.destroy());
  await migrate(db, 0);
  return db;
}

/** A row with nothing in every column that the test does not name. */
export async function rowOf<T extends keyof Tables>(
  db: Catalog,
  table: T,
  values: Partial<Tables[T]>,
): Promise<Tables[T]> {
  type Column = { name: string; type: string; notnull: number };
  const { rows } = await sql<Column>`SELECT name, type, "notnull" FROM pragma_table_info(${table})`.execute(
    db,
  );
  const nothing = rows.map(({ name, type, notnull }) => [
    name,
    notnull === 0 ? null : type === 'TEXT' ? '' : 0,
  ]);
  // The columns are those of the table itself.
  return { ...Object.fromEntries(nothing), ...values } as Tables[T];
}

export async function put<T extends keyof Tables>(
  db: Catalog,
  table: T,
  ...rows: readonly Partial<Tables[T]>[]
): Promise<void> {
  for (const values of rows) {
    const row = await rowOf(db, table, values);
    await db
      .insertInto(table)
      .values(row as Insertable<Tables[T]>)
      .execute();
  }
}

/** A repository `acme` with the channels `acme/stable` (apt) and `acme/el9` (yum), and packages by id. */
export async function catalogWith(t: Test, ...packages: readonly string[]): Promise<Catalog> {
  const db = await emptyCatalog(t);
  await put(db, 'repositories', { name: 'acme', visibility: 'public' });
  await put(
    db,
    'channels',
    { id: 'acme/stable', repository: 'acme', name: 'stable', format: 'apt', architectures: 'amd64' },
    { id: 'acme/el9', repository: 'acme', name: 'el9', format: 'yum' },
  );
  for (const id of packages) await putPackage(db, id);
  return db;
}

export async function putPackage(
  db: Catalog,
  id: string,
  values: Partial<Tables['packages']> = {},
): Promise<void> {
  await put(db, 'packages', {
    id,
    repository: 'acme',
    format: 'apt',
    name: id,
    version: '1',
    architecture: 'amd64',
    path: `pool/${id}`,
    sha256: `served ${id}`,
    uploaded_sha256: `uploaded ${id}`,
    core_sha256: `core ${id}`,
    ...values,
  });
}
