import { AppError } from '../errors.ts';

export const scopes = ['admin', 'upload', 'read'] as const;
export type Scope = (typeof scopes)[number];

/** Who is asking. */
export type Actor =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'token';
      readonly id: string;
      readonly name: string;
      readonly scope: Scope;
      /** The repositories that the token is for; null for all. */
      readonly repositories: readonly string[] | null;
    }
  /** The server itself and who works on its machine: the command line, timers, recovery. */
  | { readonly kind: 'operator'; readonly name: string };

/** What each scope may do: each includes the ones after it. */
const rank: Record<Scope, number> = { admin: 2, upload: 1, read: 0 };

/** The actor's name in events: a token's name, never its text. */
export function actorName(actor: Actor): string {
  return actor.kind === 'anonymous' ? 'anonymous' : actor.name;
}

/** Whether an actor holds `scope` for a repository, or for the whole server when that is null. */
export function may(actor: Actor, scope: Scope, repository: string | null): boolean {
  if (actor.kind === 'operator') return true;
  if (actor.kind === 'anonymous' || rank[actor.scope] < rank[scope]) return false;
  return actor.repositories === null || (repository !== null && actor.repositories.includes(repository));
}

/**
 * Throws unless the actor holds `scope` for a repository, or for the whole server when that is null.
 * Throws `unauthenticated` when a token could help, `forbidden` when the one that was sent is not enough.
 */
export function authorise(actor: Actor, scope: Scope, repository: string | null): void {
  if (may(actor, scope, repository)) return;
  const where = repository === null ? 'the whole server' : `the repository ${repository}`;
  if (actor.kind === 'anonymous')
    throw new AppError('unauthenticated', `This needs a token with the scope "${scope}" for ${where}.`);
  throw new AppError(
    'forbidden',
    `The token "${actorName(actor)}" has not the scope "${scope}" for ${where}.`,
  );
}

/**
 * May this actor know that a repository exists? A private one answers like one that is not there, so that its
 * existence cannot be found out (T24).
 */
export function maySee(
  actor: Actor,
  repository: { name: string; visibility: 'public' | 'private' },
): boolean {
  return repository.visibility === 'public' || may(actor, 'read', repository.name);
}
