/** Making and revoking tokens. The text of a token leaves here once and is kept nowhere. */
import { actorName, authorise, type Actor, type Scope } from '../auth/permissions.ts';
import { createTokenText, hashToken } from '../auth/tokens.ts';
import type { Clock } from '../clock.ts';
import type { Catalog } from '../db/catalog.ts';
import { insertToken, revokeToken } from '../db/tokens.ts';
import { AppError } from '../errors.ts';
import { createId } from '../ids.ts';
import { recordEvent } from './record-event.ts';
import { transact } from '../db/transact.ts';

export type TokenDeps = { readonly db: Catalog; readonly clock: Clock };

export type NewToken = {
  readonly name: string;
  readonly scope: Scope;
  /** Empty for all. */
  readonly repositories: readonly string[];
  readonly expiresAt: number | null;
};

/** Makes a token and answers its text. */
export async function createToken(
  { db, clock }: TokenDeps,
  actor: Actor,
  token: NewToken,
  text: string = createTokenText(),
): Promise<{ id: string; text: string }> {
  authorise(actor, 'admin', null);
  const at = clock.now();
  const id = createId(at);
  const { name, scope, repositories, expiresAt } = token;
  await transact(db, async (transaction) => {
    await insertToken(transaction, {
      id,
      name,
      sha256: hashToken(text),
      scope,
      repositories: repositories.join(' '),
      created_at: at,
      created_by: actorName(actor),
      expires_at: expiresAt,
      revoked_at: null,
      last_used_at: null,
    });
    const detail = { id, name, scope, repositories };
    await recordEvent(transaction, { at, actor, repository: '', kind: 'token-create', detail });
  });
  return { id, text };
}

/** Throws `not_found` when there is no such token, or it is revoked already. */
export async function revokeTokenById({ db, clock }: TokenDeps, actor: Actor, id: string): Promise<void> {
  authorise(actor, 'admin', null);
  await transact(db, async (transaction) => {
    if (!(await revokeToken(transaction, id, clock.now())))
      throw new AppError('not_found', `There is no token ${id} that could be revoked.`);
    const event = { at: clock.now(), actor, repository: '', kind: 'token-revoke', detail: { id } } as const;
    await recordEvent(transaction, event);
  });
}
