import { z } from 'zod';
import type { App } from '../../app.ts';
import { maySee, type Actor } from '../../auth/permissions.ts';
import type { RepositoryRow } from '../../db/catalog.ts';
import { listHeads, type ChannelHead } from '../../db/channels.ts';
import { listRepositories } from '../../db/repositories.ts';
import { homePage, type ChannelLine, type HomeView, type RepositoryCard } from '../../web/home.ts';
import { writeQuery } from '../../web/links.ts';
import type { PageRoutes } from './page-routes.ts';

const repositoriesPerPage = 30;
const channelsPerCard = 8;
const recentShown = 10;

const query = z.object({ after: z.string().max(64).default('') });

export const homeRoutes: PageRoutes = ({ app, identify, page }) => {
  page('/', { query }, async (request) => {
    const visible = await visibleRepositories(app, await identify(request));
    const body = homePage(await homeView(app, visible, request.query.after));
    return { title: 'Repositories', section: 'repositories', body };
  });
};

export async function visibleRepositories(app: Pick<App, 'db'>, actor: Actor): Promise<RepositoryRow[]> {
  return (await listRepositories(app.db)).filter((row) => maySee(actor, row));
}

async function homeView(app: App, visible: readonly RepositoryRow[], after: string): Promise<HomeView> {
  const page = visible.filter(({ name }) => name > after).slice(0, repositoriesPerPage);
  const last = page.at(-1);
  const names = page.map(({ name }) => name);
  const heads = await listHeads(app.db, names);
  const byRepository = Map.groupBy(heads, ({ repository }) => repository);
  return {
    now: app.clock.now(),
    repositories: page.map((row) => repositoryCard(app, row, byRepository.get(row.name) ?? [])),
    next: last && last !== visible.at(-1) ? `/${writeQuery({ after: last.name })}` : null,
    recent: heads
      .flatMap(({ repository, name, head, committed_at, cause, actor }) =>
        committed_at === null || cause === null || actor === null
          ? []
          : [{ repository, channel: name, generation: head, at: committed_at, cause, actor }],
      )
      .sort((a, b) => b.at - a.at)
      .slice(0, recentShown),
  };
}

function repositoryCard(app: App, row: RepositoryRow, heads: readonly ChannelHead[]): RepositoryCard {
  return {
    name: row.name,
    description: row.description,
    isPrivate: row.visibility === 'private',
    channels: heads.slice(0, channelsPerCard).map((head) => channelLine(app, head)),
    moreChannels: Math.max(0, heads.length - channelsPerCard),
  };
}

/** A channel and its head as the pages show them. */
export function channelLine(app: Pick<App, 'config'>, head: ChannelHead): ChannelLine {
  return {
    name: head.name,
    format: head.format,
    distribution: head.distribution,
    generation: head.head,
    packages: head.packages ?? 0,
    signedAt: head.signed_at,
    // Only a Release says when it runs out.
    validUntil: head.format === 'apt' && head.date !== null ? head.date * 1000 + app.config.validMs : null,
  };
}
