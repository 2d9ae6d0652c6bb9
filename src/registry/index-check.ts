/** Derives the indexes of one generation after the other from the packages, and compares them with what was published. */
import type { Catalog, ChannelRow, GenerationRow } from '../db/catalog.ts';
import type { ChannelPackage } from '../db/channel-packages.ts';
import { formatOf } from '../formats/formats.ts';
import { parseIndexes, publishedForm, rawDigest } from '../publish/build.ts';
import {
  applyDelta,
  loadState,
  withPlans,
  type ChannelState,
  type IndexState,
} from '../publish/channel-state.ts';
import { movedBetween } from './history.ts';

/** Of one channel. From one generation to the next it costs what changed, and the digests of the indexes it touched. */
export class IndexCheck {
  readonly #db: Catalog;
  readonly #channel: ChannelRow;
  readonly #digests = new WeakMap<IndexState, string>();
  #state: ChannelState | undefined;

  constructor(db: Catalog, channel: ChannelRow) {
    this.#db = db;
    this.#channel = channel;
  }

  /** The names of the indexes that are not those of a generation's packages. */
  async run(row: Pick<GenerationRow, 'number' | 'settings' | 'indexes'>): Promise<string[]> {
    const state = await this.stateAt(row);
    const published = new Map(parseIndexes(row.indexes).map(({ id, raw }) => [id, raw.sha256]));
    const wrong: string[] = [];
    for (const index of state.indexes)
      if (published.get(index.plan.id) !== (await this.#digest(index))) wrong.push(index.plan.id);
    return wrong;
  }

  /** The indexes of a generation, from its packages. */
  async stateAt(row: Pick<GenerationRow, 'number' | 'settings'>): Promise<ChannelState> {
    const form = publishedForm(this.#channel, row.settings);
    const plans = formatOf(this.#channel.format).channels.indexes(form);
    this.#state = this.#state
      ? await withPlans(this.#db, this.#channel, await this.#move(this.#state, row.number), plans)
      : await loadState(this.#db, this.#channel, row.number, plans);
    return this.#state;
  }

  async #move(state: ChannelState, generation: number): Promise<ChannelState> {
    const { added, removed } = await movedBetween(this.#db, this.#channel, state.generation, generation);
    const changeOf = ({ id, ...item }: ChannelPackage) => ({ ...item, package: id });
    const delta = { added: added.map(changeOf), removed: removed.map(changeOf) };
    return { ...(await applyDelta(this.#db, state, delta)), generation };
  }

  async #digest(index: IndexState): Promise<string> {
    const digest = this.#digests.get(index) ?? (await rawDigest(index)).sha256;
    this.#digests.set(index, digest);
    return digest;
  }
}
