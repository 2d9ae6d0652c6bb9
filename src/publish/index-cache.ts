/** The channel states that are in memory, the least recently used leave first. */
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import type { ComposedIndex, IndexPlan } from '../formats/format.ts';
import { composeIndex } from './build.ts';
import { fits, loadState, type ChannelState, type IndexState } from './channel-state.ts';

/** Raw text in memory before older channels are let go; what is let go is read from the catalog again. */
const maxRawBytes = 256 * 2 ** 20;

export class IndexCache {
  readonly #states = new Map<string, ChannelState>();
  /** What was composed of an index and is in the store: without its bytes. */
  readonly #composed = new WeakMap<IndexState, ComposedIndex>();

  /** The state of a channel's head with just these indexes, from memory or from the catalog. */
  async stateOf(db: Catalog, channel: ChannelRow, plans: readonly IndexPlan[]): Promise<ChannelState> {
    const known = this.#states.get(channel.id);
    if (known?.generation === channel.head && fits(known, plans)) return known;
    return await loadState(db, channel, channel.head, plans);
  }

  /** An index with its digests; with its bytes only when it is not known to be in the store. */
  async compose(index: IndexState): Promise<ComposedIndex> {
    return this.#composed.get(index) ?? (await composeIndex(index));
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
      held += rawBytes(kept);
      if (held > maxRawBytes && id !== channelId) this.#states.delete(id);
    }
  }

  /** After a failure nobody knows how far a state is: it is read from the catalog again. */
  forget(channelId: string): void {
    this.#states.delete(channelId);
  }
}

function rawBytes(state: ChannelState): number {
  let sum = 0;
  for (const index of state.indexes) for (const segment of index.segments) sum += segment.raw.byteLength;
  return sum;
}
