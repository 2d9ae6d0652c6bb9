/** What other programs follow: Atom feeds and badges. */
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { listArrivals } from '../../db/arrivals.ts';
import { listNamed } from '../../db/channel-packages.ts';
import { listGenerations } from '../../db/generations.ts';
import { AppError } from '../../errors.ts';
import { formatOf } from '../../formats/formats.ts';
import { needChannel, needRepository } from '../../registry/find.ts';
import { channelUrl, packageUrl, publishedUrl } from '../../web/links.ts';
import { writeBadge } from '../../web/badge.ts';
import { writeFeed } from '../../web/feed.ts';
import { count, who } from '../../web/words.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { channelParams, repositoryParams } from '../schemas.ts';

const feedEntries = 50;

type Document = { readonly mediaType: string; readonly text: string; readonly isPublic: boolean };

/** Asked for again and again by many: revalidated, and nothing is sent when nothing changed. */
function sendDocument(
  request: FastifyRequest,
  reply: FastifyReply,
  { mediaType, text, isPublic }: Document,
): FastifyReply {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  reply.headers({
    etag,
    'cache-control': isPublic ? 'public, max-age=60' : 'private, no-cache',
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
  });
  const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known?.includes(etag) === true) return reply.code(304).send();
  return reply.type(mediaType).send(text);
}

export function feedRoutes(server: Server, app: App, identify: Identify): void {
  channelFeed(server, app, identify);
  packageFeed(server, app, identify);
  badge(server, app, identify);
}

const atom = 'application/atom+xml; charset=utf-8';

function channelFeed(server: Server, app: App, identify: Identify): void {
  const { publicUrl } = app;
  server.get(
    '/r/:repository/c/:channel/feed.atom',
    { schema: { hide: true, params: channelParams } },
    async (request, reply) => {
      const { repository, channel: name } = request.params;
      const actor = await identify(request);
      const { visibility } = await needRepository(app.db, actor, repository);
      const channel = await needChannel(app.db, actor, repository, name);
      const rows = await listGenerations(app.db, channel.id, { limit: feedEntries });
      const page = `${publicUrl}${channelUrl(repository, name)}`;
      const text = writeFeed({
        subject: ['channel', channel.id, channel.created_at],
        title: `${channel.id}: generations`,
        self: `${page}/feed.atom`,
        alternate: page,
        sinceMs: channel.created_at,
        entries: rows.map((row) => ({
          subject: ['generation', channel.id, channel.created_at, row.number],
          title: `${channel.id}, generation ${row.number}: ${row.cause}`,
          atMs: row.committed_at,
          author: who(row.actor),
          href: `${publicUrl}${publishedUrl(repository, name, row.number)}`,
          summary: `${count(row.added, 'package')} came in, ${row.removed} went out; ${count(row.packages, 'package')} altogether.`,
        })),
      });
      return sendDocument(request, reply, { mediaType: atom, text, isPublic: visibility === 'public' });
    },
  );
}

const nameParams = repositoryParams.extend({ name: z.string().min(1).max(300) });

function packageFeed(server: Server, app: App, identify: Identify): void {
  const { publicUrl } = app;
  server.get(
    '/r/:repository/p/:name/feed.atom',
    { schema: { hide: true, params: nameParams } },
    async (request, reply) => {
      const { repository, name } = request.params;
      const { visibility, created_at } = await needRepository(app.db, await identify(request), repository);
      const rows = await listArrivals(app.db, { repository, name, limit: feedEntries });
      if (rows.length === 0)
        throw new AppError('not_found', `No channel of "${repository}" ever held a package "${name}".`);
      const page = `${publicUrl}${packageUrl(repository, name)}`;
      const text = writeFeed({
        subject: ['package', repository, created_at, name],
        title: `${repository}: ${name}`,
        self: `${page}/feed.atom`,
        alternate: page,
        sinceMs: created_at,
        entries: rows.map(({ id, version, architecture, channel, component, number, ...row }) => ({
          subject: ['arrival', id, channel, component, number],
          title: `${name} ${version} (${architecture}) in ${channel}`,
          atMs: row.committed_at,
          author: who(row.actor),
          href: `${publicUrl}${publishedUrl(repository, channel.slice(repository.length + 1), number)}`,
          summary: `Generation ${number}, ${row.cause}. ${row.summary}`,
        })),
      });
      return sendDocument(request, reply, { mediaType: atom, text, isPublic: visibility === 'public' });
    },
  );
}

function badge(server: Server, app: App, identify: Identify): void {
  server.get(
    '/r/:repository/c/:channel/badge/:file',
    { schema: { hide: true, params: channelParams.extend({ file: z.string().regex(/^.+\.svg$/) }) } },
    async (request, reply) => {
      const { repository, channel: channelName, file } = request.params;
      const actor = await identify(request);
      const { visibility } = await needRepository(app.db, actor, repository);
      const channel = await needChannel(app.db, actor, repository, channelName);
      const { compareVersions } = formatOf(channel.format).packages;
      const held = await listNamed(app.db, channel.id, [file.replace(/\.svg$/, '')]);
      const newest = held
        .map(({ version }) => version)
        .sort(compareVersions)
        .at(-1);
      const text = writeBadge({
        label: channelName,
        text: newest ?? 'not there',
        state: newest === undefined ? 'absent' : 'there',
      });
      const mediaType = 'image/svg+xml; charset=utf-8';
      return sendDocument(request, reply, { mediaType, text, isPublic: visibility === 'public' });
    },
  );
}
