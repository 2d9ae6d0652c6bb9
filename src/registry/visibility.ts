/** Which repositories are public, for the read path, which asks no database. */
import type { Clock } from '../clock.ts';
import type { Catalog } from '../db/catalog.ts';
import { listRepositories } from '../db/repositories.ts';
import type { Logger } from '../logger.ts';
import { publicKey, publicMark } from '../publish/public-key.ts';
import type { Store } from '../store/store.ts';

/** Between two looks at what other nodes have changed. */
const refreshMs = 2_000;

export type VisibilityDeps = {
  readonly db: Catalog;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * In memory, as the catalog says; and in the store, a small file for each public repository, for nodes that have no
 * catalog.
 */
export class Visibility {
  readonly #deps: VisibilityDeps;
  #public = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: VisibilityDeps) {
    this.#deps = deps;
  }

  isPublic(repository: string): boolean {
    return this.#public.has(repository);
  }

  async load(): Promise<void> {
    const rows = await listRepositories(this.#deps.db);
    this.#public = new Set(rows.filter(({ visibility }) => visibility === 'public').map(({ name }) => name));
  }

  async set(repository: string, isPublic: boolean): Promise<void> {
    if (isPublic) this.#public.add(repository);
    else this.#public.delete(repository);
    await this.#write(repository, isPublic);
  }

  /** Writes the files of all repositories: after a start, when a crash may have come between a row and its file. */
  async writeAll(): Promise<void> {
    for (const { name } of await listRepositories(this.#deps.db))
      await this.#write(name, this.isPublic(name));
  }

  async #write(repository: string, isPublic: boolean): Promise<void> {
    const { store, clock } = this.#deps;
    const key = publicKey(repository);
    const file = await store.open(key);
    await file?.close();
    if (isPublic && !file) await store.putPointer(key, publicMark, clock.now());
    if (!isPublic && file) await store.delete(key);
  }

  /** Follows what other nodes change, until `stop`. While the catalog does not answer, what was last known holds. */
  start(): void {
    this.#timer = setInterval(() => {
      this.load().catch((error: unknown) => {
        this.#deps.log.debug({ err: error }, 'visibility not read');
      });
    }, refreshMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
