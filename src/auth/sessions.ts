/** The secrets of a browser session: its cookie, and what its forms carry. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Whatever is done with it, a session ends after a working day. */
export const sessionMs = 12 * 3_600_000;
/** One that nobody uses ends earlier. */
export const sessionIdleMs = 3_600_000;

/** 256 bits of randomness, for a cookie. */
export function createCookieText(): string {
  return randomBytes(32).toString('base64url');
}

/** What the catalog knows a session by. */
export function hashCookie(cookie: string): string {
  return createHash('sha256').update(cookie).digest('hex');
}

/**
 * What every form of a session carries. A page elsewhere can make a browser send the cookie but cannot read it,
 * nor what follows from it (CSRF); and from a form that was seen, nobody gets to the cookie.
 */
export function formToken(cookie: string): string {
  return createHash('sha256').update(`form ${cookie}`).digest('base64url');
}

export function isFormToken(cookie: string, token: string): boolean {
  const wanted = Buffer.from(formToken(cookie));
  const given = Buffer.from(token);
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
