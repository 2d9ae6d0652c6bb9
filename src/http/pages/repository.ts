import { z } from 'zod';
import type { App } from '../../app.ts';
import { listChannels, listHeads, type ChannelHead } from '../../db/channels.ts';
import { listEvents } from '../../db/events.ts';
import { countOnlyIn } from '../../db/channel-packages.ts';
import { listSigningKeys } from '../../db/repositories.ts';
import { listBriefs, listNames } from '../../db/search.ts';
import { needRepository } from '../../registry/find.ts';
import { producersOf } from '../../registry/signing-policy.ts';
import { eventKinds } from '../../registry/record-event.ts';
import { eventsPage, type EventLine } from '../../web/events.ts';
import type { Link } from '../../web/layout.ts';
import { repositoryUrl, writeQuery } from '../../web/links.ts';
import { repositoryPage, type Drift, type NameLine, type Strip } from '../../web/repository.ts';
import { allowedTo } from './allowed.ts';
import { channelLine } from './home.ts';
import type { PageRoutes } from './page-routes.ts';
import { placeOf } from './version-place.ts';

const namesPerPage = 50;
const eventsPerPage = 50;

export const repositoryParams = z.object({ repository: z.string() });
const listQuery = z.object({ q: z.string().max(300).default(''), after: z.string().max(300).optional() });
const short = z.string().max(200).default('');
const eventQuery = z.object({
  kind: short,
  actor: short,
  channel: short,
  before: z.string().max(26).optional(),
});

export const home: Link = { text: 'Repositories', href: '/' };

export const repositoryRoutes: PageRoutes = ({ app, identify, page }) => {
  page('/r/:repository', { params: repositoryParams, query: listQuery }, async (request) => {
    const actor = await identify(request);
    const row = await needRepository(app.db, actor, request.params.repository);
    const { q, after } = request.query;
    const heads = await listHeads(app.db, [row.name]);
    const names = await nameLines(app, row.name, q, after);
    const last = names.length === namesPerPage ? names.at(-1) : undefined;
    const body = repositoryPage({
      now: app.clock.now(),
      name: row.name,
      description: row.description,
      fingerprints: (await listSigningKeys(app.db, row.name)).map((key) => key.fingerprint),
      signing: row.signing,
      producers: producersOf(row).map(({ fingerprint }) => fingerprint),
      strips: await stripsOf(
        app,
        heads.filter((head) => head.expires_at === null),
      ),
      ephemeral: heads
        .flatMap((head) =>
          head.expires_at === null ? [] : [{ ...channelLine(app, head), expiresAt: head.expires_at }],
        )
        .sort((a, b) => a.expiresAt - b.expiresAt),
      names,
      prefix: q,
      next: last ? `${repositoryUrl(row.name)}${writeQuery({ q, after: last.name })}` : null,
      allowed: allowedTo(actor, row.name, request),
    });
    return { title: row.name, section: 'repositories', trail: [home], body };
  });

  page('/r/:repository/events', { params: repositoryParams, query: eventQuery }, async (request) => {
    const actor = await identify(request);
    const { name } = await needRepository(app.db, actor, request.params.repository);
    const { before, ...filter } = request.query;
    const events = await eventLines(app, name, filter, before);
    const last = events.length === eventsPerPage ? events.at(-1) : undefined;
    const body = eventsPage({
      now: app.clock.now(),
      repository: name,
      events,
      filter,
      kinds: eventKinds,
      channels: (await listChannels(app.db, name)).map((channel) => channel.name),
      allowed: allowedTo(actor, name, request),
      next: last ? `${repositoryUrl(name)}/events${writeQuery({ ...filter, before: last.id })}` : null,
    });
    const trail = [home, { text: name, href: repositoryUrl(name) }];
    return { title: `Events of ${name}`, section: 'repositories', trail, body };
  });
};

async function nameLines(app: App, repository: string, prefix: string, after?: string): Promise<NameLine[]> {
  const found = await listNames(app.db, repository, {
    prefix,
    limit: namesPerPage,
    ...(after !== undefined && { after }),
  });
  const last = new Map(
    (
      await listBriefs(
        app.db,
        found.map((row) => row.last),
      )
    ).map((row) => [row.id, row]),
  );
  return found.flatMap(({ name, packages, last: id }) => {
    const row = last.get(id);
    if (!row) return [];
    return [{ name, packages, summary: row.summary, lastVersion: row.version, lastAt: row.created_at }];
  });
}

/** Words in the names of channels, by how far a package has come there. */
const stages: readonly RegExp[] = [
  /dev|nightly|unstable|snapshot|feature|experimental/,
  /test|qa|ci/,
  /stag|candidate|rc|beta|pre/,
  /prod|stable|release|live/,
];

function stageOf(name: string): number {
  const found = stages.findIndex((pattern) => pattern.test(name));
  // What says nothing of itself stands between testing and staging.
  return found < 0 ? 1.5 : found;
}

/** The channels by format and distribution, each run from development to production. */
async function stripsOf(app: App, heads: readonly ChannelHead[]): Promise<Strip[]> {
  const groups = Map.groupBy(heads, ({ format, distribution }) => `${format} ${distribution}`);
  return await Promise.all(
    [...groups.values()].map(async (group) => {
      const channels = group.toSorted(
        (a, b) => stageOf(a.name) - stageOf(b.name) || a.created_at - b.created_at,
      );
      const { format = '', distribution = '' } = channels[0] ?? {};
      return {
        format,
        distribution,
        channels: channels.map((head) => ({ ...channelLine(app, head), description: head.description })),
        drifts: await Promise.all(channels.slice(1).map((next, i) => driftOf(app, channels[i], next))),
      };
    }),
  );
}

/** Differences by the generations that they are between, which never change: the last so many. */
const knownDrifts = new Map<string, Drift>();
const maxKnownDrifts = 1000;

async function driftOf(app: App, here: ChannelHead | undefined, next: ChannelHead): Promise<Drift> {
  if (!here) return { onlyHere: 0, onlyNext: 0 };
  // The data directory too: a process of tests has several servers.
  const key = [app.config.dataDir, here.id, here.head, next.id, next.head].join(' ');
  const known = knownDrifts.get(key);
  if (known) return known;
  const drift = {
    onlyHere: await countOnlyIn(app.db, here.id, next.id),
    onlyNext: await countOnlyIn(app.db, next.id, here.id),
  };
  if (knownDrifts.size >= maxKnownDrifts) knownDrifts.delete(knownDrifts.keys().next().value ?? '');
  knownDrifts.set(key, drift);
  return drift;
}

async function eventLines(
  app: App,
  repository: string,
  filter: { kind: string; actor: string; channel: string },
  before?: string,
): Promise<EventLine[]> {
  const wanted = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ''));
  const rows = await listEvents(app.db, {
    repository,
    ...wanted,
    limit: eventsPerPage,
    ...(before !== undefined && { before }),
  });
  const ids = rows.flatMap((row) => row.package ?? []);
  const packages = new Map((await listBriefs(app.db, ids)).map((row) => [row.id, placeOf(row)]));
  return rows.map(({ id, at, kind, actor, channel, generation, package: item, detail }) => ({
    id,
    at,
    kind,
    actor,
    channel,
    generation,
    package: item === null ? null : (packages.get(item) ?? null),
    detail,
  }));
}
