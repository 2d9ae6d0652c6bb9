/**
 * What the publisher keeps in memory of a channel: its indexes as segments, as of one generation. A cache: it
 * is built from the catalog, may be dropped at any time, and is brought on by the changes of each round.
 */
import { setImmediate } from 'node:timers/promises';
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { loadEntries, pagesOfMembers, type Member, type PendingChange } from '../db/membership.ts';
import type { EntryPlan, FilePlan, IndexPlan } from '../formats/format.ts';
import { changeLines, type LineSegment } from '../index/lines.ts';
import {
  changeSegments,
  entriesPerSegment,
  SegmentCutter,
  type CutText,
  type IndexEntry,
  type Segment,
} from '../index/segments.ts';
import { lineChanges } from './file-lines.ts';

export type EntryIndex = { readonly plan: EntryPlan; readonly segments: readonly Segment[] };
export type FileIndex = { readonly plan: FilePlan; readonly segments: readonly LineSegment[] };

/** The segments of one index. The object is a new one whenever they change. */
export type IndexState = EntryIndex | FileIndex;

export function isOfEntries(index: IndexState): index is EntryIndex {
  return index.plan.of === 'entries';
}

export type ChannelState = {
  readonly generation: number;
  readonly indexes: readonly IndexState[];
};

type Placed = Pick<Member, 'name' | 'version' | 'architecture' | 'sha256'>;

/** The place of a package's entry in every index: by name, version, architecture and digest, as plain strings. */
function entryKey({ name, version, architecture, sha256 }: Placed): string {
  // Joined it is one string; a template would be a tree of them until somebody compares it.
  return [name, version, architecture, sha256].join('\0');
}

type Keyed = { readonly key: string };

function compareKeys(a: Keyed, b: Keyed): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function entryOf(
  member: Keyed & { readonly package: string },
  bodies: ReadonlyMap<string, string>,
  kind: string,
): IndexEntry {
  const body = bodies.get(member.package);
  if (body === undefined) throw new Error(`package ${member.package} has no ${kind} entry`);
  // The digest is what a key ends in.
  return { key: member.key, sha256: member.key.slice(-64), body };
}

/** Members whose entries are in memory at once while a state is built. */
const membersPerRun = 1000;

type OrderedMember = Keyed & Pick<Member, 'package' | 'component' | 'architecture'>;

/** The members of a generation in the order of their entries. */
async function loadMembers(db: Catalog, channel: string, generation: number): Promise<OrderedMember[]> {
  const ordered: OrderedMember[] = [];
  for await (const page of pagesOfMembers(db, channel, generation)) {
    for (const member of page) {
      const { package: id, component, architecture } = member;
      ordered.push({ key: entryKey(member), package: id, component, architecture });
    }
    // SQLite answers at once: without this nobody else would have a turn until the last page.
    await setImmediate();
  }
  return ordered.sort(compareKeys);
}

/** Builds the state of a generation from the catalog. */
export async function loadState(
  db: Catalog,
  channel: Pick<ChannelRow, 'id'>,
  generation: number,
  plans: readonly IndexPlan[],
): Promise<ChannelState> {
  const ordered = await loadMembers(db, channel.id, generation);
  const entryPlans = plans.filter((plan) => plan.of === 'entries');
  const filePlans = plans.filter((plan) => plan.of === 'files');
  const indexes: IndexState[] = await loadEntryIndexes(db, ordered, entryPlans);
  // One after the other: each holds some tens of thousands of lines while it is made.
  for (const plan of filePlans) indexes.push(await loadFileIndex(db, ordered, plan));
  return { generation, indexes };
}

async function loadFileIndex(
  db: Catalog,
  ordered: readonly OrderedMember[],
  plan: FilePlan,
): Promise<FileIndex> {
  const added = ordered.filter((member) => plan.holds(member)).map((member) => member.package);
  const changes = await lineChanges(db, plan, { added, removed: [] });
  return { plan, segments: await changeLines([], changes, plan.averageLineBytes) };
}

async function loadEntryIndexes(
  db: Catalog,
  ordered: readonly OrderedMember[],
  plans: readonly EntryPlan[],
): Promise<EntryIndex[]> {
  const cutters = plans.map((plan) => ({
    plan,
    cutter: new SegmentCutter(entriesPerSegment(plan.averageEntryBytes)),
  }));
  for (let start = 0; start < ordered.length; start += membersPerRun) {
    const run = ordered.slice(start, start + membersPerRun);
    const ids = [...new Set(run.map((member) => member.package))];
    for (const kind of new Set(plans.map((plan) => plan.entryKind))) {
      const bodies = await loadEntries(db, kind, ids);
      for (const { plan, cutter } of cutters.filter((candidate) => candidate.plan.entryKind === kind))
        await cutter.add(
          run.filter((member) => plan.holds(member)).map((member) => entryOf(member, bodies, kind)),
        );
    }
  }
  return await Promise.all(cutters.map(async ({ plan, cutter }) => ({ plan, segments: await cutter.end() })));
}

/**
 * A state with just the indexes that these plans are for: those it has, and those it lacks from the catalog. An
 * index whose forms are others is another one.
 */
export async function withPlans(
  db: Catalog,
  channel: Pick<ChannelRow, 'id'>,
  state: ChannelState,
  plans: readonly IndexPlan[],
): Promise<ChannelState> {
  const known = new Map(state.indexes.map((index) => [index.plan.id, index]));
  const missing = plans.filter((plan) => !known.has(plan.id));
  if (missing.length > 0)
    for (const index of (await loadState(db, channel, state.generation, missing)).indexes)
      known.set(index.plan.id, index);
  const indexes = plans.flatMap((plan) => {
    const index = known.get(plan.id);
    return index ? [withPlan(index, plan)] : [];
  });
  return { ...state, indexes };
}

function withPlan(index: IndexState, plan: IndexPlan): IndexState {
  if (!isOfEntries(index) || plan.of !== 'entries') return index;
  const same = index.plan.compressions.join() === plan.compressions.join();
  return same ? index : { plan, segments: index.segments };
}

/** A package that comes or goes, with its place in the indexes. */
type Moved = Placed & Pick<PendingChange, 'package' | 'component'>;
export type Delta = { readonly added: readonly Moved[]; readonly removed: readonly Moved[] };

/** What the changes, in their order, really do to the head: adding what is there already is no change. */
export function effectOf(changes: readonly PendingChange[]): Delta {
  // The last one about a package in a component.
  const last = new Map(changes.map((change) => [`${change.package} ${change.component}`, change]));
  const effective = [...last.values()].filter(
    ({ action, member_since }) => (action === 'add') === (member_since === null),
  );
  return {
    added: effective.filter(({ action }) => action === 'add'),
    removed: effective.filter(({ action }) => action === 'remove'),
  };
}

/** Told the texts of an index as they will be, before they are deflated. */
export type Began = (plan: EntryPlan, texts: readonly CutText[]) => void;

/** The state of the next generation. Indexes that the delta does not touch stay the same objects. */
export async function applyDelta(
  db: Catalog,
  state: ChannelState,
  delta: Delta,
  began?: Began,
): Promise<ChannelState> {
  const ids = [...new Set(delta.added.map((change) => change.package))];
  const bodies = new Map<string, Map<string, string>>();
  for (const { plan } of state.indexes.filter(isOfEntries))
    if (!bodies.has(plan.entryKind)) bodies.set(plan.entryKind, await loadEntries(db, plan.entryKind, ids));

  const indexes = await Promise.all(
    state.indexes.map(async (index) => {
      const held = {
        added: delta.added.filter((change) => index.plan.holds(change)),
        removed: delta.removed.filter((change) => index.plan.holds(change)),
      };
      if (held.added.length === 0 && held.removed.length === 0) return index;
      if (!isOfEntries(index)) return await changeFileIndex(db, index, held);
      const known = bodies.get(index.plan.entryKind) ?? new Map<string, string>();
      return await changeEntryIndex(index, held, known, began);
    }),
  );
  return { generation: state.generation + 1, indexes };
}

async function changeEntryIndex(
  { plan, segments }: EntryIndex,
  { added, removed }: Delta,
  bodies: ReadonlyMap<string, string>,
  began: Began | undefined,
): Promise<EntryIndex> {
  const add = added.map((change) => entryOf({ ...change, key: entryKey(change) }, bodies, plan.entryKind));
  const changes = { add: add.sort(compareKeys), remove: removed.map(entryKey).sort() };
  return {
    plan,
    segments: await changeSegments(segments, changes, entriesPerSegment(plan.averageEntryBytes), (texts) =>
      began?.(plan, texts),
    ),
  };
}

/** The same object when the files of what comes are those of what goes. */
async function changeFileIndex(db: Catalog, index: FileIndex, delta: Delta): Promise<FileIndex> {
  const { plan } = index;
  const idsOf = (moved: readonly Moved[]): string[] => moved.map((change) => change.package);
  const moves = { added: idsOf(delta.added), removed: idsOf(delta.removed) };
  const segments = await changeLines(
    index.segments,
    await lineChanges(db, plan, moves),
    plan.averageLineBytes,
  );
  const same =
    segments.length === index.segments.length &&
    segments.every((segment, i) => segment === index.segments[i]);
  return same ? index : { plan, segments };
}
