/** An empty catalog, and rows for it of which a test says only what it is about. */
import type { Insertable, TableMetadata } from 'kysely';
import type { Test } from 'tap';
import { migrate, openCatalogAt, type Catalog, type Tables } from '../../src/db/catalog.ts';
import { catalogPlaceOf } from '../catalogs.ts';
import { temporaryDir } from '../server.ts';

export async function emptyCatalog(t: Test): Promise<Catalog> {
  const db = openCatalogAt(await catalogPlaceOf(temporaryDir(t)));
  t.teardown(() => db.destroy());
  await migrate(db, 0);
  return db;
}

/** Of this version; the same in every catalog. */
let tables: TableMetadata[] | undefined;

/** A row with nothing in every column that the test does not name. */
export async function rowOf<T extends keyof Tables>(
  db: Catalog,
  table: T,
  values: Partial<Tables[T]>,
): Promise<Tables[T]> {
  tables ??= await db.introspection.getTables();
  const columns = tables.find(({ name }) => name === table)?.columns ?? [];
  const nothing = columns.map(({ name, dataType, isNullable }) => [
    name,
    isNullable ? null : dataType.toLowerCase() === 'text' ? '' : 0,
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
