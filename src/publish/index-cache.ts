/** The channel states that are in memory, the least recently used leave first. */
import { setFlagsFromString } from 'node:v8';
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import type { ComposedIndex, EntryPlan, IndexPlan } from '../formats/format.ts';
import { GroupBlocks } from '../index/groups.ts';
import { composeXz } from '../index/xz.ts';
import { composeZstd, encodeZstd } from '../index/zstd.ts';
import type { CutText } from '../index/segments.ts';
import { composeIndex, rawPieces, type GroupedForms, type Making } from './build.ts';
import { loadState, withPlans, type ChannelState, type IndexState } from './channel-state.ts';
import { DigestThread } from './digest-thread.ts';
import { FileDigester, type Piece } from './file-digester.ts';
import { XzThread } from './xz-thread.ts';

/** Text in memory before older channels are let go; what is let go is read from the catalog again. */
const defaultBytes = 256 * 2 ** 20;

/** Text in memory with which the heap is kept tight, though clearing up more often takes its time. */
const largeBytes = 64 * 2 ** 20;

export class IndexCache {
  readonly #states = new Map<string, ChannelState>();
  /** What was composed of an index and is in the store: without its bytes. */
  readonly #composed = new WeakMap<IndexState, ComposedIndex>();
  /** By channel, then by index and form. */
  readonly #digesters = new Map<string, Map<string, FileDigester>>();
  readonly #xzThread = new XzThread();
  readonly #digestThread = new DigestThread();
  readonly #grouped: GroupedForms;
  readonly #maxBytes: number;
  #loading = 0;
  /** Text in memory. */
  #heldBytes = 0;
  /** Whether the heap is kept small. */
  #isTight = false;

  constructor(maxBytes = defaultBytes) {
    this.#maxBytes = maxBytes;
    const zstd = new GroupBlocks(encodeZstd);
    const xz = new GroupBlocks((texts) => this.#xzThread.encode(texts));
    this.#grouped = {
      zstd: async (...index) => await composeZstd(await zstd.of(...index)),
      xz: async (...index) => composeXz(await xz.of(...index)),
    };
  }

  /** The state of a channel's head with just these indexes, from memory or from the catalog. */
  async stateOf(db: Catalog, channel: ChannelRow, plans: readonly IndexPlan[]): Promise<ChannelState> {
    const known = this.#states.get(channel.id);
    if (known?.generation === channel.head) return await withPlans(db, channel, known, plans);
    return await this.#load(db, channel, plans);
  }

  async #load(db: Catalog, channel: ChannelRow, plans: readonly IndexPlan[]): Promise<ChannelState> {
    this.#loading += 1;
    this.#limitHeap();
    try {
      return await loadState(db, channel, channel.head, plans);
    } finally {
      this.#loading -= 1;
      this.#limitHeap();
    }
  }

  /**
   * V8 lets a heap grow by half, or double, before it clears up. A large channel leaves more behind while it is read
   * than is kept of it, and what is kept makes for a large heap: then a fifth is enough. Else, 0, as V8 thinks fit.
   */
  #limitHeap(): void {
    const isLarge = this.#loading > 0 || this.#heldBytes > largeBytes;
    if (isLarge === this.#isTight) return;
    this.#isTight = isLarge;
    setFlagsFromString(`--heap-growing-percent=${isLarge ? 20 : 0}`);
  }

  /**
   * An index of a channel with its digests; with its bytes only when it is not known to be in the store. `begin`
   * is called with these before their digests are taken.
   */
  async compose(channelId: string, index: IndexState, begin: Making['begin']): Promise<ComposedIndex> {
    const known = this.#composed.get(index);
    if (known) return known;
    return await composeIndex(index, {
      grouped: this.#grouped,
      begin,
      digest: async (form, pieces) => await this.#digesterOf(channelId, index.plan, form).digest(pieces),
    });
  }

  /** Takes the digest of a plain index, which `compose` then knows, while what has changed of it is deflated. */
  hashAhead(channelId: string, plan: EntryPlan, texts: readonly CutText[]): void {
    // Whatever fails is told by `compose`, which asks for the same.
    this.#digesterOf(channelId, plan, 'raw')
      .digest(rawPieces(plan, texts))
      .catch(() => undefined);
  }

  #digesterOf(channelId: string, { id }: IndexPlan, form: string): FileDigester {
    const digesters = this.#digesters.get(channelId) ?? new Map<string, FileDigester>();
    this.#digesters.set(channelId, digesters);
    const name = `${id} ${form}`;
    const elsewhere = (pieces: readonly Piece[]) => this.#digestThread.digest(pieces);
    const digester = digesters.get(name) ?? new FileDigester(elsewhere);
    digesters.set(name, digester);
    return digester;
  }

  /** Keeps the state of a generation that is committed, its files in the store. */
  keep(channelId: string, state: ChannelState, composed: readonly ComposedIndex[]): void {
    state.indexes.forEach((index, i) => {
      const made = composed[i];
      if (made)
        this.#composed.set(index, { ...made, forms: made.forms.map((form) => ({ ...form, chunks: null })) });
    });
    this.#states.delete(channelId);
    this.#states.set(channelId, state);
    let held = 0;
    for (const [id, kept] of [...this.#states].reverse()) {
      held += heldBytes(kept);
      if (held > this.#maxBytes && id !== channelId) this.forget(id);
      else this.#heldBytes = held;
    }
    this.#limitHeap();
  }

  async close(): Promise<void> {
    await Promise.all([this.#xzThread.close(), this.#digestThread.close()]);
  }

  /** After a failure nobody knows how far a state is: it is read from the catalog again. */
  forget(channelId: string): void {
    this.#states.delete(channelId);
    this.#digesters.delete(channelId);
  }
}

/** Of the text, as it is or, where it is not kept so, deflated. */
function heldBytes(state: ChannelState): number {
  let sum = 0;
  for (const index of state.indexes)
    for (const { raw, deflated } of index.segments) sum += (raw ?? deflated).byteLength;
  return sum;
}
