/** Who is asking: the token of a request, looked up. */
import type { FastifyRequest } from 'fastify';
import type { App } from '../app.ts';
import type { Actor } from '../auth/permissions.ts';
import { hashToken, parseAuthorization } from '../auth/tokens.ts';
import { findTokenBySha256, touchToken } from '../db/tokens.ts';
import { AppError } from '../errors.ts';
import type { Server } from './instance.ts';

const anonymous: Actor = { kind: 'anonymous' };
/** Wrong tokens from one address in a minute, before it has to wait. */
const failuresPerMinute = 60;
/** "Last used" is for people: to the minute is enough, and spares a write per request. */
const touchEveryMs = 60_000;

export type Identify = (request: FastifyRequest) => Promise<Actor>;

/**
 * Reads the Authorization header. No header is anonymous; a token that is unknown, expired or revoked is
 * refused with `unauthenticated`, and an address that tries many with `too_many_requests`.
 */
export function createIdentify(server: Server, app: Pick<App, 'db' | 'clock'>): Identify {
  const limiter = server.createRateLimit({ max: failuresPerMinute, timeWindow: 60_000 });
  return async (request) => {
    if (request.headers.authorization === undefined) return anonymous;
    const text = parseAuthorization(request.headers.authorization);
    const token = text === null ? undefined : await findTokenBySha256(app.db, hashToken(text));
    const now = app.clock.now();
    if (!token || token.revoked_at !== null || (token.expires_at !== null && token.expires_at <= now)) {
      const limit = await limiter(request);
      if (!limit.isAllowed && limit.isExceeded)
        throw new AppError('too_many_requests', 'Too many wrong tokens came from this address.');
      throw new AppError('unauthenticated', 'The token is unknown, expired or revoked.');
    }
    if (now - (token.last_used_at ?? 0) > touchEveryMs) await touchToken(app.db, token.id, now);
    return {
      kind: 'token',
      id: token.id,
      name: token.name,
      scope: token.scope,
      repositories: token.repositories === '' ? null : token.repositories.split(' '),
    };
  };
}
