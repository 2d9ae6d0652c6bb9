import { z } from 'zod';
import type { App } from '../../app.ts';
import type { ChannelRow, GenerationRow } from '../../db/catalog.ts';
import { listDocuments } from '../../db/documents.ts';
import {
  findGeneration,
  generationAt,
  listGenerationBriefs,
  type GenerationBrief,
} from '../../db/generations.ts';
import { listMemberBriefs, type MemberPlace } from '../../db/membership.ts';
import { listSigningKeys } from '../../db/repositories.ts';
import type { Allowed } from '../../web/allowed.ts';
import { AppError } from '../../errors.ts';
import { formatOf } from '../../formats/formats.ts';
import { channelForm } from '../../publish/build.ts';
import { parseVisible } from '../../publish/visible.ts';
import { compareChannels } from '../../registry/compare-channels.ts';
import { needChannel } from '../../registry/find.ts';
import { diffGenerations, needGeneration } from '../../registry/history.ts';
import { channelPage, type ChannelHeadView, type ChannelView, type Contents } from '../../web/channel.ts';
import { comparisonPage } from '../../web/comparison.ts';
import { generationsPage } from '../../web/generations.ts';
import type { Feed, Link, Page } from '../../web/layout.ts';
import {
  channelFeedUrl,
  channelUrl,
  documentUrl,
  promoteUrl,
  repositoryUrl,
  rollBackUrl,
  writeQuery,
} from '../../web/links.ts';
import type { Bar } from '../../web/timeline.ts';
import type { PageRoutes } from './page-routes.ts';
import { allowedTo } from './allowed.ts';
import { home } from './repository.ts';
import { placeOf } from './version-place.ts';

const membersPerPage = 50;
const generationsPerPage = 50;
const barsShown = 60;

export const channelParams = z.object({ repository: z.string(), channel: z.string() });
const number = z.coerce.number().int().min(0);
const channelQuery = z.object({
  q: z.string().max(300).default(''),
  after: z.string().max(600).optional(),
  at: z.string().trim().max(40).default(''),
  from: number.optional(),
  to: number.optional(),
  with: z.string().max(64).optional(),
});

export function channelTrail({ repository }: Pick<ChannelRow, 'repository'>): Link[] {
  return [home, { text: repository, href: repositoryUrl(repository) }];
}

function channelFeed({ repository, name }: ChannelRow): Feed {
  return { title: `Generations of ${repository}/${name}`, href: channelFeedUrl(repository, name) };
}

export function channelHeadView(row: ChannelRow): ChannelHeadView {
  const { repository, name, format, distribution, description, head } = row;
  return { repository, name, format, distribution, description, generation: head };
}

export const channelRoutes: PageRoutes = ({ app, identify, page }) => {
  page('/r/:repository/c/:channel', { params: channelParams, query: channelQuery }, async (request) => {
    const { repository, channel } = request.params;
    const actor = await identify(request);
    const row = await needChannel(app.db, actor, repository, channel);
    const { q, at, after, from, to } = request.query;
    const allowed = allowedTo(actor, repository, request);
    if (from !== undefined || to !== undefined) return await compareGenerations(app, row, allowed, from, to);
    if (request.query.with !== undefined) {
      const other = await needChannel(app.db, actor, repository, request.query.with);
      return await compareWith(app, row, other, allowed);
    }
    const body = channelPage({ ...(await channelView(app, row, { prefix: q, at, after })), allowed });
    const title = `${row.name} of ${repository}`;
    return { title, section: 'repositories', trail: channelTrail(row), feed: channelFeed(row), body };
  });

  const olderQuery = z.object({ before: number.optional() });
  page(
    '/r/:repository/c/:channel/generations',
    { params: channelParams, query: olderQuery },
    async (request) => {
      const { repository, channel } = request.params;
      const row = await needChannel(app.db, await identify(request), repository, channel);
      const { before } = request.query;
      const rows = await listGenerationBriefs(app.db, row.id, {
        limit: generationsPerPage,
        ...(before !== undefined && { before }),
      });
      const last = rows.at(-1);
      const body = generationsPage({
        now: app.clock.now(),
        channel: channelHeadView(row),
        generations: rows.map((item) => ({
          ...barOf(item),
          actor: item.actor,
          packages: item.packages,
          collected: item.collected_at !== null,
        })),
        next:
          last && last.number > 1
            ? `${channelUrl(repository, row.name)}/generations${writeQuery({ before: last.number })}`
            : null,
      });
      const title = `Generations of ${row.name}`;
      return { title, section: 'repositories', trail: channelTrail(row), feed: channelFeed(row), body };
    },
  );
};

function barOf({ number: generation, committed_at: at, cause, added, removed }: GenerationBrief): Bar {
  return { generation, at, cause, added, removed };
}

type Wanted = { readonly prefix: string; readonly at: string; readonly after: string | undefined };

async function channelView(app: App, row: ChannelRow, wanted: Wanted): Promise<Omit<ChannelView, 'allowed'>> {
  const generation = await generationWanted(app, row, wanted.at);
  const [head, contents, bars, keys, documents] = await Promise.all([
    findGeneration(app.db, row.id, row.head),
    contentsOf(app, row, generation, wanted),
    listGenerationBriefs(app.db, row.id, { limit: barsShown }),
    listSigningKeys(app.db, row.repository),
    listDocuments(app.db, row.id),
  ]);
  return {
    now: app.clock.now(),
    channel: channelHeadView(row),
    contents,
    signedAt: head?.signed_at ?? null,
    validUntil: row.format === 'apt' && head ? head.date * 1000 + app.config.validMs : null,
    expiresAt: row.expires_at,
    lastCause: head?.cause ?? null,
    lastActor: head?.actor ?? null,
    fingerprints: keys.map((key) => key.fingerprint),
    bars: bars.reverse().map(barOf),
    pin: pinOf(app, row, generation ?? row.head),
    pointers: pointersOf(head),
    documents: [...documents.values()].map(({ kind, added_in }) => ({
      kind,
      href: documentUrl(row.repository, row.name, kind),
      addedIn: added_in,
    })),
    publicUrl: app.publicUrl,
  };
}

/** Null for the head. A number is a generation, anything else a time in UTC. */
async function generationWanted(app: App, row: ChannelRow, at: string): Promise<number | null> {
  if (at === '') return null;
  if (/^\d{1,9}$/.test(at)) {
    const { number: found } = await needGeneration(app.db, row, Number(at));
    return found === row.head ? null : found;
  }
  const found = await generationAt(app.db, row.id, parseMoment(at));
  if (found === undefined) throw new AppError('not_found', `${row.id} held nothing yet at ${at}.`);
  return found === row.head ? null : found;
}

/** `2026-11-17`, which is its last moment, `2026-11-17 12:00`, or as ISO 8601 has it. */
function parseMoment(text: string): number {
  const [, date, time = '23:59:59'] =
    /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?Z?)?$/.exec(text) ?? [];
  const moment = date === undefined ? NaN : Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(moment))
    throw new AppError(
      'bad_request',
      `"${text}" is neither a generation nor a time such as 2026-11-17 12:00.`,
    );
  // The second is meant to its end.
  return moment + 999;
}

async function contentsOf(
  app: App,
  row: ChannelRow,
  generation: number | null,
  wanted: Wanted,
): Promise<Contents> {
  const { prefix, at, after } = wanted;
  const shown = generation ?? row.head;
  const published = shown === 0 ? undefined : await findGeneration(app.db, row.id, shown);
  const members = await listMemberBriefs(app.db, row.id, {
    generation,
    prefix,
    limit: membersPerPage,
    ...(after !== undefined && { after: parsePlace(after) }),
  });
  const last = members.length === membersPerPage ? members.at(-1) : undefined;
  return {
    generation,
    publishedAt: published?.committed_at ?? null,
    packages: published?.packages ?? 0,
    prefix,
    members: members.map((member) => ({
      ...placeOf({ ...member, repository: row.repository }),
      component: member.component,
      addedIn: member.added_in,
      summary: member.summary,
      sizeBytes: member.size_bytes,
    })),
    next: last
      ? channelUrl(row.repository, row.name, {
          at: at === '' ? undefined : at,
          q: prefix,
          after: writePlace(last),
        })
      : null,
  };
}

function writePlace({ id, component, name }: MemberPlace): string {
  return `${id} ${component} ${name}`;
}

function parsePlace(text: string): MemberPlace {
  const [, id, component, name] = /^(\S+) (\S+) (.+)$/.exec(text) ?? [];
  if (id === undefined || component === undefined || name === undefined)
    throw new AppError('bad_request', 'querystring: "after" is not from an earlier page.');
  return { id, component, name };
}

/** What clients ask for first. */
function pointersOf(head: GenerationRow | undefined): string[] {
  return head ? parseVisible(head.pointers).pointers.map(({ key }) => key) : [];
}

function pinOf(app: App, row: ChannelRow, generation: number): { label: string; text: string } | null {
  if (generation === 0) return null;
  const base = `${app.publicUrl}/${formatOf(row.format).channels.frozenKey(channelForm(row, app.publicUrl), generation)}`;
  return row.format === 'apt'
    ? { label: 'In the .sources file', text: `URIs: ${base}` }
    : { label: 'In the .repo file, instead of metalink', text: `baseurl=${base}/` };
}

async function compareGenerations(
  app: App,
  row: ChannelRow,
  allowed: Allowed,
  from = 0,
  to = row.head,
): Promise<Page> {
  const difference = await diffGenerations(app.db, row, from, to);
  const title = `${row.name} from generation ${from} to ${to}`;
  const action =
    from > 0 && from < row.head
      ? { text: `Roll back to generation ${from}`, href: rollBackUrl(row.repository, row.name, from) }
      : null;
  const body = comparisonPage({
    channel: channelHeadView(row),
    title,
    from,
    to,
    difference,
    allowed,
    action,
  });
  return {
    title,
    section: 'repositories',
    trail: [...channelTrail(row), { text: row.name, href: channelUrl(row.repository, row.name) }],
    body,
  };
}

async function compareWith(app: App, row: ChannelRow, other: ChannelRow, allowed: Allowed): Promise<Page> {
  const difference = await compareChannels(app.db, row, other);
  const title = `${row.name} against ${other.name}`;
  const action =
    row.distribution === other.distribution
      ? {
          text: `Promote ${row.name} to ${other.name}`,
          href: promoteUrl(row.repository, { from: row.name, to: other.name }),
        }
      : null;
  const channel = channelHeadView(row);
  const body = comparisonPage({ channel, title, other: other.name, difference, allowed, action });
  return {
    title,
    section: 'repositories',
    trail: [...channelTrail(row), { text: row.name, href: channelUrl(row.repository, row.name) }],
    body,
  };
}
