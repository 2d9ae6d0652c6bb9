/** Who is asking: the token of a request, or of the session that its cookie names, looked up. */
import type { FastifyRequest } from 'fastify';
import type { App } from '../app.ts';
import type { Actor } from '../auth/permissions.ts';
import { hashToken, parseAuthorization } from '../auth/tokens.ts';
import type { TokenRow } from '../db/catalog.ts';
import { findToken, findTokenBySha256, touchToken } from '../db/tokens.ts';
import { AppError } from '../errors.ts';
import { openSession, type TokenActor } from '../registry/sign-in.ts';
import type { Server } from './instance.ts';
import { keepSession, sessionCookie } from './session.ts';

const anonymous: Actor = { kind: 'anonymous' };
/** "Last used" is for people: to the minute is enough, and spares a write per request. */
const touchEveryMs = 60_000;

export type Identify = (request: FastifyRequest) => Promise<Actor>;

export type Identification = {
  /**
   * Reads the Authorization header, and nothing else: a browser sends cookies also where it is led to, and the API
   * must not be moved by that. No header is anonymous.
   */
  readonly identify: Identify;
  /** For pages and what they link to: the header, or else the session. */
  readonly identifyPerson: Identify;
  /** For a token that somebody typed in. */
  readonly identifyToken: (request: FastifyRequest, text: string | null) => Promise<TokenActor>;
};

/**
 * A token that is unknown, expired or revoked is refused with `unauthenticated`, and an address that tries many
 * with `too_many_requests`.
 */
export function createIdentification(
  server: Server,
  app: Pick<App, 'db' | 'clock' | 'publicUrl' | 'config'>,
): Identification {
  const max = app.config.http.wrongTokensPerMinute;
  const limiter = server.createRateLimit({ max, timeWindow: 60_000 });
  const isValid = (token: TokenRow | undefined): token is TokenRow =>
    token?.revoked_at === null && (token.expires_at === null || token.expires_at > app.clock.now());

  const identifyToken = async (request: FastifyRequest, text: string | null): Promise<TokenActor> => {
    const token = text === null ? undefined : await findTokenBySha256(app.db, hashToken(text));
    if (!isValid(token)) {
      const limit = await limiter(request);
      if (!limit.isAllowed && limit.isExceeded)
        throw new AppError('too_many_requests', 'Too many wrong tokens came from this address.');
      throw new AppError('unauthenticated', 'The token is unknown, expired or revoked.');
    }
    const now = app.clock.now();
    if (now - (token.last_used_at ?? 0) > touchEveryMs) await touchToken(app.db, token.id, now);
    return actorOf(token);
  };

  const identify: Identify = async (request) => {
    const { authorization } = request.headers;
    return authorization === undefined
      ? anonymous
      : await identifyToken(request, parseAuthorization(authorization));
  };

  const identifyPerson: Identify = async (request) => {
    const cookie = sessionCookie(request, app.publicUrl);
    if (request.headers.authorization !== undefined || cookie === null) return await identify(request);
    const session = await openSession(app, cookie);
    const token = session && (await findToken(app.db, session.token));
    if (!isValid(token)) return anonymous;
    const actor = actorOf(token);
    keepSession(request, { cookie, actor });
    return actor;
  };

  return { identify, identifyPerson, identifyToken };
}

function actorOf(token: TokenRow): TokenActor {
  return {
    kind: 'token',
    id: token.id,
    name: token.name,
    scope: token.scope,
    repositories: token.repositories === '' ? null : token.repositories.split(' '),
  };
}
