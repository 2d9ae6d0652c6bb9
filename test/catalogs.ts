/** Which engine the catalogs of the tests run on: SQLite, unless a test file says otherwise. */
import { join } from 'node:path';
import type { CatalogPlace } from '../src/db/catalog.ts';

type NewDatabase = () => Promise<string>;

let newDatabase: NewDatabase | null = null;
const databases = new Map<string, Promise<string>>();

/** From now on every catalog is a database of its own, whose URL `made` answers. */
export function catalogsIn(made: NewDatabase): void {
  newDatabase = made;
}

/** Whether a test that asks SQLite itself can. */
export function isOnPostgres(): boolean {
  return newDatabase !== null;
}

/** The URL of the database that belongs to a directory, the same each time; undefined on SQLite. */
export async function databaseUrlOf(dataDir: string): Promise<string | undefined> {
  if (!newDatabase) return undefined;
  const url = databases.get(dataDir) ?? newDatabase();
  databases.set(dataDir, url);
  return await url;
}

export async function catalogPlaceOf(dataDir: string): Promise<CatalogPlace> {
  const url = await databaseUrlOf(dataDir);
  return url === undefined
    ? { engine: 'sqlite', path: join(dataDir, 'catalog.db') }
    : { engine: 'postgres', url };
}
