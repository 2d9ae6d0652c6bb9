import type { App } from '../../app.ts';
import type { PackageRow, UploadRow } from '../../db/catalog.ts';
import { listUploads } from '../../db/events.ts';
import { findGenerationBriefs } from '../../db/generations.ts';
import { listStays } from '../../db/membership.ts';
import { findByIdentity, parseFacts } from '../../db/packages.ts';
import { formatOf } from '../../formats/formats.ts';
import type { Chain, ChainNode } from '../../web/chain.ts';
import { cut } from '../../web/cut.ts';
import { wholeDigest } from '../../web/digest.ts';
import { html, type Html } from '../../web/html.ts';
import { channelUrl, digestUrl } from '../../web/links.ts';
import { provenancePage, type ProvenanceView, type StayFact } from '../../web/provenance.ts';
import { comparedFact, fact, type Fact } from '../../web/said.ts';
import { sourceLink } from '../../web/version.ts';
import { ago, groupsOfFour, size, time } from '../../web/words.ts';
import type { PageRoutes } from './page-routes.ts';
import {
  headOf,
  needVersion,
  otherVersions,
  versionBase,
  versionParams,
  versionQuery,
  versionTrail,
} from './version.ts';

const uploadsShown = 50;
const staysShown = 200;
/** Boxes of channels in the picture. */
const channelsDrawn = 5;

export const provenanceRoutes: PageRoutes = ({ app, identify, page }) => {
  page(`${versionBase}/provenance`, { params: versionParams, query: versionQuery }, async (request) => {
    const row = await needVersion(app, await identify(request), request);
    const body = provenancePage(await provenanceView(app, row));
    return {
      title: `Provenance of ${row.name} ${row.version}`,
      section: 'repositories',
      trail: versionTrail(row),
      body,
    };
  });
};

type Upload = UploadRow & { readonly at: number; readonly actor: string; readonly channel: string | null };

/** One version with what its first upload declared. */
type Told = { readonly row: PackageRow; readonly first: Upload | undefined };

async function provenanceView(app: App, row: PackageRow): Promise<ProvenanceView> {
  const uploads: Upload[] = await listUploads(app.db, row.id);
  const now: Told = { row, first: uploads[0] };
  const before = await previousOf(app, row);
  const stays = await stayFacts(app, row);
  return {
    ...(await headOf(app, row)),
    previous: before?.row.version ?? null,
    build: buildFacts(now, before),
    source: sourceFacts(now, before),
    integrity: integrityFacts(row),
    upload: uploadFacts(now, before, app.clock.now()),
    uploads: uploads
      .slice(0, uploadsShown)
      .map(({ at, actor, client, channel }) => ({ at, by: actor, client: cut(client, 120), channel })),
    moreUploads: Math.max(0, uploads.length - uploadsShown),
    signature: signatureFacts(now, before),
    stays,
    chain: chainOf(now, stays),
    check: `echo '${row.sha256}  ${row.filename}' | sha256sum -c`,
  };
}

async function previousOf(app: App, row: PackageRow): Promise<Told | null> {
  const { compareVersions } = formatOf(row.format).packages;
  const [brief] = (await otherVersions(app, row)).filter(
    ({ version }) => compareVersions(version, row.version) < 0,
  );
  const previous = brief && (await findByIdentity(app.db, brief));
  if (!previous) return null;
  const [first] = await listUploads(app.db, previous.id);
  return { row: previous, first };
}

type Read = (told: Told) => string | null;

/** A fact of this version beside that of the one before. */
function compared(
  label: string,
  by: Fact['by'],
  read: Read,
  now: Told,
  before: Told | null,
  show?: (text: string) => Html,
): Fact {
  const value = read(now);
  const earlier = before && { version: before.row.version, value: short(read(before)) };
  const shown = value === null ? undefined : show?.(value);
  return comparedFact(label, by, short(value), earlier, shown);
}

const short = (text: string | null): string | null => (text === null ? null : cut(text));

function buildFacts(now: Told, before: Told | null): Fact[] {
  const { buildTime, buildHost } = parseFacts(now.row);
  return [
    compared('Builder', 'the uploader', ({ first }) => first?.builder ?? null, now, before),
    fact('Run', now.first?.run ? sourceLink(now.first.run) : null, 'the uploader'),
    compared('Build host', 'the package', ({ row }) => parseFacts(row).buildHost, now, before),
    fact('Built', buildTime === null ? null : time(Math.min(buildTime, 8.64e12) * 1000), 'the package'),
  ].filter(({ label, value }) => value !== null || label !== 'Build host' || buildHost !== null);
}

function sourceFacts(now: Told, before: Told | null): Fact[] {
  const { source } = parseFacts(now.row);
  const commit = now.first?.commit_id ?? null;
  return [
    compared('Repository', 'the uploader', ({ first }) => first?.source ?? null, now, before, sourceLink),
    fact('Commit', commit && html`<code>${cut(commit, 100)}</code>`, 'the uploader'),
    fact('Branch or tag', now.first?.ref ? cut(now.first.ref, 200) : null, 'the uploader'),
    fact('Source package', source && `${cut(source.name, 100)} ${cut(source.version, 100)}`, 'the package'),
    compared('Maintainer', 'the package', ({ row }) => parseFacts(row).maintainer, now, before),
  ];
}

function integrityFacts(row: PackageRow): Fact[] {
  const facts = [fact('SHA-256 of the file as uploaded', wholeDigest(row.uploaded_sha256), 'this server')];
  if (row.sha256 !== row.uploaded_sha256)
    facts.push(fact('SHA-256 of the file as served', wholeDigest(row.sha256), 'this server'));
  if (row.core_sha256 !== row.sha256)
    facts.push(
      fact('Core digest, the same before and after signing', wholeDigest(row.core_sha256), 'this server'),
    );
  return [...facts, fact('Size, as served', size(row.size_bytes), 'this server')];
}

function uploadFacts(now: Told, before: Told | null, clock: number): Fact[] {
  const { first, row } = now;
  return [
    fact('Received', html`${time(row.created_at)}, ${ago(row.created_at, clock)}`, 'this server'),
    compared('Token', 'this server', (told) => told.first?.actor ?? null, now, before),
    fact('Client', first ? cut(first.client, 200) || null : null, 'the uploader'),
    fact('File name', first ? cut(first.filename) : null, 'the uploader'),
  ];
}

function signatureFacts(now: Told, before: Told | null): Fact[] {
  const { signed_by, repository, format } = now.row;
  const key = compared(
    'Signed in the package',
    'this server',
    ({ row }) => row.signed_by,
    now,
    before,
    (text) => html`<code>${groupsOfFour(text)}</code>`,
  );
  const index = fact(
    'Signed in the index',
    html`by the key of <a href="/keys">${repository}</a>, over the SHA-256 of the file, in every generation below`,
    'this server',
  );
  // A .deb carries no signature that apt would read.
  return format === 'apt' && signed_by === null ? [index] : [key, index];
}

async function stayFacts(app: App, row: PackageRow): Promise<StayFact[]> {
  const stays = (await listStays(app.db, [row.id])).slice(0, staysShown);
  const byChannel = Map.groupBy(stays, ({ channel }) => channel);
  const facts = await Promise.all(
    [...byChannel].map(async ([channel, list]) => {
      const numbers = [
        ...new Set(
          list.flatMap(({ added_in, removed_in }) => [
            added_in,
            ...(removed_in === null ? [] : [removed_in]),
          ]),
        ),
      ];
      const generations = new Map(
        (await findGenerationBriefs(app.db, channel, numbers)).map((item) => [item.number, item]),
      );
      return list.map(({ component, added_in, removed_in }): StayFact => {
        const came = generations.get(added_in);
        const went = removed_in === null ? undefined : generations.get(removed_in);
        return {
          channel: channel.slice(row.repository.length + 1),
          component,
          addedIn: added_in,
          addedAt: came?.committed_at ?? null,
          cause: came?.cause ?? null,
          actor: came?.actor ?? null,
          removedIn: removed_in,
          removedAt: went?.committed_at ?? null,
          removedCause: went?.cause ?? null,
        };
      });
    }),
  );
  return facts.flat().sort((a, b) => (a.addedAt ?? 0) - (b.addedAt ?? 0));
}

function chainOf({ row, first }: Told, stays: readonly StayFact[]): Chain {
  const declared = { text: 'declared with the upload, not checked', checked: false };
  const way: ChainNode[] = [];
  const add = (node: Omit<ChainNode, 'tie'>, tie: ChainNode['tie']): void =>
    void way.push({ ...node, tie: way.length === 0 ? null : tie });
  if (first && (first.source ?? first.commit_id) !== null)
    add(
      { title: 'Source', lines: lines(first.source, first.commit_id), by: 'the uploader', href: null },
      null,
    );
  if (first && (first.builder ?? first.run) !== null)
    add({ title: 'Build', lines: lines(first.builder, first.run), by: 'the uploader', href: null }, declared);
  const received = [
    `SHA-256 ${row.uploaded_sha256}`,
    first ? `from the token ${first.actor}` : 'its upload is not on record',
  ];
  add(
    { title: 'Uploaded file', lines: received, by: 'this server', href: digestUrl(row.uploaded_sha256) },
    declared,
  );
  if (row.sha256 !== row.uploaded_sha256)
    add(
      {
        title: 'Signed file',
        lines: [`SHA-256 ${row.sha256}`, `key ${row.signed_by ?? ''}`],
        by: 'this server',
        href: digestUrl(row.sha256),
      },
      { text: 'the core digest is the same', checked: true },
    );
  const places = [...Map.groupBy(stays, ({ channel }) => channel).entries()].slice(0, channelsDrawn);
  return {
    way,
    channels: places.map(([channel, list]) => {
      const last = list.at(-1);
      const until =
        last && last.removedIn !== null
          ? `generations ${last.addedIn} to ${last.removedIn - 1}`
          : `since generation ${last?.addedIn ?? 0}`;
      return {
        title: channel,
        lines: [until],
        by: 'this server',
        href: channelUrl(row.repository, channel, { at: last?.addedIn }),
        tie: { text: 'SHA-256 in its signed index', checked: true },
      };
    }),
  };
}

function lines(...texts: readonly (string | null)[]): string[] {
  return texts.flatMap((text) => (text === null ? [] : [cut(text, 200)]));
}
