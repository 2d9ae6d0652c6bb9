/**
 * An index of lines, each a key with the names that stand behind it: which packages ship a path. Like one of entries
 * it is cut into segments where the keys themselves say, so the set of mentions alone decides on its bytes; but it
 * has very many lines, so that only what is deflated is kept of them.
 *
 * Keys and names are byte strings: each character is one byte of their UTF-8. They are compared as strcmp does, and
 * take a byte for each.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { deflateRun, inflateRun, type DeflatedText } from './gzip.ts';
import { shareOf, entriesPerSegment } from './segments.ts';

/** A name stands behind a key, `count` times over: so many packages of that name have it. In changes also below 0. */
export type Mention = { readonly key: string; readonly name: string; readonly count: number };

/** Sorted mentions as text. */
type PackedMentions = DeflatedText & {
  /** Of each mention, in their order: what the text does not say. */
  readonly counts: Int32Array;
};

/** A run of lines. Its text is held deflated alone. */
export type LineSegment = PackedMentions & { readonly lastKey: string; readonly count: number };

const cutSegmentAt = (key: string, perSegment: number): boolean =>
  shareOf(hash('sha256', Buffer.from(key, 'latin1')), perSegment) < 1;

export function toByteString(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1');
}

function compareMentions(a: Mention, b: Mention): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Sorted by key and name, one mention for both, and none that comes to nothing. */
export function uniteMentions(mentions: readonly Mention[]): Mention[] {
  const united: Mention[] = [];
  let last: Mention | undefined;
  // What comes in sorted runs is merged, not sorted again.
  for (const mention of mentions.toSorted(compareMentions)) {
    if (last?.key === mention.key && last.name === mention.name) {
      united.pop();
      last = { ...last, count: last.count + mention.count };
    } else last = mention;
    if (last.count !== 0) united.push(last);
    else last = undefined;
  }
  return united;
}

/** What stands between a key and its names, and between those. A key may hold the first, a name neither. */
const [keyEnd, nameEnd] = ['\t', ','];

/** The lines of sorted mentions. */
export function writeLines(mentions: readonly Mention[]): string {
  let text = '';
  let last: string | undefined;
  for (const { key, name } of mentions) {
    if (key === last) text += nameEnd + name;
    else text += `${last === undefined ? '' : '\n'}${key}${keyEnd}${name}`;
    last = key;
  }
  return last === undefined ? '' : `${text}\n`;
}

function parseLines(text: string, counts: Int32Array): Mention[] {
  const mentions: Mention[] = [];
  for (let start = 0, end = text.indexOf('\n'); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
    const line = text.slice(start, end);
    const at = line.lastIndexOf(keyEnd);
    const key = line.slice(0, at);
    for (const name of line.slice(at + 1).split(nameEnd))
      mentions.push({ key, name, count: counts[mentions.length] ?? 0 });
  }
  return mentions;
}

async function pack(mentions: readonly Mention[]): Promise<PackedMentions> {
  const raw = Buffer.from(writeLines(mentions), 'latin1');
  return {
    rawBytes: raw.byteLength,
    crc: crc32(raw),
    deflated: await deflateRun(raw),
    counts: Int32Array.from(mentions, ({ count }) => count),
  };
}

async function unpack(packed: PackedMentions): Promise<Mention[]> {
  return parseLines((await inflateRun(packed)).toString('latin1'), packed.counts);
}

/** Cuts sorted mentions into segments as they come. */
class LinePacker {
  readonly #perSegment: number;
  readonly #segments: LineSegment[] = [];
  /** What waits for its cut. */
  #open: Mention[] = [];

  constructor(perSegment: number) {
    this.#perSegment = perSegment;
  }

  /** Whether the next segment can be taken as it is. */
  get isCut(): boolean {
    return this.#open.length === 0;
  }

  keep(segment: LineSegment): void {
    this.#segments.push(segment);
  }

  /** Mentions that follow those before, with all that there are of their last key. */
  async add(mentions: readonly Mention[]): Promise<void> {
    const runs: Mention[][] = [];
    for (const [i, mention] of mentions.entries()) {
      this.#open.push(mention);
      if (mentions[i + 1]?.key === mention.key || !cutSegmentAt(mention.key, this.#perSegment)) continue;
      runs.push(this.#open);
      this.#open = [];
    }
    this.#segments.push(...(await Promise.all(runs.map(makeSegment))));
  }

  async end(): Promise<LineSegment[]> {
    return this.isCut ? this.#segments : [...this.#segments, await makeSegment(this.#open)];
  }
}

async function makeSegment(mentions: readonly Mention[]): Promise<LineSegment> {
  const packed = await pack(mentions);
  const count = mentions.reduce((sum, { key }, i) => (mentions[i + 1]?.key === key ? sum : sum + 1), 0);
  // A copy: a piece of the text would hold all of it.
  return { ...packed, count, lastKey: Buffer.from(mentions.at(-1)?.key ?? '', 'latin1').toString('latin1') };
}

/** Batches of sorted mentions: each follows those before, and no key is in two. */
export type MentionBatches = AsyncIterable<readonly Mention[]>;

/** Batches, taken up to one key after the other. */
class Changes {
  readonly #batches: AsyncIterator<readonly Mention[]>;
  #batch: readonly Mention[] = [];
  #at = 0;

  constructor(batches: MentionBatches) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** The next ones whose keys are no later than `limit`, if there is one; none when there are no more. */
  async next(limit: string | undefined): Promise<readonly Mention[]> {
    while (this.#at === this.#batch.length) {
      const next = await this.#batches.next();
      if (next.done === true) return [];
      this.#batch = next.value;
      this.#at = 0;
    }
    const start = this.#at;
    this.#at = limit === undefined ? this.#batch.length : firstAfter(this.#batch, limit, start);
    return this.#batch.slice(start, this.#at);
  }
}

/** Where the keys after `limit` begin. */
function firstAfter(mentions: readonly Mention[], limit: string, start = 0): number {
  let at = start;
  for (let next = mentions[at]; next && next.key <= limit; next = mentions[at]) at++;
  return at;
}

/** The segments after the changes: those that no change falls into are the same objects. */
export async function changeLines(
  segments: readonly LineSegment[],
  batches: MentionBatches,
  averageLineBytes: number,
): Promise<LineSegment[]> {
  const changes = new Changes(batches);
  const packer = new LinePacker(entriesPerSegment(averageLineBytes));
  for (const [i, segment] of segments.entries()) {
    const limit = i === segments.length - 1 ? undefined : segment.lastKey;
    let part = await changes.next(limit);
    if (part.length === 0 && packer.isCut) {
      packer.keep(segment);
      continue;
    }
    let old = await unpack(segment);
    for (; part.length > 0; part = await changes.next(limit)) {
      const end = firstAfter(old, part.at(-1)?.key ?? '');
      await packer.add(uniteMentions([...old.slice(0, end), ...part]));
      old = old.slice(end);
    }
    await packer.add(old);
  }
  // Without any segment there was nobody to take them.
  for (let part = await changes.next(undefined); part.length > 0; part = await changes.next(undefined))
    await packer.add(part);
  return await packer.end();
}

/** Mentions that are held as they are, before they are packed. */
const mentionsPerRun = 20_000;
/** Of each packed run so many are unpacked at once, or a little more. */
const mentionsPerPack = 1000;

/**
 * Brings mentions into their order, whatever their number: what has come is packed, and the packed runs are merged.
 */
export class MentionSorter {
  readonly #perRun: number;
  readonly #runs: PackedMentions[][] = [];
  #run: Mention[] = [];

  constructor(perRun = mentionsPerRun) {
    this.#perRun = perRun;
  }

  async add(mentions: readonly Mention[]): Promise<void> {
    for (const mention of mentions) this.#run.push(mention);
    if (this.#run.length >= this.#perRun) await this.#packRun();
  }

  async #packRun(): Promise<void> {
    const mentions = uniteMentions(this.#run);
    this.#run = [];
    const run: PackedMentions[] = [];
    for (let start = 0; start < mentions.length;) {
      let end = start + mentionsPerPack;
      // A key is in one batch.
      while (mentions[end] && mentions[end]?.key === mentions[end - 1]?.key) end++;
      run.push(await pack(mentions.slice(start, end)));
      start = end;
    }
    this.#runs.push(run);
  }

  /** All of them, once: nothing is added afterwards. */
  async *sorted(): AsyncGenerator<readonly Mention[], void, undefined> {
    if (this.#runs.length === 0) {
      yield uniteMentions(this.#run);
      return;
    }
    await this.#packRun();
    let heads: Head[] = this.#runs.map((run) => ({ mentions: [], rest: run.values() }));
    while ((heads = await filled(heads)).length > 0) {
      // Up to where the first of them ends, all have what belongs there.
      const limit = heads.map(({ mentions }) => mentions.at(-1)?.key ?? '').reduce((a, b) => (a < b ? a : b));
      const taken: Mention[] = [];
      for (const head of heads) {
        const end = firstAfter(head.mentions, limit);
        for (const mention of head.mentions.slice(0, end)) taken.push(mention);
        head.mentions = head.mentions.slice(end);
      }
      yield uniteMentions(taken);
    }
  }
}

/** How far a run has been merged. */
type Head = { mentions: readonly Mention[]; readonly rest: ArrayIterator<PackedMentions> };

/** The runs that have more, with the next of it. */
async function filled(heads: readonly Head[]): Promise<Head[]> {
  for (const head of heads)
    if (head.mentions.length === 0) {
      const { done, value } = head.rest.next();
      if (done !== true) head.mentions = await unpack(value);
    }
  return heads.filter(({ mentions }) => mentions.length > 0);
}
