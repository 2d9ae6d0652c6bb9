/**
 * Every change to what a channel holds, but for uploads, takes this way: what it would do for clients is worked
 * out first, and the dry run answers with just what the real one does.
 */
import { createHash } from 'node:crypto';
import type { Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { getChannel } from '../db/channels.ts';
import { listCollected } from '../db/collection.ts';
import {
  insertPendingDocuments,
  keepDocument,
  listDocuments,
  listKnownDocuments,
  listPendingDocuments,
  type ChannelDocument,
} from '../db/documents.ts';
import { insertPendingChanges } from '../db/membership.ts';
import { withdraw } from '../db/packages.ts';
import { listNamed, listPendingPackages, type ChannelPackage } from '../db/channel-packages.ts';
import { AppError } from '../errors.ts';
import { formatOf } from '../formats/formats.ts';
import { createId } from '../ids.ts';
import { documentMoves, withDocuments } from '../publish/documents.ts';
import type { Publisher } from '../publish/publisher.ts';
import { differenceOf, placeKey, type Difference } from './difference.ts';
import { installabilityWarnings, versionWarnings, type Warning } from './guard-rails.ts';
import type { Mutexes } from './mutexes.ts';
import { recordEvent, type EventKind } from './record-event.ts';
import { refuseCollected } from './refuse-collected.ts';
import { transact } from '../db/transact.ts';

export type ChangeDeps = {
  readonly db: Catalog;
  readonly clock: Clock;
  readonly publisher: Publisher;
  readonly identities: Mutexes;
};

export type Change = { readonly action: 'add' | 'remove'; readonly package: ChannelPackage };

/** A document that takes the place of that of its kind; empty when that goes. */
export type DocumentChange = {
  readonly kind: string;
  readonly sha256: string;
  /** The text as `packDocument` makes it, when the catalog may not have it. */
  readonly body?: string;
};

/** The changes that make a channel have the documents of a set, and of `gone` none that the set has not. */
export function documentsLike(
  set: ReadonlyMap<string, ChannelDocument>,
  gone: ReadonlyMap<string, ChannelDocument>,
): DocumentChange[] {
  return [
    ...[...gone.keys()].filter((kind) => !set.has(kind)).map((kind) => ({ kind, sha256: '' })),
    ...[...set.values()].map(({ kind, sha256 }) => ({ kind, sha256 })),
  ];
}

export type ChangeRequest = {
  readonly actor: Actor;
  readonly channel: ChannelRow;
  readonly kind: EventKind;
  /** For the event: where a promotion came from, which generation was rolled back to. */
  readonly detail: (changes: readonly Change[]) => Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  /** Goes on where the guard-rails would stop. */
  readonly force: boolean;
  /** Of the dry run that was looked at: anything else is not done. */
  readonly plan?: string | undefined;
  /** Works out the changes while nobody else changes the channel. */
  readonly changes: () => Promise<readonly Change[]>;
  /** The same for documents; none without it. */
  readonly documents?: () => Promise<readonly DocumentChange[]>;
};

export type ChangeReport = Difference & {
  readonly channel: string;
  /** The generation that holds the change, which is being served; of a dry run the one that it would be. */
  readonly generation: number;
  readonly status: 'published' | 'unchanged' | 'planned';
  /** Names the head and the packages that come and go: two reports of one plan are of the same change. */
  readonly plan: string;
  readonly warnings: readonly Warning[];
};

/**
 * Makes a change, or says what it would be. Throws `needs_force` when a guard-rail stands in the way,
 * `plan_changed` when the change would not be the one that was looked at, and `package_collected`. One at a time and
 * channel until it is served: two that were worked out from the same head would each undo a part of the other, and
 * the second one would call done what is still waiting.
 */
export async function changeChannel(deps: ChangeDeps, request: ChangeRequest): Promise<ChangeReport> {
  const { channel, dryRun } = request;
  return await deps.identities.run(`channel ${channel.id}`, async () => {
    const changes = await request.changes();
    const documents = (await request.documents?.()) ?? [];
    const planned = await plan(deps, channel, changes, documents);
    if (request.plan !== undefined) refuseOther(planned, request.plan);
    const nothing = planned.added.length + planned.removed.length + planned.documents.length === 0;
    if (nothing) return { ...planned, status: 'unchanged' };
    if (dryRun) return { ...planned, generation: planned.generation + 1 };
    if (!request.force) refuseWarnings(planned.warnings);
    const event = await record(deps, request, changes, documents);
    return { ...planned, status: 'published', generation: await publishEvent(deps, channel.id, event) };
  });
}

/** The difference against the head with everything that is waiting to be published. */
async function plan(
  deps: ChangeDeps,
  channel: ChannelRow,
  changes: readonly Change[],
  documents: readonly DocumentChange[],
): Promise<ChangeReport> {
  const { packages } = formatOf(channel.format);
  const names = [...new Set(changes.map((change) => change.package.name))];
  const { head, deleted_at } = await getChannel(deps.db, channel.id);
  if (deleted_at !== null) throw new AppError('channel_expired', `${channel.id} has just expired.`);
  const before = await currentVersions(deps.db, channel, names);
  const now = new Map(before.map((item) => [placeKey(item), item]));
  for (const { action, package: item } of changes)
    if (action === 'add') now.set(placeKey(item), item);
    else now.delete(placeKey(item));
  const after = [...now.values()];
  const held = withDocuments(
    await listDocuments(deps.db, channel.id),
    await listPendingDocuments(deps.db, channel.id),
  );
  const moved = documentMoves(held, withDocuments(held, documents));
  const difference = differenceOf(before, after, packages.compareVersions, moved);
  const warnings = [
    ...versionWarnings(difference),
    ...(await installabilityWarnings(deps.db, channel.id, packages.relations, { before, after })),
  ];
  const name = planName(channel, head, difference);
  return { channel: channel.name, generation: head, status: 'planned', plan: name, ...difference, warnings };
}

function planName(channel: ChannelRow, head: number, { added, removed, documents }: Difference): string {
  const moved = [added, removed].map((items) => items.map(({ component, sha256 }) => [component, sha256]));
  return createHash('sha256')
    .update(JSON.stringify([channel.id, head, ...moved, ...documents]))
    .digest('hex');
}

function refuseOther({ plan: now, generation }: ChangeReport, seen: string): void {
  if (now !== seen)
    throw new AppError(
      'plan_changed',
      `The channel is at generation ${generation}, and the change would not be the one that was planned.`,
    );
}

/** Every version of these names in the channel, pending changes applied. */
async function currentVersions(
  db: Catalog,
  channel: ChannelRow,
  names: readonly string[],
): Promise<ChannelPackage[]> {
  const current = new Map((await listNamed(db, channel.id, names)).map((item) => [placeKey(item), item]));
  const wanted = new Set(names);
  for (const { action, package: item } of await listPendingPackages(db, channel.id))
    if (!wanted.has(item.name)) continue;
    else if (action === 'add') current.set(placeKey(item), item);
    else current.delete(placeKey(item));
  return [...current.values()];
}

/** Warnings that are quoted in an error; the dry run has them all. */
const quoted = 5;

function refuseWarnings(warnings: readonly Warning[]): void {
  if (warnings.length === 0) return;
  const more = warnings.length > quoted ? ` And ${warnings.length - quoted} more.` : '';
  throw new AppError(
    'needs_force',
    warnings
      .slice(0, quoted)
      .map(({ message }) => message)
      .join(' ') + more,
  );
}

async function record(
  deps: ChangeDeps,
  request: ChangeRequest,
  changes: readonly Change[],
  documents: readonly DocumentChange[],
): Promise<string> {
  const { actor, channel, kind, detail } = request;
  const at = deps.clock.now();
  const subject = new Set(changes.map((change) => change.package.id));
  const added = changes.filter(({ action }) => action === 'add').map((change) => change.package.id);
  return await transact(deps.db, async (db) => {
    // In this transaction: a collector that comes later finds the pending change and leaves the package alone.
    refuseCollected(await listCollected(db, added), 'The change');
    const event = await recordEvent(db, {
      at,
      actor,
      repository: channel.repository,
      channel: channel.name,
      kind,
      ...(subject.size === 1 ? { package: [...subject].join() } : {}),
      detail: detail(changes),
    });
    for (const { sha256, body } of documents) if (body !== undefined) await keepDocument(db, sha256, body);
    await refuseLost(db, documents);
    // Before the packages of the same event: a round that takes those takes these too.
    await insertPendingDocuments(
      db,
      documents.map(({ kind, sha256 }) => ({ id: createId(at), channel: channel.id, kind, sha256, event })),
    );
    await insertPendingChanges(
      db,
      changes.map(({ action, package: item }) => ({
        id: createId(at),
        channel: channel.id,
        action,
        package: item.id,
        component: item.component,
        event,
      })),
    );
    return event;
  });
}

/** As for packages: what was collected cannot come back. */
async function refuseLost(db: Catalog, documents: readonly DocumentChange[]): Promise<void> {
  const wanted = documents.filter(({ sha256 }) => sha256 !== '');
  const known = await listKnownDocuments(
    db,
    wanted.map(({ sha256 }) => sha256),
  );
  const lost = wanted.find(({ sha256 }) => !known.has(sha256));
  if (lost)
    throw new AppError(
      'package_collected',
      `The change needs the ${lost.kind} ${lost.sha256}, which was collected. Upload it again.`,
    );
}

/** Publishes what an event asked for; what could not be published is taken back before the failure is told. */
async function publishEvent(
  { db, publisher }: ChangeDeps,
  channelId: string,
  event: string,
): Promise<number> {
  try {
    return await publisher.publish(channelId);
  } catch (error) {
    const { changes } = await transact(db, (transaction) => withdraw(transaction, event, null));
    if (changes) throw error;
    return await publisher.served(channelId);
  }
}
