/** Sending pages and what they load: the style sheet and the script. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyReply } from 'fastify';
import { signInUrl } from '../web/links.ts';
import { renderPage, type Page } from '../web/layout.ts';
import { accountLink } from '../web/sign-in.ts';
import type { Server } from './instance.ts';
import { sessionOf } from './session.ts';

const mediaTypes = {
  'style.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
} as const;

const assets = Object.entries(mediaTypes).map(([name, mediaType]) => ({
  name,
  mediaType,
  bytes: readFileSync(join(import.meta.dirname, '../web/assets', name)),
}));

/** In the URLs of the assets, so that they may be kept for ever. */
const assetVersion = assets
  .reduce((hash, { bytes }) => hash.update(bytes), createHash('sha256'))
  .digest('hex')
  .slice(0, 12);

/** Everything from here, nothing inline: a text that became markup could still not run. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const headers = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** Pages are made for who asks and as things are now: kept by nobody but the browser, and asked for again. */
export function sendPage(reply: FastifyReply, page: Page): FastifyReply {
  const { request } = reply;
  const account = accountLink(sessionOf(request)?.actor.name ?? null, signInUrl(request.url));
  return reply
    .type('text/html; charset=utf-8')
    .headers({ 'cache-control': 'private, no-cache', ...headers })
    .send(renderPage({ account, ...page }, assetVersion));
}

export function assetRoutes(server: Server): void {
  for (const { name, mediaType, bytes } of assets)
    server.get(`/assets/:version/${name}`, { schema: { hide: true } }, (_request, reply) =>
      reply
        .type(mediaType)
        .header('cache-control', 'public, max-age=31536000, immutable')
        .header('x-content-type-options', 'nosniff')
        .send(bytes),
    );
}

/** A text out of a package, as it is: a browser shows it and runs nothing of it. */
export function sendText(reply: FastifyReply, text: string): FastifyReply {
  return reply
    .type('text/plain; charset=utf-8')
    .headers({
      'cache-control': 'private, no-cache',
      ...headers,
      'content-security-policy': "sandbox; default-src 'none'",
    })
    .send(text);
}
