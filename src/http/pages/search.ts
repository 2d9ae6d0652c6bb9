import { z } from 'zod';
import type { App } from '../../app.ts';
import { findFiles } from '../../db/file-names.ts';
import { listStays } from '../../db/membership.ts';
import { findGenerationBriefs } from '../../db/generations.ts';
import {
  findByCommit,
  findByDigestPrefix,
  findProviders,
  listBriefs,
  listNames,
  listNamesWith,
  type FoundDigest,
} from '../../db/search.ts';
import { AppError, errorTable } from '../../errors.ts';
import { digestPage, type DigestMatch } from '../../web/digest-page.ts';
import { searchPage, type SearchView } from '../../web/search.ts';
import { visibleRepositories } from './home.ts';
import type { PageRoutes } from './page-routes.ts';
import { home } from './repository.ts';
import { placeOf } from './version-place.ts';

/** Results of each kind. */
const shown = 25;
/** Repositories that one search goes through. */
const maxRepositories = 200;
const staysShown = 100;

const searchQuery = z.object({
  q: z.string().trim().max(400).default(''),
  repository: z.string().max(64).optional(),
});

export const searchRoutes: PageRoutes = ({ app, identify, page }) => {
  page('/search', { query: searchQuery }, async (request) => {
    const { q, repository } = request.query;
    const visible = (await visibleRepositories(app, await identify(request)))
      .map(({ name }) => name)
      .filter((name) => repository === undefined || name === repository)
      .slice(0, maxRepositories);
    const body = searchPage(await searchView(app, visible, q, repository ?? null));
    return { title: q === '' ? 'Search' : `Search for ${q.slice(0, 60)}`, trail: [home], query: q, body };
  });

  page('/a/:sha256', { params: z.object({ sha256: z.string() }) }, async (request) => {
    const sha256 = request.params.sha256.toLowerCase();
    const visible = (await visibleRepositories(app, await identify(request))).map(({ name }) => name);
    const found = /^[0-9a-f]{64}$/.test(sha256)
      ? await findByDigestPrefix(app.db, visible, sha256, shown)
      : [];
    if (found.length === 0)
      throw new AppError('not_found', `No package here has the SHA-256 ${sha256.slice(0, 64)}.`);
    const matches = await Promise.all(found.map((row) => matchOf(app, row)));
    return {
      title: `Digest ${sha256.slice(0, 12)}`,
      trail: [home],
      body: digestPage(sha256, matches, app.clock.now()),
    };
  });
};

async function matchOf(app: App, row: FoundDigest): Promise<DigestMatch> {
  const stays = (await listStays(app.db, [row.id])).slice(0, staysShown);
  const times = new Map<string, number>();
  for (const [channel, list] of Map.groupBy(stays, (stay) => stay.channel)) {
    const numbers = list.flatMap(({ added_in, removed_in }) => [
      added_in,
      ...(removed_in === null ? [] : [removed_in]),
    ]);
    for (const { number, committed_at } of await findGenerationBriefs(app.db, channel, [...new Set(numbers)]))
      times.set(`${channel} ${number}`, committed_at);
  }
  return {
    place: placeOf(row),
    kinds: row.kinds,
    sizeBytes: row.size_bytes,
    receivedAt: row.created_at,
    stays: stays.map(({ channel, added_in, removed_in }) => ({
      channel: channel.slice(row.repository.length + 1),
      addedIn: added_in,
      addedAt: times.get(`${channel} ${added_in}`) ?? null,
      removedIn: removed_in,
      removedAt: removed_in === null ? null : (times.get(`${channel} ${removed_in}`) ?? null),
    })),
  };
}

/** The code itself, or the `type` of a problem, which ends in it. */
function findError(query: string): SearchView['error'] {
  const code = query.replace(/^.*\/errors#/, '');
  const row = Object.entries(errorTable).find(([name]) => name === code)?.[1];
  return row ? { code, title: row.title, action: row.action } : null;
}

/** One more than is shown is asked for, to say that there are more. */
const asked = shown + 1;

async function searchView(
  app: App,
  repositories: readonly string[],
  query: string,
  repository: string | null,
): Promise<SearchView> {
  const hex = query.toLowerCase();
  const isDigest = /^[0-9a-f]{8,64}$/.test(hex);
  const each = async <T>(find: (repository: string) => Promise<T[]>): Promise<T[]> => {
    const found: T[] = [];
    for (const name of query === '' ? [] : repositories) {
      found.push(...(await find(name)));
      if (found.length >= asked) break;
    }
    return found.slice(0, asked);
  };
  const isPath = query.includes('/');
  const lists = {
    names: isPath ? [] : await each((name) => findNames(app, name, query)),
    files: query.length < 2 ? [] : await each((name) => filesOf(app, name, query)),
    provides: isPath ? [] : await each((name) => findProviders(app.db, name, query, asked)),
    commits: query.length < 7 ? [] : await each((name) => findByCommit(app.db, name, query, asked)),
    digests: isDigest ? await findByDigestPrefix(app.db, repositories, hex, asked) : [],
  };
  return {
    query,
    repository,
    error: findError(query),
    names: lists.names.slice(0, shown),
    files: lists.files.slice(0, shown),
    provides: lists.provides.slice(0, shown).map((row) => ({ text: row.text, place: placeOf(row) })),
    commits: lists.commits
      .slice(0, shown)
      .map((row) => ({ commit: row.commit_id ?? '', source: row.source, place: placeOf(row) })),
    digests: lists.digests
      .slice(0, shown)
      .map((row) => ({ sha256: row.sha256, kinds: row.kinds, place: placeOf(row) })),
    more: Object.entries(lists).flatMap(([name, list]) => (list.length > shown ? [name] : [])),
  };
}

async function findNames(
  app: App,
  repository: string,
  query: string,
): Promise<SearchView['names'][number][]> {
  const found = await listNames(app.db, repository, { prefix: query, limit: asked });
  if (found.length < asked && query.length > 1) {
    const known = new Set(found.map(({ name }) => name));
    found.push(
      ...(await listNamesWith(app.db, repository, query, asked)).filter(({ name }) => !known.has(name)),
    );
  }
  const last = new Map(
    (
      await listBriefs(
        app.db,
        found.map((row) => row.last),
      )
    ).map((row) => [row.id, row.summary]),
  );
  return found.map(({ name, last: id }) => ({ repository, name, summary: last.get(id) ?? '' }));
}

async function filesOf(app: App, repository: string, query: string): Promise<SearchView['files'][number][]> {
  const found = await findFiles(app.db, repository, query, asked);
  const packages = new Map(
    (await listBriefs(app.db, [...new Set(found.map((row) => row.package))])).map((row) => [row.id, row]),
  );
  return found.flatMap(({ folder, basename, package: id }) => {
    const row = packages.get(id);
    return row ? [{ path: folder + basename, place: placeOf(row) }] : [];
  });
}
