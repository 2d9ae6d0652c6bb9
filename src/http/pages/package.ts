import { z } from 'zod';
import type { App } from '../../app.ts';
import { downloadsOf, msPerDay } from '../../db/downloads.ts';
import { listUploadsOf } from '../../db/events.ts';
import { listStays, type Stay } from '../../db/membership.ts';
import { listOfName, type PackageBrief } from '../../db/search.ts';
import { AppError } from '../../errors.ts';
import { formatOf } from '../../formats/formats.ts';
import { needRepository } from '../../registry/find.ts';
import { packageFeedUrl, packageUrl, repositoryUrl, writeQuery } from '../../web/links.ts';
import type { DownloadsView } from '../../web/downloads.ts';
import { packagePage, type Cell, type PackageView } from '../../web/package.ts';
import { installCommands } from '../../web/setup-snippets.ts';
import type { PageRoutes } from './page-routes.ts';
import { home } from './repository.ts';
import { placeOf } from './version-place.ts';

/** Packages of one name that are sorted and counted; the oldest of more are left out. */
const maxPackages = 2000;
const packagesPerPage = 30;
/** Columns of the matrix. */
const maxChannels = 8;
/** Badges that are offered. */
const maxBadges = 4;
/** Days of downloads, the last of them today. */
const daysShown = 90;

const packageParams = z.object({ repository: z.string(), name: z.string().max(300) });
const packageQuery = z.object({ page: z.coerce.number().int().min(1).max(1000).default(1) });

export const packageRoutes: PageRoutes = ({ app, identify, page }) => {
  page('/r/:repository/p/:name', { params: packageParams, query: packageQuery }, async (request) => {
    const { repository, name } = request.params;
    await needRepository(app.db, await identify(request), repository);
    const view = await packageView(app, repository, name, request.query.page);
    const trail = [home, { text: repository, href: repositoryUrl(repository) }];
    const title = `${name} of ${repository}`;
    const feed =
      view.channels.length === 0 ? {} : { feed: { title, href: packageFeedUrl(repository, name) } };
    return { title, section: 'repositories', trail, ...feed, body: packagePage(view) };
  });
};

/** Newest version first; of one version the last upload. */
export function byVersion(a: PackageBrief, b: PackageBrief): number {
  const order = a.format === b.format ? formatOf(a.format).packages.compareVersions(b.version, a.version) : 0;
  return order || (a.id < b.id ? 1 : -1);
}

async function packageView(app: App, repository: string, name: string, page: number): Promise<PackageView> {
  const all = (await listOfName(app.db, repository, name, maxPackages)).sort(byVersion);
  const [newest] = all;
  if (!newest) throw new AppError('not_found', `The repository "${repository}" has no package "${name}".`);
  const shown = all.slice((page - 1) * packagesPerPage, page * packagesPerPage);
  const ids = shown.map(({ id }) => id);
  const [stays, uploads, downloads] = await Promise.all([
    listStays(app.db, ids),
    listUploadsOf(app.db, ids, 500),
    downloadsView(app, repository, name, all),
  ]);
  const channels = channelsOf(stays, repository);
  const staysOf = Map.groupBy(stays, (stay) => stay.package);
  const uploadOf = Map.groupBy(uploads, (upload) => upload.package);
  return {
    now: app.clock.now(),
    repository,
    name,
    summary: newest.summary,
    channels: channels.map((channel) => ({ name: channel })),
    versions: shown.map((row) => ({
      ...placeOf(row),
      uploadedAt: row.created_at,
      by: uploadOf.get(row.id)?.at(-1)?.actor ?? null,
      cells: channels.map((channel) => cellOf(staysOf.get(row.id) ?? [], `${repository}/${channel}`)),
    })),
    total: all.length,
    next:
      page * packagesPerPage < all.length
        ? `${packageUrl(repository, name)}${writeQuery({ page: page + 1 })}`
        : null,
    uploaders: [...Map.groupBy(uploads, ({ actor }) => actor)].map(([actor, made]) => ({
      name: actor,
      uploads: made.length,
      lastAt: Math.max(...made.map(({ at }) => at)),
    })),
    install:
      channels.length === 0
        ? []
        : installCommands(newest.format, name).map((item) => ({ ...item, channel: channels[0] ?? '' })),
    downloads,
    badges: heldBy(stays, repository).slice(0, maxBadges),
    publicUrl: app.publicUrl,
  };
}

async function downloadsView(
  app: App,
  repository: string,
  name: string,
  packages: readonly PackageBrief[],
): Promise<DownloadsView> {
  const to = Math.floor(app.clock.now() / msPerDay);
  const from = to - daysShown + 1;
  const rows = await downloadsOf(app.db, { repository, name, since: from });
  const total = (list: typeof rows): number => list.reduce((sum, row) => sum + row.count, 0);
  const byPackage = Map.groupBy(rows, (row) => row.package);
  return {
    from,
    to,
    days: [...Map.groupBy(rows, ({ day }) => day)].map(([day, list]) => ({ day, count: total(list) })),
    versions: packages
      .flatMap(({ id, version, architecture }) => {
        const counted = byPackage.get(id);
        return counted ? [{ version, architecture, count: total(counted) }] : [];
      })
      .sort((a, b) => b.count - a.count),
  };
}

/** Channels that hold one now. */
function heldBy(stays: readonly Stay[], repository: string): string[] {
  const held = stays.filter(({ removed_in }) => removed_in === null);
  return [...new Set(held.map(({ channel }) => channel.slice(repository.length + 1)))];
}

/** Those that hold one now come first. */
function channelsOf(stays: readonly Stay[], repository: string): string[] {
  const all = stays.map(({ channel }) => channel.slice(repository.length + 1));
  return [...new Set([...heldBy(stays, repository), ...all])].slice(0, maxChannels);
}

/** There now, or the last time that it was. */
function cellOf(stays: readonly Stay[], channel: string): Cell {
  const here = stays.filter((stay) => stay.channel === channel);
  const stay = here.find(({ removed_in }) => removed_in === null) ?? here.at(-1);
  return stay ? { since: stay.added_in, until: stay.removed_in } : null;
}
