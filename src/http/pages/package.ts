import { z } from 'zod';
import type { App } from '../../app.ts';
import { listUploadsOf } from '../../db/events.ts';
import { listStays, type Stay } from '../../db/membership.ts';
import { listOfName, type PackageBrief } from '../../db/search.ts';
import { AppError } from '../../errors.ts';
import { formatOf } from '../../formats/formats.ts';
import { needRepository } from '../../registry/find.ts';
import { packageUrl, repositoryUrl, writeQuery } from '../../web/links.ts';
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

const packageParams = z.object({ repository: z.string(), name: z.string().max(300) });
const packageQuery = z.object({ page: z.coerce.number().int().min(1).max(1000).default(1) });

export const packageRoutes: PageRoutes = ({ app, identify, page }) => {
  page('/r/:repository/p/:name', { params: packageParams, query: packageQuery }, async (request) => {
    const { repository, name } = request.params;
    await needRepository(app.db, await identify(request), repository);
    const body = packagePage(await packageView(app, repository, name, request.query.page));
    const trail = [home, { text: repository, href: repositoryUrl(repository) }];
    return { title: `${name} of ${repository}`, section: 'repositories', trail, body };
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
  const [stays, uploads] = await Promise.all([listStays(app.db, ids), listUploadsOf(app.db, ids, 500)]);
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
    downloads: null,
  };
}

/** Those that hold one now come first. */
function channelsOf(stays: readonly Stay[], repository: string): string[] {
  const held = stays.toSorted((a, b) => Number(a.removed_in !== null) - Number(b.removed_in !== null));
  return [...new Set(held.map(({ channel }) => channel.slice(repository.length + 1)))].slice(0, maxChannels);
}

/** There now, or the last time that it was. */
function cellOf(stays: readonly Stay[], channel: string): Cell {
  const here = stays.filter((stay) => stay.channel === channel);
  const stay = here.find(({ removed_in }) => removed_in === null) ?? here.at(-1);
  return stay ? { since: stay.added_in, until: stay.removed_in } : null;
}
