/**
 * What the publisher keeps in memory of a channel: its indexes as segments, as of one generation. A cache: it
 * is built from the catalog, may be dropped at any time, and is brought on by the changes of each round.
 */
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { loadEntries, pagesOfMembers, type Member, type PendingChange } from '../db/membership.ts';
import type { IndexPlan } from '../formats/format.ts';
import {
  changeSegments,
  entriesPerSegment,
  SegmentCutter,
  type IndexEntry,
  type Segment,
} from '../index/segments.ts';

/** The segments of one index. The object is a new one whenever they change. */
export type IndexState = { readonly plan: IndexPlan; readonly segments: readonly Segment[] };

export type ChannelState = {
  readonly generation: number;
  /** What is in the channel, by `memberKey`; changed in place, by `keepDelta` alone. */
  readonly members: Set<string>;
  readonly indexes: readonly IndexState[];
};

/** A package in a component, as one word. */
export function memberKey(member: { readonly package: string; readonly component: string }): string {
  return `${member.package} ${member.component}`;
}

type Placed = Pick<Member, 'name' | 'version' | 'architecture' | 'sha256'>;

/** The place of a package's entry in every index: by name, version, architecture and digest, as plain strings. */
function entryKey({ name, version, architecture, sha256 }: Placed): string {
  return `${name}\0${version}\0${architecture}\0${sha256}`;
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
  return { key: member.key, sha256: member.key.slice(-64), body: Buffer.from(body) };
}

/** Members whose entries are in memory at once while a state is built. */
const membersPerRun = 1000;

type OrderedMember = Keyed & Pick<Member, 'package' | 'component' | 'architecture'>;

/** The members of a generation as a set and in the order of their entries. */
async function loadMembers(
  db: Catalog,
  channel: string,
  generation: number,
): Promise<{ members: Set<string>; ordered: OrderedMember[] }> {
  const members = new Set<string>();
  const ordered: OrderedMember[] = [];
  for await (const page of pagesOfMembers(db, channel, generation))
    for (const member of page) {
      const { package: id, component, architecture } = member;
      members.add(memberKey(member));
      ordered.push({ key: entryKey(member), package: id, component, architecture });
    }
  return { members, ordered: ordered.sort(compareKeys) };
}

/** Builds the state of a generation from the catalog. */
export async function loadState(
  db: Catalog,
  channel: Pick<ChannelRow, 'id'>,
  generation: number,
  plans: readonly IndexPlan[],
): Promise<ChannelState> {
  const { members, ordered } = await loadMembers(db, channel.id, generation);
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
  const indexes = await Promise.all(
    cutters.map(async ({ plan, cutter }) => ({ plan, segments: await cutter.end() })),
  );
  return { generation, members, indexes };
}

/** Whether a state has just the indexes that these plans are for. */
export function fits(state: ChannelState, plans: readonly IndexPlan[]): boolean {
  const known = new Set(state.indexes.map((index) => index.plan.id));
  return known.size === plans.length && plans.every((plan) => known.has(plan.id));
}

/** A state that fits, with these plans: an index whose forms are others is another one. */
export function withPlans(state: ChannelState, plans: readonly IndexPlan[]): ChannelState {
  const byId = new Map(plans.map((plan) => [plan.id, plan]));
  const indexes = state.indexes.map((index) => {
    const plan = byId.get(index.plan.id) ?? index.plan;
    const same = plan.compressions.join() === index.plan.compressions.join();
    return same ? index : { plan, segments: index.segments };
  });
  return { ...state, indexes };
}

/** A package that comes or goes, with its place in the indexes. */
type Moved = Placed & Pick<PendingChange, 'package' | 'component'>;
export type Delta = { readonly added: readonly Moved[]; readonly removed: readonly Moved[] };

/** What the changes, in their order, really do to a set: adding what is there already is no change. */
export function effectOf(members: ReadonlySet<string>, changes: readonly PendingChange[]): Delta {
  const last = new Map(changes.map((change) => [memberKey(change), change]));
  const added: Moved[] = [];
  const removed: Moved[] = [];
  for (const [key, change] of last)
    if (change.action === 'add') {
      if (!members.has(key)) added.push(change);
    } else if (members.has(key)) removed.push(change);
  return { added, removed };
}

/**
 * The state of the next generation. Indexes that the delta does not touch stay the same objects; the members
 * follow with `keepDelta`, once the generation is committed.
 */
export async function applyDelta(db: Catalog, state: ChannelState, delta: Delta): Promise<ChannelState> {
  const ids = [...new Set(delta.added.map((change) => change.package))];
  const bodies = new Map<string, Map<string, string>>();
  for (const kind of new Set(state.indexes.map((index) => index.plan.entryKind)))
    bodies.set(kind, await loadEntries(db, kind, ids));

  const indexes = await Promise.all(
    state.indexes.map(async (index) => {
      const { plan } = index;
      const kind = plan.entryKind;
      const known = bodies.get(kind) ?? new Map<string, string>();
      const add = delta.added
        .filter((change) => plan.holds(change))
        .map((change) => entryOf({ ...change, key: entryKey(change) }, known, kind));
      const remove = delta.removed.filter((change) => plan.holds(change)).map(entryKey);
      if (add.length === 0 && remove.length === 0) return index;
      const perSegment = entriesPerSegment(plan.averageEntryBytes);
      const changes = { add: add.sort(compareKeys), remove: remove.sort() };
      return { plan, segments: await changeSegments(index.segments, changes, perSegment) };
    }),
  );
  return { generation: state.generation + 1, members: state.members, indexes };
}

/** Takes a delta that has been committed into the set of members: tens of thousands of names are not copied. */
export function keepDelta(state: ChannelState, delta: Delta): void {
  for (const change of delta.removed) state.members.delete(memberKey(change));
  for (const change of delta.added) state.members.add(memberKey(change));
}
