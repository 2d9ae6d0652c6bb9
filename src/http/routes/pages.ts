/** The pages: what they show comes from the catalog, how they look from web/. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyReply } from 'fastify';
import type { App } from '../../app.ts';
import { maySee, type Actor } from '../../auth/permissions.ts';
import type { ChannelRow } from '../../db/catalog.ts';
import { listChannels } from '../../db/channels.ts';
import { countMembers, listMemberDetails } from '../../db/membership.ts';
import { listRepositories, listSigningKeys } from '../../db/repositories.ts';
import { setupCommands } from '../../formats/setup-commands.ts';
import { uploadFacts } from '../../registry/describe-package.ts';
import { needRepository } from '../../registry/find.ts';
import { errorsPage } from '../../web/errors.ts';
import { homePage, type RepositoryCard } from '../../web/home.ts';
import type { Html } from '../../web/html.ts';
import { renderPage } from '../../web/layout.ts';
import { repositoryPage, type ChannelSection, type PackageLine } from '../../web/repository.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';

const assetsDir = join(import.meta.dirname, '../../web/assets');
/** Packages of a channel on its repository's page. */
const shownPackages = 50;

const contentSecurityPolicy =
  "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export async function pageRoutes(server: Server, app: App, identify: Identify): Promise<void> {
  const style = await readFile(join(assetsDir, 'style.css'));
  const assetVersion = createHash('sha256').update(style).digest('hex').slice(0, 12);

  const send = (reply: FastifyReply, title: string, body: Html): FastifyReply =>
    reply
      .type('text/html; charset=utf-8')
      .header('cache-control', 'no-cache')
      .header('content-security-policy', contentSecurityPolicy)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'same-origin')
      .send(renderPage({ title, body, assetVersion }));

  server.get('/assets/:version/style.css', { schema: { hide: true } }, (_request, reply) =>
    reply
      .type('text/css; charset=utf-8')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(style),
  );

  server.get('/errors', { schema: { hide: true } }, (_request, reply) => send(reply, 'Errors', errorsPage()));

  server.get('/', { schema: { hide: true } }, async (request, reply) => {
    const actor = await identify(request);
    return send(reply, 'Repositories', homePage(await repositoryCards(app, actor)));
  });

  server.get<{ Params: { repository: string } }>(
    '/r/:repository',
    { schema: { hide: true } },
    async (request, reply) => {
      const { name, description } = await needRepository(
        app.db,
        await identify(request),
        request.params.repository,
      );
      const channels = await Promise.all(
        (await listChannels(app.db, name)).map((row) => channelSection(app, row)),
      );
      const fingerprints = (await listSigningKeys(app.db, name)).map((key) => key.fingerprint);
      return send(reply, name, repositoryPage({ name, description, fingerprints, channels }));
    },
  );
}

async function repositoryCards(app: App, actor: Actor): Promise<RepositoryCard[]> {
  const repositories = (await listRepositories(app.db)).filter((row) => maySee(actor, row));
  return await Promise.all(
    repositories.map(async ({ name, description }) => ({
      name,
      description,
      channels: await Promise.all(
        (await listChannels(app.db, name)).map(async (channel) => ({
          name: channel.name,
          format: channel.format,
          packages: await countMembers(app.db, channel.id),
        })),
      ),
    })),
  );
}

async function channelSection(app: App, channel: ChannelRow): Promise<ChannelSection> {
  const rows = await listMemberDetails(app.db, channel.id, { limit: shownPackages });
  const shown = await Promise.all(
    rows.map(async (row): Promise<PackageLine> => {
      const last = (await uploadFacts(app.db, row.id)).at(-1);
      const { name, version, architecture, summary, sha256 } = row;
      const { source = null, commit = null } = last?.declared ?? {};
      return { name, version, architecture, summary, url: `/${row.path}`, sha256, source, commit };
    }),
  );
  return {
    name: channel.name,
    format: channel.format,
    description: channel.description,
    generation: channel.head,
    packages: await countMembers(app.db, channel.id),
    shown,
    setup: setupCommands(channel.format, {
      repository: channel.repository,
      name: channel.name,
      publicUrl: app.publicUrl,
    }),
  };
}
