import { createHash, randomBytes } from 'node:crypto';

const prefix = 'entrepot_';
/** Longer than any token of ours; what is longer is not looked up. */
const maxTokenLength = 512;

/** A new token: 256 bits of randomness behind a prefix that secret scanners can know. */
export function createTokenText(): string {
  return prefix + randomBytes(32).toString('base64url');
}

/**
 * What the catalog keeps and looks tokens up by, in hex. No secret is ever compared: the look-up is by digest,
 * so its time says nothing of a token (T24). A plain SHA-256 is enough for 256 random bits.
 */
export function hashToken(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * The token of an Authorization header: Bearer, or Basic with the token as the password (apt, dnf and dput
 * speak only Basic; the user name is ignored). Null when there is none.
 */
export function parseAuthorization(header: string | undefined): string | null {
  const match = /^(bearer|basic) +([A-Za-z0-9._~+/=-]+) *$/i.exec(header ?? '');
  if (!match?.[1] || !match[2]) return null;
  const token =
    match[1].toLowerCase() === 'bearer'
      ? match[2]
      : Buffer.from(match[2], 'base64')
          .toString('utf8')
          .replace(/^[^:]*:/, '');
  return token === '' || token.length > maxTokenLength ? null : token;
}
