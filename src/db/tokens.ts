import type { Catalog, TokenRow } from './catalog.ts';

export async function insertToken(db: Catalog, row: TokenRow): Promise<void> {
  await db.insertInto('tokens').values(row).execute();
}

export async function findTokenBySha256(db: Catalog, sha256: string): Promise<TokenRow | undefined> {
  return await db.selectFrom('tokens').selectAll().where('sha256', '=', sha256).executeTakeFirst();
}

export async function findToken(db: Catalog, id: string): Promise<TokenRow | undefined> {
  return await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listTokens(db: Catalog): Promise<TokenRow[]> {
  return await db.selectFrom('tokens').selectAll().orderBy('id').execute();
}

/** False when there is no such token, or it is revoked already. */
export async function revokeToken(db: Catalog, id: string, now: number): Promise<boolean> {
  const result = await db
    .updateTable('tokens')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

export async function touchToken(db: Catalog, id: string, now: number): Promise<void> {
  await db.updateTable('tokens').set({ last_used_at: now }).where('id', '=', id).execute();
}
