import type { Catalog, SessionRow } from './catalog.ts';

export async function insertSession(db: Catalog, row: SessionRow): Promise<void> {
  await db.insertInto('sessions').values(row).execute();
}

export async function findSession(db: Catalog, sha256: string): Promise<SessionRow | undefined> {
  return await db.selectFrom('sessions').selectAll().where('sha256', '=', sha256).executeTakeFirst();
}

/** The sessions of a token, the newest first. */
export async function listSessions(db: Catalog, token: string): Promise<SessionRow[]> {
  return await db
    .selectFrom('sessions')
    .selectAll()
    .where('token', '=', token)
    .orderBy('created_at', 'desc')
    .orderBy('sha256')
    .execute();
}

export async function touchSession(db: Catalog, sha256: string, now: number): Promise<void> {
  await db.updateTable('sessions').set({ last_used_at: now }).where('sha256', '=', sha256).execute();
}

export async function deleteSession(db: Catalog, sha256: string): Promise<void> {
  await db.deleteFrom('sessions').where('sha256', '=', sha256).execute();
}

export async function deleteSessionsOf(db: Catalog, token: string): Promise<void> {
  await db.deleteFrom('sessions').where('token', '=', token).execute();
}

/** Sessions that are over: past their end, or not used since `idleSince`. */
export async function deleteEndedSessions(
  db: Catalog,
  { now, idleSince }: { now: number; idleSince: number },
): Promise<void> {
  await db
    .deleteFrom('sessions')
    .where((where) => where.or([where('expires_at', '<=', now), where('last_used_at', '<=', idleSince)]))
    .execute();
}
