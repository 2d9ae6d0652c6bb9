/** What would change for clients between two sets of packages. */
import type { ChannelPackage } from '../db/channel-packages.ts';
import type { DocumentMove } from '../publish/documents.ts';

export type PackageRef = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly component: string;
  readonly sha256: string;
  readonly size: number;
};

/** A package as clients see it: the newest version that a set offers of a name, architecture and component. */
export type Move = {
  readonly name: string;
  readonly architecture: string;
  readonly component: string;
  /** Null when the set has none. */
  readonly from: string | null;
  readonly to: string | null;
  readonly kind: 'new' | 'upgrade' | 'downgrade' | 'gone';
};

export type Difference = {
  readonly added: readonly PackageRef[];
  readonly removed: readonly PackageRef[];
  /** What a client that follows the newest version meets. */
  readonly moves: readonly Move[];
  readonly documents: readonly DocumentMove[];
};

type CompareVersions = (a: string, b: string) => number;

/** A package in a component, as one word. */
export function placeKey({ id, component }: Pick<ChannelPackage, 'id' | 'component'>): string {
  return `${id} ${component}`;
}

function refOf({ name, version, architecture, component, sha256, size_bytes }: ChannelPackage): PackageRef {
  return { name, version, architecture, component, sha256, size: size_bytes };
}

function byName(a: PackageRef | Move, b: PackageRef | Move): number {
  const [left, right] = [a, b].map(
    ({ name, architecture, component }) => `${name}\0${architecture}\0${component}`,
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** `before` and `after` hold at least every version of every name in which the two sets differ. */
export function differenceOf(
  before: readonly ChannelPackage[],
  after: readonly ChannelPackage[],
  compareVersions: CompareVersions,
  documents: readonly DocumentMove[],
): Difference {
  const old = new Set(before.map(placeKey));
  const now = new Set(after.map(placeKey));
  const newestBefore = newestVersions(before, compareVersions);
  const newestAfter = newestVersions(after, compareVersions);
  const moves: Move[] = [];
  for (const [key, { name, architecture, component }] of new Map([...newestBefore, ...newestAfter])) {
    const from = newestBefore.get(key)?.version ?? null;
    const to = newestAfter.get(key)?.version ?? null;
    if (from === to) continue;
    moves.push({ name, architecture, component, from, to, kind: kindOf(from, to, compareVersions) });
  }
  return {
    added: after
      .filter((item) => !old.has(placeKey(item)))
      .map(refOf)
      .sort(byName),
    removed: before
      .filter((item) => !now.has(placeKey(item)))
      .map(refOf)
      .sort(byName),
    moves: moves.sort(byName),
    documents,
  };
}

function kindOf(from: string | null, to: string | null, compareVersions: CompareVersions): Move['kind'] {
  if (from === null) return 'new';
  if (to === null) return 'gone';
  return compareVersions(to, from) < 0 ? 'downgrade' : 'upgrade';
}

function newestVersions(
  items: readonly ChannelPackage[],
  compareVersions: CompareVersions,
): Map<string, ChannelPackage> {
  const newest = new Map<string, ChannelPackage>();
  for (const item of items) {
    const key = `${item.name}\0${item.architecture}\0${item.component}`;
    const known = newest.get(key);
    if (!known || compareVersions(item.version, known.version) > 0) newest.set(key, item);
  }
  return newest;
}
