import type { Catalog, RepositoryRow, SigningKeyRow } from './catalog.ts';

export async function findRepository(db: Catalog, name: string): Promise<RepositoryRow | undefined> {
  return await db.selectFrom('repositories').selectAll().where('name', '=', name).executeTakeFirst();
}

export async function listRepositories(db: Catalog): Promise<RepositoryRow[]> {
  return await db.selectFrom('repositories').selectAll().orderBy('name').execute();
}

export async function insertRepository(db: Catalog, row: RepositoryRow): Promise<void> {
  await db.insertInto('repositories').values(row).execute();
}

export async function updateRepository(
  db: Catalog,
  name: string,
  change: Partial<RepositoryRow>,
): Promise<void> {
  if (Object.keys(change).length === 0) return;
  await db.updateTable('repositories').set(change).where('name', '=', name).execute();
}

export async function insertSigningKey(db: Catalog, row: SigningKeyRow): Promise<void> {
  await db.insertInto('signing_keys').values(row).execute();
}

/** Every key of a repository, the oldest first. */
export async function listSigningKeys(db: Catalog, repository: string): Promise<SigningKeyRow[]> {
  return await db
    .selectFrom('signing_keys')
    .selectAll()
    .where('repository', '=', repository)
    .orderBy('created_at')
    .execute();
}
