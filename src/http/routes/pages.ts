/** The pages: what they show comes from the catalog, how they look from web/. */
import type { App } from '../../app.ts';
import { maySee, type Actor } from '../../auth/permissions.ts';
import type { ChannelRow } from '../../db/catalog.ts';
import { listChannels } from '../../db/channels.ts';
import { countMembers, listMemberDetails } from '../../db/membership.ts';
import { listRepositories, listSigningKeys } from '../../db/repositories.ts';
import { setupCommands } from '../../formats/setup-commands.ts';
import { uploadFacts } from '../../registry/describe-package.ts';
import { needRepository } from '../../registry/find.ts';
import { producersOf } from '../../registry/signing-policy.ts';
import { errorsPage } from '../../web/errors.ts';
import { homePage, type RepositoryCard } from '../../web/home.ts';
import { repositoryPage, type ChannelSection, type PackageLine } from '../../web/repository.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { assetRoutes, sendPage } from '../send-page.ts';

/** Packages of a channel on its repository's page. */
const shownPackages = 50;

export function pageRoutes(server: Server, app: App, identify: Identify): void {
  assetRoutes(server);

  server.get('/errors', { schema: { hide: true } }, (_request, reply) =>
    sendPage(reply, { title: 'Errors', body: errorsPage() }),
  );

  server.get('/', { schema: { hide: true } }, async (request, reply) => {
    const actor = await identify(request);
    const body = homePage(await repositoryCards(app, actor));
    return sendPage(reply, { title: 'Repositories', section: 'repositories', body });
  });

  server.get<{ Params: { repository: string } }>(
    '/r/:repository',
    { schema: { hide: true } },
    async (request, reply) => {
      const row = await needRepository(app.db, await identify(request), request.params.repository);
      const { name, description, signing } = row;
      const channels = await Promise.all(
        (await listChannels(app.db, name)).map((row) => channelSection(app, row)),
      );
      const fingerprints = (await listSigningKeys(app.db, name)).map((key) => key.fingerprint);
      const producers = producersOf(row).map(({ fingerprint }) => fingerprint);
      const body = repositoryPage({ name, description, fingerprints, signing, producers, channels });
      const trail = [{ text: 'Repositories', href: '/' }];
      return sendPage(reply, { title: name, section: 'repositories', trail, body });
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
