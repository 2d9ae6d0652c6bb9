/** The thread that takes the digests of large files, while others are served and the smaller ones are hashed. */
import type { FileDigest } from '../formats/format.ts';
import type { Piece } from './file-digester.ts';
import { Thread } from './thread.ts';

/**
 * Pieces are shared memory, which a thread holds until its handles of them are collected: with little room for
 * what is young that happens every few files. Else it would be late, for the handles themselves are small.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 1 };

export class DigestThread {
  readonly #thread = new Thread<readonly Piece[], FileDigest>(
    new URL('./digest-thread-worker.ts', import.meta.url),
    resourceLimits,
  );

  async digest(pieces: readonly Piece[]): Promise<FileDigest> {
    return await this.#thread.ask(pieces);
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
