import type { FastifyRequest } from 'fastify';
import { may, type Actor } from '../../auth/permissions.ts';
import type { Allowed } from '../../web/allowed.ts';
import { signInUrl } from '../../web/links.ts';

/** What an actor may change in a repository, for the page that was asked for. */
export function allowedTo(actor: Actor, repository: string, { url }: Pick<FastifyRequest, 'url'>): Allowed {
  return {
    change: may(actor, 'upload', repository),
    administer: may(actor, 'admin', repository),
    signIn: actor.kind === 'anonymous' ? signInUrl(url) : null,
  };
}
