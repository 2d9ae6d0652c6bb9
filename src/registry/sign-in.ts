/** Signing in and out with a browser. A session may do what its token may do, and ends with it. */
import type { Actor } from '../auth/permissions.ts';
import { createCookieText, hashCookie, sessionIdleMs, sessionMs } from '../auth/sessions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, SessionRow } from '../db/catalog.ts';
import {
  deleteEndedSessions,
  deleteSession,
  deleteSessionsOf,
  findSession,
  insertSession,
  touchSession,
} from '../db/sessions.ts';
import { recordEvent } from './record-event.ts';
import { transact } from '../db/transact.ts';

export type SessionDeps = { readonly db: Catalog; readonly clock: Clock };
export type TokenActor = Extract<Actor, { kind: 'token' }>;

/** "Last used" to the minute is enough, and spares a write per page. */
const touchEveryMs = 60_000;

/** Begins a session under a new secret and answers it; `old` is what the browser had, and ends. */
export async function signIn(
  { db, clock }: SessionDeps,
  actor: TokenActor,
  { client, old }: { client: string; old: string | null },
): Promise<string> {
  const now = clock.now();
  const cookie = createCookieText();
  await transact(db, async (transaction) => {
    await deleteEndedSessions(transaction, { now, idleSince: now - sessionIdleMs });
    if (old !== null) await deleteSession(transaction, hashCookie(old));
    await insertSession(transaction, {
      sha256: hashCookie(cookie),
      token: actor.id,
      client,
      created_at: now,
      last_used_at: now,
      expires_at: now + sessionMs,
    });
    await recordEvent(transaction, { at: now, actor, repository: '', kind: 'sign-in', detail: { client } });
  });
  return cookie;
}

/** The session of a cookie, as long as it lasts. */
export async function openSession(
  { db, clock }: SessionDeps,
  cookie: string,
): Promise<SessionRow | undefined> {
  const row = await findSession(db, hashCookie(cookie));
  const now = clock.now();
  if (!row || row.expires_at <= now || row.last_used_at <= now - sessionIdleMs) return undefined;
  if (now - row.last_used_at > touchEveryMs) await touchSession(db, row.sha256, now);
  return row;
}

export async function signOut({ db }: Pick<SessionDeps, 'db'>, cookie: string): Promise<void> {
  await deleteSession(db, hashCookie(cookie));
}

/** Ends every session of the actor's token, on every machine. */
export async function signOutEverywhere({ db, clock }: SessionDeps, actor: TokenActor): Promise<void> {
  const at = clock.now();
  await transact(db, async (transaction) => {
    await deleteSessionsOf(transaction, actor.id);
    await recordEvent(transaction, { at, actor, repository: '', kind: 'sign-out-everywhere', detail: {} });
  });
}
