/** SHA-256 of files that are made of mostly the same pieces from one publication to the next. */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Chunks, FileDigest } from '../formats/format.ts';

/** The state of the hash before one of the pieces. */
type Mark = { readonly pieces: number; readonly sizeBytes: number; readonly hash: Hash };

/** Between two marks; also what is hashed at a stretch, in about 0.7 ms, while nobody else is served. */
const bytesPerMark = 2 ** 20;

/**
 * Takes the digest of one file again and again. What stands before the first piece that is another object than
 * the last time is not hashed again.
 */
export class FileDigester {
  #pieces: Chunks = [];
  #marks: readonly Mark[] = [];

  async digest(pieces: Chunks): Promise<FileDigest> {
    const same = sameAtStart(this.#pieces, pieces);
    const marks = this.#marks.filter((mark) => mark.pieces <= same);
    const last = marks.at(-1);
    const hash = last ? last.hash.copy() : createHash('sha256');
    let sizeBytes = last?.sizeBytes ?? 0;
    let next = sizeBytes + bytesPerMark;
    for (let i = last?.pieces ?? 0; i < pieces.length; i++) {
      if (sizeBytes >= next) {
        marks.push({ pieces: i, sizeBytes, hash: hash.copy() });
        next = sizeBytes + bytesPerMark;
        await setImmediate();
      }
      const piece = pieces[i] ?? new Uint8Array();
      hash.update(piece);
      sizeBytes += piece.byteLength;
    }
    this.#pieces = pieces;
    this.#marks = marks;
    return { sha256: hash.digest('hex'), sizeBytes };
  }
}

function sameAtStart(before: Chunks, now: Chunks): number {
  let same = 0;
  while (same < now.length && before[same] === now[same]) same++;
  return same;
}
