/**
 * zstd and xz forms of an index: a frame or a block for each group of segments, so that a change costs the groups
 * it falls into. Where a group ends depends on the entries alone, as with segments, and so do the bytes.
 */
import type { Segment } from './segments.ts';

/** A compressed run of text that can stand between others in one file. */
export type Block = {
  readonly bytes: Uint8Array;
  readonly rawBytes: number;
};

/** Makes the blocks of one text, which comes in pieces. The same text gives the same blocks. */
export type EncodeBlocks<B extends Block> = (texts: readonly Uint8Array[]) => Promise<readonly B[]>;

function groupSegments(segments: readonly Segment[]): Segment[][] {
  const groups: Segment[][] = [];
  let group: Segment[] = [];
  for (const segment of segments) {
    group.push(segment);
    if (segment.cut === 'group') {
      groups.push(group);
      group = [];
    }
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

type Known<B extends Block> = {
  readonly segments: readonly Segment[];
  readonly blocks: Promise<readonly B[]>;
};

/** The blocks of groups that were made before, for as long as their segments are held: a cache. */
export class GroupBlocks<B extends Block> {
  readonly #encode: EncodeBlocks<B>;
  /** By the first segment of the group. */
  readonly #known = new WeakMap<Segment, Known<B>>();

  constructor(encode: EncodeBlocks<B>) {
    this.#encode = encode;
  }

  /** The blocks of a whole index, in its order; head and foot are groups of their own. */
  async of(head: string, segments: readonly Segment[], foot: string): Promise<B[]> {
    const blocks = await Promise.all([
      this.#text(head),
      ...groupSegments(segments).map((group) => this.#group(group)),
      this.#text(foot),
    ]);
    return blocks.flat();
  }

  async #text(text: string): Promise<readonly B[]> {
    return text === '' ? [] : await this.#encode([Buffer.from(text)]);
  }

  async #group(group: readonly Segment[]): Promise<readonly B[]> {
    const [first] = group;
    if (!first) return [];
    const known = this.#known.get(first);
    if (known?.segments.length === group.length && known.segments.every((one, i) => one === group[i]))
      return await known.blocks;
    const blocks = this.#encode(group.map((segment) => segment.raw));
    this.#known.set(first, { segments: group, blocks });
    try {
      return await blocks;
    } catch (error) {
      this.#known.delete(first);
      throw error;
    }
  }
}
