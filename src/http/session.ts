/** The session of a request: its cookie, and what its forms must carry. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createCookieText, formToken, isFormToken, sessionMs } from '../auth/sessions.ts';
import { AppError } from '../errors.ts';
import type { TokenActor } from '../registry/sign-in.ts';

export type Session = { readonly cookie: string; readonly actor: TokenActor };

const sessions = new WeakMap<FastifyRequest, Session>();

/** Remembers who was found to be signed in, for what else answers this request. */
export function keepSession(request: FastifyRequest, session: Session): void {
  sessions.set(request, session);
}

export function sessionOf(request: FastifyRequest): Session | undefined {
  return sessions.get(request);
}

/** Who is signed in, with what the forms of the session carry. */
export function formTokenOf(request: FastifyRequest): { actor: TokenActor; form: string } | undefined {
  const session = sessions.get(request);
  return session && { actor: session.actor, form: formToken(session.cookie) };
}

type CookieName = 'session' | 'form';

const isSecure = (publicUrl: string): boolean => publicUrl.startsWith('https:');

/** `__Host-`: set by this host over https for all of it, and by no subdomain in its name (RFC 6265bis, 4.1.3.2). */
function cookieName(name: CookieName, publicUrl: string): string {
  return `${isSecure(publicUrl) ? '__Host-' : ''}entrepot-${name}`;
}

function readCookie(request: FastifyRequest, name: string): string | null {
  for (const pair of (request.headers.cookie ?? '').split(/; */))
    if (pair.startsWith(`${name}=`)) {
      const value = pair.slice(name.length + 1);
      return /^[\w-]{43}$/.test(value) ? value : null;
    }
  return null;
}

export function sessionCookie(request: FastifyRequest, publicUrl: string): string | null {
  return readCookie(request, cookieName('session', publicUrl));
}

function setCookie(
  reply: FastifyReply,
  publicUrl: string,
  name: CookieName,
  value: string,
  ageMs: number,
): void {
  const secure = isSecure(publicUrl) ? '; Secure' : '';
  const age = `Max-Age=${ageMs / 1000}`;
  reply.header(
    'set-cookie',
    `${cookieName(name, publicUrl)}=${value}; Path=/; ${age}; HttpOnly; SameSite=Strict${secure}`,
  );
}

/** Gives the browser its session, or takes it away. */
export function setSessionCookie(reply: FastifyReply, publicUrl: string, cookie: string | null): void {
  setCookie(reply, publicUrl, 'session', cookie ?? '', cookie === null ? 0 : sessionMs);
}

/** What the form for signing in carries: bound to a cookie of its own, since there is no session yet. */
export function firstFormToken(request: FastifyRequest, reply: FastifyReply, publicUrl: string): string {
  const known = readCookie(request, cookieName('form', publicUrl));
  const cookie = known ?? createCookieText();
  if (known === null) setCookie(reply, publicUrl, 'form', cookie, sessionMs);
  return formToken(cookie);
}

/**
 * Throws `forbidden` for a form that was not sent from one of our own pages: from another origin, or without what
 * the pages of this session carry.
 */
export function checkForm(
  request: FastifyRequest,
  publicUrl: string,
  token: string,
  name: CookieName = 'session',
): void {
  const { origin, host } = request.headers;
  const sender = origin === undefined ? null : URL.parse(origin)?.host;
  if (sender !== new URL(publicUrl).host && sender !== (request.host || host))
    throw new AppError('forbidden', 'This form was sent from another site, or without saying from where.');
  const cookie = readCookie(request, cookieName(name, publicUrl));
  if (cookie === null || !isFormToken(cookie, token))
    throw new AppError(
      'forbidden',
      'This form belongs to a session that is over. Go back, load the page again and send it anew.',
    );
}
