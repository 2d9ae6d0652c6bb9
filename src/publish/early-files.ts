/** Files that are named by their digest: their bytes go to the disk while the digest is still being taken. */
import type { Chunks } from '../formats/format.ts';
import type { StagedFile, Store } from '../store/store.ts';

export class EarlyFiles {
  readonly #store: Store;
  readonly #staged = new Map<Chunks, StagedFile>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Starts to write; failing is told by `put`. */
  begin(chunks: Chunks): void {
    this.#staged.set(chunks, this.#store.stage(chunks));
  }

  /** As `putImmutable` of the store. */
  async put(key: string, chunks: Chunks): Promise<void> {
    const staged = this.#staged.get(chunks);
    this.#staged.delete(chunks);
    await (staged ? staged.place(key) : this.#store.putImmutable(key, chunks));
  }

  /** Removes what was begun and not put. */
  async discard(): Promise<void> {
    await Promise.all([...this.#staged.values()].map((staged) => staged.discard()));
    this.#staged.clear();
  }
}
