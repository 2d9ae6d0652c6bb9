/**
 * Which generation a snapshot's path means: a number, or a moment, which is the generation that was the newest
 * then. Known from the tree alone, as everything that clients read is: each frozen generation says itself when
 * it was published.
 */
import type { SnapshotFormat, SnapshotPath, SnapshotPlace } from '../formats/format.ts';
import { formatNames, formatOf } from '../formats/formats.ts';
import { parseSnapshotTime } from '../formats/snapshot-time.ts';
import type { Clock } from '../clock.ts';
import type { Store } from '../store/store.ts';

type Frozen = { readonly number: number; readonly date: number };

/** The kept generations of a channel, the oldest first, as of one state of its head. */
type History = { readonly head: string; readonly frozen: readonly Frozen[] };

/** Channels whose history is in memory; with more, those asked for longest ago are read again. */
const maxHistories = 1000;

export class Snapshots {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #histories = new Map<string, History>();

  constructor({ store, clock }: { readonly store: Store; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The key of what a snapshot's path shows; null when there is no such generation. */
  async resolve(key: string): Promise<string | null> {
    for (const name of formatNames) {
      const { snapshots } = formatOf(name).channels;
      const path = snapshots.parse(key);
      if (path) return await this.#resolve(snapshots, path);
    }
    return null;
  }

  async #resolve(format: SnapshotFormat, path: SnapshotPath): Promise<string | null> {
    const { repository, channel, id } = path;
    if (/^[1-9]\d{0,14}$/.test(id)) return format.frozen(path, Number(id));
    const time = parseSnapshotTime(id);
    // Of a moment to come nobody knows what will be the newest then.
    if (time === null || time > Math.floor(this.#clock.now() / 1000)) return null;
    if (channel === null) return format.frozen(path, 0);
    const history = await this.#history(format, { repository, channel });
    const at = history.findLastIndex(({ date }) => date <= time);
    const [newest, next] = [history[at], history[at + 1]];
    // When the next one was collected, nobody knows any more whether it was there by then.
    if (!newest || (next && next.number !== newest.number + 1)) return null;
    return format.frozen(path, newest.number);
  }

  async #history(format: SnapshotFormat, place: SnapshotPlace): Promise<readonly Frozen[]> {
    const text = await this.#read(format.document(place, null));
    if (text === null) return [];
    const name = format.document(place, null);
    const known = this.#histories.get(name);
    if (known?.head === text) return known.frozen;
    const content = format.read(text)?.content;
    const frozen =
      (await this.#grown(format, place, { known: known?.frozen ?? [], content })) ??
      (await this.#listed(format, place, content));
    this.#histories.delete(name);
    this.#histories.set(name, { head: text, frozen });
    for (const oldest of this.#histories.keys()) {
      if (this.#histories.size <= maxHistories) break;
      this.#histories.delete(oldest);
    }
    return frozen;
  }

  /** What is known with the generations that came since; null when they do not lead to the head. */
  async #grown(
    format: SnapshotFormat,
    place: SnapshotPlace,
    { known, content }: { readonly known: readonly Frozen[]; readonly content: string | undefined },
  ): Promise<readonly Frozen[] | null> {
    const last = known.at(-1);
    if (!last) return null;
    const come: Frozen[] = [];
    for (let number = last.number; ; number++) {
      const document = await this.#document(format, place, number);
      if (!document) return null;
      if (number > last.number) come.push({ number, date: document.date });
      if (document.content === content) return [...known, ...come];
    }
  }

  /** What the tree holds up to the head: a generation above it is not yet, and may never be. */
  async #listed(
    format: SnapshotFormat,
    place: SnapshotPlace,
    content: string | undefined,
  ): Promise<readonly Frozen[]> {
    const numbers: number[] = [];
    for await (const { key } of this.#store.list(format.folder(place))) {
      const number = format.numberOf(place, key);
      if (number !== null) numbers.push(number);
    }
    const frozen: Frozen[] = [];
    for (const number of numbers.sort((a, b) => b - a)) {
      const document = await this.#document(format, place, number);
      if (document && (frozen.length > 0 || document.content === content))
        frozen.push({ number, date: document.date });
    }
    return frozen.reverse();
  }

  async #document(
    format: SnapshotFormat,
    place: SnapshotPlace,
    number: number,
  ): Promise<{ date: number; content: string } | null> {
    const text = await this.#read(format.document(place, number));
    return text === null ? null : format.read(text);
  }

  async #read(key: string): Promise<string | null> {
    const file = await this.#store.open(key);
    return file && (await file.bytes()).toString();
  }
}
