/**
 * One round of publishing: a channel's pending changes become its next generation. The steps and their order
 * are those of DESIGN, "Commit and recovery": everything immutable is durable before the commit, the commit
 * makes it true, the pointers make it visible.
 */
import type { Catalog, ChannelRow, GenerationRow } from '../db/catalog.ts';
import { getChannel, moveHead } from '../db/channels.ts';
import { findGeneration, insertGeneration, updateSigning } from '../db/generations.ts';
import {
  addMember,
  listPendingChanges,
  removeMember,
  settleChanges,
  type PendingChange,
} from '../db/membership.ts';
import { listDocuments, listPendingDocuments, setDocument, settleDocuments } from '../db/documents.ts';
import type { PendingDocument } from '../db/documents.ts';
import { enqueueEvents } from '../db/webhooks.ts';
import type { Chunks, ComposedIndex } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import {
  channelForm,
  parseIndexes,
  signGeneration,
  writeIndexes,
  writeSettings,
  type PublishDeps,
  type SignedGeneration,
} from './build.ts';
import { applyDelta, effectOf, type ChannelState, type Delta } from './channel-state.ts';
import {
  composeDocuments,
  documentMoves,
  withDocuments,
  type DocumentMove,
  type DocumentSet,
} from './documents.ts';
import { EarlyFiles } from './early-files.ts';
import type { Held } from '../leases.ts';
import type { IndexCache } from './index-cache.ts';
import { parseVisible, writeVisible, type Visible } from './visible.ts';
import { transactIf } from '../db/transact.ts';

export type RoundDeps = PublishDeps & { readonly cache: IndexCache; readonly held: Held };

/** Changes taken into one generation; more wait for the next, so that one round stays bounded. */
const changesPerRound = 10_000;

/**
 * Publishes what is pending, and the channel's settings when they are not those of its head. Answers the head
 * afterwards, which is the old one when nothing really changed, and whether more is waiting; or null when what
 * the round started from changed meanwhile and it has to start again. `afresh`: a generation comes of it in any case.
 */
export async function publishPending(
  deps: RoundDeps,
  channelId: string,
  { afresh } = { afresh: false },
): Promise<{ generation: number; more: boolean } | null> {
  const seen = await getChannel(deps.db, channelId);
  const head = await findGeneration(deps.db, channelId, seen.head);
  // The files of the head are gone when a channel had expired and came back: nothing of it is there to build on.
  const isCollected = wasCollected(head);
  if (isCollected) deps.cache.forget(channelId);
  const settingsChanged =
    afresh || isCollected || head?.settings !== writeSettings(channelForm(seen, deps.publicUrl));
  const { changes, documents, more } = await listPending(deps.db, seen);
  if (changes.length + documents.length === 0 && !settingsChanged) return { generation: seen.head, more };
  const channel = { ...seen, architectures: grownArchitectures(seen, changes) };
  const form = channelForm(channel, deps.publicUrl);
  const plans = formatOf(channel.format).channels.indexes(form);
  const before = await deps.cache.stateOf(deps.db, channel, plans);
  const delta = effectOf(changes);
  const now = await listDocuments(deps.db, channelId);
  const then = withDocuments(now, documents);
  const moves = documentMoves(now, then);
  if (delta.added.length + delta.removed.length + moves.length === 0 && !settingsChanged) {
    await settleChanges(deps.db, changes, seen.head);
    await settleDocuments(deps.db, documents, seen.head);
    return { generation: seen.head, more };
  }
  const state = await applyDelta(deps.db, before, delta, (plan, texts) =>
    deps.cache.hashAhead(channelId, plan, texts),
  ).catch(unlessWithdrawn(deps.db, seen, changes));
  if (!state) return null;
  const number = seen.head + 1;
  const set = {
    formats: formatOf(channel.format).channels.documents,
    documents: then,
    form,
    known: head && !isCollected && then.size > 0 ? parseIndexes(head.indexes) : [],
  };
  const { date: previousDate, packages: packagesBefore, shown } = standing(head);
  const next = { number, previousDate, before: shown, documents: set };
  const { indexes, signed } = await make(deps, channel, state, next);
  const packages = packagesBefore + delta.added.length - delta.removed.length;
  const settings = writeSettings(form);
  const round = {
    seen,
    channel,
    settings,
    number,
    changes,
    documents,
    delta,
    moves,
    packages,
    indexes,
    signed,
  };
  const { unveiling } = signed;
  let isReady = false;
  try {
    if (!(await commit(deps, round))) return null;
    // Who stood still since then may be behind what others have shown: the head is shown afresh, as after a crash.
    deps.held.confirm();
    isReady = true;
  } finally {
    if (!isReady) await unveiling.discard();
  }
  deps.cache.keep(channelId, state, indexes);
  await unveiling.show(shown);
  return { generation: number, more };
}

/** What the next generation follows; a first one follows nothing. */
function standing(
  head: GenerationRow | undefined,
): Pick<GenerationRow, 'date' | 'packages'> & { readonly shown: Visible | null } {
  if (!head) return { date: 0, packages: 0, shown: null };
  const { date, packages, pointers } = head;
  return { date, packages, shown: parseVisible(pointers) };
}

function wasCollected(head: Pick<GenerationRow, 'collected_at'> | undefined): boolean {
  return (head?.collected_at ?? null) !== null;
}

/** Null in place of a failure when an upload was taken back meanwhile, and its package is not there to be read. */
function unlessWithdrawn(
  db: Catalog,
  channel: ChannelRow,
  changes: readonly PendingChange[],
): (error: unknown) => Promise<null> {
  return async (error) => {
    const { changes: now } = await listPendingChanges(db, channel, changesPerRound);
    const pending = new Set(now.map(({ id }) => id));
    if (changes.every(({ id }) => pending.has(id))) throw error;
    return null;
  };
}

/** What the next round takes. Of documents none that was asked for after the last of the changes that it takes. */
async function listPending(
  db: Catalog,
  channel: ChannelRow,
): Promise<{ changes: PendingChange[]; documents: PendingDocument[]; more: boolean }> {
  const { changes, more } = await listPendingChanges(db, channel, changesPerRound);
  const documents = await listPendingDocuments(db, channel.id);
  const last = more ? changes.at(-1)?.id : undefined;
  return { changes, documents: documents.filter(({ id }) => last === undefined || id < last), more };
}

/** The files of a new generation, all of them durable. */
async function make(
  deps: RoundDeps,
  channel: ChannelRow,
  state: ChannelState,
  next: {
    readonly number: number;
    readonly previousDate: number;
    readonly before: Visible | null;
    readonly documents: DocumentSet;
  },
): Promise<{ indexes: ComposedIndex[]; signed: SignedGeneration }> {
  const files = new EarlyFiles(deps.store);
  const begin = (chunks: Chunks): void => files.begin(chunks);
  try {
    // Those of the packages first, in the order of the state: the cache keeps them by it.
    const indexes = [
      ...(await Promise.all(state.indexes.map((index) => deps.cache.compose(channel.id, index, begin)))),
      ...(await composeDocuments(deps.db, next.documents, begin)),
    ];
    const { number, previousDate, before } = next;
    const generation = { number, isNew: true, indexes, previousDate, before };
    return { indexes, signed: await signGeneration(deps, channel, generation, files) };
  } finally {
    await files.discard();
  }
}

/** Those seen, and never fewer than before: a machine that asked for one keeps finding it. `all` is no machine. */
function grownArchitectures(channel: ChannelRow, changes: readonly PendingChange[]): string {
  const known = channel.architectures.split(' ').filter(Boolean);
  const added = changes.filter((change) => change.action === 'add' && change.architecture !== 'all');
  return [...new Set([...known, ...added.map((change) => change.architecture)])].sort().join(' ');
}

type Commit = {
  /** The row as the round found it, and as it will be. */
  readonly seen: ChannelRow;
  readonly channel: ChannelRow;
  readonly settings: string;
  readonly number: number;
  readonly changes: readonly PendingChange[];
  readonly documents: readonly PendingDocument[];
  readonly delta: Delta;
  readonly moves: readonly DocumentMove[];
  readonly packages: number;
  readonly indexes: readonly ComposedIndex[];
  readonly signed: SignedGeneration;
};

/** One transaction: the head if it is still where we started, what is settled, the members, the generation. */
async function commit(deps: RoundDeps, round: Commit): Promise<boolean> {
  const { seen, channel, number, changes, documents, delta, signed } = round;
  const asked = [...changes, ...documents];
  return await transactIf(deps.db, async (db) => {
    // Who stood still for too long may find files gone that it counts on: a collection waits for leases alone.
    await deps.held.confirmIn(db);
    const moved = await moveHead(db, seen, { head: number, architectures: channel.architectures });
    // Before the members: a package whose upload was taken back meanwhile is no longer there to be one.
    if (!moved || !(await settleChanges(db, changes, number))) return false;
    if (!(await settleDocuments(db, documents, number))) return false;
    for (const { package: id, component } of delta.removed)
      await removeMember(db, { channel: channel.id, package: id, component, removed_in: number });
    for (const { package: id, component } of delta.added)
      await addMember(db, { channel: channel.id, package: id, component, added_in: number });
    for (const { kind, to } of round.moves)
      await setDocument(db, { channel: channel.id, kind, sha256: to }, number);
    await insertGeneration(db, {
      channel: channel.id,
      number,
      date: signed.date,
      signed_at: signed.signedAt,
      committed_at: deps.clock.now(),
      cause: causeOf(asked),
      actor: [...new Set(asked.map((change) => change.actor))].join(', '),
      added: delta.added.length,
      removed: delta.removed.length,
      packages: round.packages,
      pointers: writeVisible(signed.placement),
      indexes: writeIndexes(round.indexes),
      settings: round.settings,
      collected_at: null,
    });
    await enqueueEvents(db, [...new Set(asked.map((change) => change.event))], deps.clock.now());
    return true;
  });
}

/** What led to a generation: the kind of the events whose changes it holds. */
function causeOf(changes: readonly Pick<PendingChange, 'cause'>[]): string {
  const causes = new Set(changes.map((change) => change.cause));
  if (causes.size === 0) return 'settings';
  return causes.size > 1 ? 'several' : [...causes].join();
}

/**
 * Signs the head of a channel anew: the same generation and the same indexes with a new Date and Valid-Until.
 * False when there is nothing to sign, or it was published or signed meanwhile.
 */
export async function signAgain(deps: PublishDeps, channelId: string): Promise<boolean> {
  const channel = await getChannel(deps.db, channelId);
  const head = await findGeneration(deps.db, channelId, channel.head);
  if (!head) return false;
  // Settings that are not published yet come with a generation of their own, not with this one's indexes.
  if (head.settings !== writeSettings(channelForm(channel, deps.publicUrl))) return false;
  const indexes = parseIndexes(head.indexes);
  const before = parseVisible(head.pointers);
  const generation = { number: head.number, isNew: false, indexes, previousDate: head.date, before };
  const signed = await signGeneration(deps, channel, generation, new EarlyFiles(deps.store));
  const pointers = writeVisible(signed.placement);
  const change = { date: signed.date, signed_at: signed.signedAt, pointers };
  let isCommitted = false;
  try {
    isCommitted = await updateSigning(deps.db, head, change);
  } finally {
    if (!isCommitted) await signed.unveiling.discard();
  }
  if (isCommitted) await signed.unveiling.show(null);
  return isCommitted;
}
