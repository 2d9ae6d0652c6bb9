/**
 * An index as a sorted list of entries, cut into segments where the entries themselves say (content-defined
 * cuts). Which cuts there are depends on the set of entries alone, so any history of changes leads to the same
 * bytes; and a change touches the segments it falls into, never the others.
 */
import { crc32 } from 'node:zlib';
import { deflateRun, sharedBytes, type DeflatedText } from './gzip.ts';

export type IndexEntry = {
  /** Its place: entries stand in the order of their keys, compared as plain strings. No two have one key. */
  readonly key: string;
  /** The SHA-256, in hex, that decides whether a cut follows: uniformly distributed whatever the names are. */
  readonly sha256: string;
  readonly body: string;
};

/**
 * Where a group ends, a segment ends too: forms that compress small texts badly are made of groups. A weak cut counts
 * in what is long already.
 */
export type Cut = 'none' | 'weak' | 'segment' | 'group';

/** A run of entries, with what is expensive to make of it. */
export type Segment = DeflatedText & {
  readonly keys: readonly string[];
  /** Where each entry ends in `raw`. */
  readonly ends: readonly number[];
  /** What follows its last entry; only the last segment of an index may go without a cut that counts. */
  readonly cut: Cut;
  /** Which of the others a weak cut follows. */
  readonly weak: readonly number[];
  readonly raw: Uint8Array;
  readonly count: number;
};

/** About this many bytes of text between two cuts. Smaller ones compress worse, larger ones cost more a change. */
const targetBytes = 64 * 1024;

/**
 * Of entries that are as many as a segment should have: the shares that end one and that end a group, whatever came
 * before, and that are weak cuts. Cuts that came by chance alone would leave a change in a segment of twice the
 * average; where a long one is cut sooner, it is hardly more.
 */
const shares = { group: 0.25, segment: 0.5, weak: 4 };

/** How many entries of a kind with this average size make a segment. */
export function entriesPerSegment(averageBytes: number): number {
  return Math.max(1, Math.round(targetBytes / averageBytes));
}

/** At random from 0 up to `perSegment`, but always the same for a digest: one in `perSegment` is below 1. */
export function shareOf(sha256: string, perSegment: number): number {
  return (Number.parseInt(sha256.slice(0, 8), 16) / 2 ** 32) * perSegment;
}

/** What follows the entry with this digest. */
function cutAfter(sha256: string, perSegment: number): Cut {
  const share = shareOf(sha256, perSegment);
  if (share < shares.group) return 'group';
  if (share < shares.segment) return 'segment';
  return share < shares.weak ? 'weak' : 'none';
}

/** A new one is text until it is written into its segment: no copy of a whole index is made on the way. */
type Part = { readonly key: string; readonly body: string | Uint8Array; readonly cut: Cut };

/**
 * Makes the segments of a whole set that comes in runs, so that nobody has to hold all its entries at once. They
 * come sorted by key, within a run and from run to run.
 */
export class SegmentCutter {
  readonly #perSegment: number;
  readonly #segments: Segment[] = [];
  /** What waits for its cut. */
  #open: Part[] = [];

  constructor(perSegment: number) {
    this.#perSegment = perSegment;
  }

  async add(entries: readonly IndexEntry[]): Promise<void> {
    const { runs, open } = cutParts(
      [...this.#open, ...newParts(entries, this.#perSegment)],
      this.#perSegment,
    );
    this.#open = open;
    this.#segments.push(...(await makeSegments(runs)));
  }

  async end(): Promise<Segment[]> {
    return [...this.#segments, ...(await makeSegments(this.#open.length > 0 ? [this.#open] : []))];
  }
}

/** Parts, of which the first follows a cut, as they stand together in segments; `open` waits for its cut. */
function cutParts(parts: readonly Part[], perSegment: number): { runs: Part[][]; open: Part[] } {
  const runs: Part[][] = [];
  let open: Part[] = [];
  for (const part of parts) {
    open.push(part);
    if (part.cut === 'none' || (part.cut === 'weak' && open.length < perSegment)) continue;
    runs.push(open);
    open = [];
  }
  return { runs, open };
}

/** As many as the thread pool can work on: each takes a quarter of a megabyte while it is deflated. */
const madeAtOnce = 4;

/** A segment before the part of it that takes longest. */
export type CutText = Omit<Segment, 'deflated'>;

/** Segments from runs of parts. */
async function makeSegments(runs: readonly (readonly Part[])[]): Promise<Segment[]> {
  return await deflateSegments(runs.map(cutText));
}

/** What is a segment already stays it. */
async function deflateSegments(texts: readonly (Segment | CutText)[]): Promise<Segment[]> {
  const made: Segment[] = [];
  const remaining = texts.entries();
  const work = async (): Promise<void> => {
    for (const [index, text] of remaining)
      made[index] = isMade(text) ? text : { ...text, deflated: await deflateRun(text.raw) };
  };
  await Promise.all(Array.from({ length: madeAtOnce }, work));
  return made;
}

const isMade = (text: Segment | CutText): text is Segment => 'deflated' in text;

function cutText(parts: readonly Part[]): CutText {
  const raw = sharedBytes(parts.reduce((sum, part) => sum + Buffer.byteLength(part.body), 0));
  const text = Buffer.from(raw.buffer);
  const ends: number[] = [];
  let offset = 0;
  for (const { body } of parts) {
    if (typeof body === 'string') text.write(body, offset);
    else text.set(body, offset);
    offset += Buffer.byteLength(body);
    ends.push(offset);
  }
  const cut = parts.at(-1)?.cut ?? 'none';
  const keys = parts.map((part) => part.key);
  const weak = parts.slice(0, -1).flatMap((part, i) => (part.cut === 'weak' ? [i] : []));
  const crc = crc32(raw);
  return { keys, count: keys.length, ends, cut, weak, raw, rawBytes: raw.byteLength, crc };
}

export type SegmentChanges = {
  /** Sorted by key, none of them in the index yet. */
  readonly add: readonly IndexEntry[];
  /** Keys that are all in the index, sorted. */
  readonly remove: readonly string[];
};

/**
 * The segments after the changes: those that are not touched are the same objects. A segment that loses the cut at
 * its end, or the length that a weak one needs, goes on into the next, until a cut is where one was: at the latest one
 * that is not weak. `began` is told all of them before what takes time is done.
 */
export async function changeSegments(
  segments: readonly Segment[],
  changes: SegmentChanges,
  perSegment: number,
  began: (texts: readonly CutText[]) => void = () => undefined,
): Promise<Segment[]> {
  const result: (Segment | CutText)[] = [];
  const remove = new Set(changes.remove);
  let added = 0;
  let removed = 0;
  /** What ended without a cut, and goes on into the next segment. */
  let pending: Part[] = [];
  const take = (parts: readonly Part[]): void => {
    const { runs, open } = cutParts([...pending, ...parts], perSegment);
    result.push(...runs.map(cutText));
    pending = open;
  };
  for (const [index, segment] of segments.entries()) {
    const limit = index === segments.length - 1 ? undefined : segment.keys.at(-1);
    const firstAdded = added;
    const firstRemoved = removed;
    while (isWithin(changes.add[added]?.key, limit)) added++;
    while (isWithin(changes.remove[removed], limit)) removed++;
    if (firstAdded === added && firstRemoved === removed && pending.length === 0) {
      result.push(segment);
      continue;
    }
    const more = newParts(changes.add.slice(firstAdded, added), perSegment);
    take(merge(keptParts(segment, remove), more));
  }
  if (segments.length === 0) take(newParts(changes.add, perSegment));
  if (pending.length > 0) result.push(cutText(pending));
  began(result);
  return await deflateSegments(result);
}

/** Whether a key belongs into a segment that ends with `limit`, or into the last one, which has no limit. */
function isWithin(key: string | undefined, limit: string | undefined): boolean {
  return key !== undefined && (limit === undefined || key <= limit);
}

function newParts(entries: readonly IndexEntry[], perSegment: number): Part[] {
  return entries.map(({ key, sha256, body }) => ({ key, body, cut: cutAfter(sha256, perSegment) }));
}

function keptParts(segment: Segment, remove: ReadonlySet<string>): Part[] {
  const { keys, ends, raw } = segment;
  const cuts = new Map<number, Cut>(segment.weak.map((i) => [i, 'weak']));
  cuts.set(keys.length - 1, segment.cut);
  return keys
    .map((key, i) => ({
      key,
      body: raw.subarray(i === 0 ? 0 : ends[i - 1], ends[i]),
      cut: cuts.get(i) ?? 'none',
    }))
    .filter((part) => !remove.has(part.key));
}

function merge(a: readonly Part[], b: readonly Part[]): Part[] {
  return [...a, ...b].sort((left, right) => (left.key < right.key ? -1 : 1));
}
