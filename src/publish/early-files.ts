/** Files that are named by their digest: their bytes go to the disk while the digest is still being taken. */
import type { Chunks, NamedFile } from '../formats/format.ts';
import type { Alias, StagedFile, Store } from '../store/store.ts';

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

  /** Writes the rest, and gives all of them their keys; the aliases come after them. */
  async place(files: readonly NamedFile[], aliases: readonly Alias[]): Promise<void> {
    const staged = files.map(({ key, chunks }) => ({ key, file: this.#take(chunks) }));
    await this.#store.placeAll({ files: staged, aliases });
  }

  #take(chunks: Chunks): StagedFile {
    const begun = this.#staged.get(chunks);
    this.#staged.delete(chunks);
    return begun ?? this.#store.stage(chunks);
  }

  /** Removes what was begun and not put. */
  async discard(): Promise<void> {
    await Promise.all([...this.#staged.values()].map((staged) => staged.discard()));
    this.#staged.clear();
  }
}
