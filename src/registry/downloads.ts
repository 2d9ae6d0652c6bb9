/**
 * Counting downloads: by package and day, and nothing of who fetched it. A reader never waits for the catalog:
 * counts are kept in memory and written every few seconds, so that a crash loses no more than those.
 */
import type { Clock } from '../clock.ts';
import type { Catalog } from '../db/catalog.ts';
import { listChannels } from '../db/channels.ts';
import { addDownloads, msPerDay, type DownloadCount } from '../db/downloads.ts';
import { isPackageFile, pooledKey } from '../formats/tree.ts';
import type { Logger } from '../logger.ts';

const writeEveryMs = 5_000;
/** Different files of a day that wait to be written; more are written at once. */
const maxWaiting = 10_000;

export type DownloadsDeps = { readonly db: Catalog; readonly clock: Clock; readonly log: Logger };

export class Downloads {
  readonly #deps: DownloadsDeps;
  /** By day and key of the store, as it was asked for. */
  #waiting = new Map<string, number>();
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: DownloadsDeps) {
    this.#deps = deps;
  }

  /** Counts one download of a file of the tree; what is no package's file is not counted. */
  count(key: string): void {
    if (!isPackageFile(key)) return;
    const day = Math.floor(this.#deps.clock.now() / msPerDay);
    this.#add(`${day} ${key}`, 1);
    if (this.#waiting.size >= maxWaiting) void this.write();
  }

  #add(place: string, count: number): void {
    this.#waiting.set(place, (this.#waiting.get(place) ?? 0) + count);
  }

  /** Writes what was counted until now. What the catalog does not take stays for the next time. */
  async write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  async #write(): Promise<void> {
    const counted = this.#waiting;
    if (counted.size === 0) return;
    this.#waiting = new Map();
    try {
      await addDownloads(this.#deps.db, await this.#byPackage(counted));
    } catch (error) {
      for (const [place, count] of counted) this.#add(place, count);
      this.#deps.log.warn({ err: error, files: counted.size }, 'downloads could not be written yet');
    }
  }

  /** One file has many names: in its pool, in each channel, in each generation. */
  async #byPackage(counted: ReadonlyMap<string, number>): Promise<DownloadCount[]> {
    const distributions = new Map(
      (await listChannels(this.#deps.db)).map((channel) => [channel.id, channel.distribution]),
    );
    const found = new Map<string, DownloadCount>();
    for (const [place, count] of counted) {
      const day = Number(place.slice(0, place.indexOf(' ')));
      const path = pooledKey(place.slice(place.indexOf(' ') + 1), (id) => distributions.get(id) ?? '');
      const before = found.get(`${day} ${path}`)?.count ?? 0;
      found.set(`${day} ${path}`, { path, day, count: before + count });
    }
    return [...found.values()];
  }

  /** Writes every few seconds, until `stop`. */
  start(): void {
    this.#timer = setInterval(() => void this.write(), writeEveryMs);
    this.#timer.unref();
  }

  /** Ends the timer and writes what is left. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }
}
