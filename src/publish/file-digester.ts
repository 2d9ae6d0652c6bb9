/** SHA-256 of files that are made of mostly the same pieces from one publication to the next. */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { FileDigest } from '../formats/format.ts';
import { inflateRun, type DeflatedText } from '../index/gzip.ts';

/** Bytes, or what stands for them: the text of an index whose segments are kept deflated alone. */
export type Piece = Uint8Array | DeflatedText;

/** The state of the hash before one of the pieces. */
type Mark = { readonly pieces: number; readonly sizeBytes: number; readonly hash: Hash };

/** Between two marks: half of it is hashed in vain, on average. A copy of the state takes 2 µs. */
const bytesPerMark = 2 ** 17;

/** What is hashed at a stretch, in about 0.7 ms, while nobody else is served. */
const bytesAtOnce = 2 ** 20;

/** Pieces up to this length are compared by content. */
const shortBytes = 1024;

/** What is smaller is hashed here meanwhile: a thread takes one after the other. */
const bytesWorthAsking = 2 ** 22;

/** Pieces that other threads inflate while those before them are hashed: half a megabyte. */
const piecesAhead = 8;

/**
 * Takes the digest of one file again and again. What stands before the first piece that is another object than
 * the last time is not hashed again.
 */
export class FileDigester {
  #pieces: readonly Piece[] = [];
  #marks: readonly Mark[] = [];
  #last: { readonly pieces: readonly Piece[]; readonly digest: Promise<FileDigest> } | undefined;
  readonly #elsewhere: ((pieces: readonly Piece[]) => Promise<FileDigest>) | undefined;

  /** `elsewhere` takes the digest of a large file of which nothing is known, such as one that begins with a count. */
  constructor(elsewhere?: (pieces: readonly Piece[]) => Promise<FileDigest>) {
    this.#elsewhere = elsewhere;
  }

  async digest(pieces: readonly Piece[]): Promise<FileDigest> {
    const known = this.#last;
    const isKnown =
      pieces.length === known?.pieces.length && sameAtStart(known.pieces, pieces) === pieces.length;
    if (isKnown) return await known.digest;
    const last = { pieces, digest: this.#take(pieces) };
    this.#last = last;
    try {
      return await last.digest;
    } catch (error) {
      // Not the answer for ever.
      if (this.#last === last) this.#last = undefined;
      throw error;
    }
  }

  async #take(pieces: readonly Piece[]): Promise<FileDigest> {
    const same = sameAtStart(this.#pieces, pieces);
    if (same === 0 && this.#elsewhere && sizeOf(pieces) >= bytesWorthAsking) {
      this.#pieces = pieces;
      this.#marks = [];
      return await this.#elsewhere(pieces);
    }
    // What begins with a count is another file each time: states that nobody comes back to would lie about in memory.
    const isMarked = this.#pieces.length === 0 || sizeOf(pieces.slice(0, same)) >= bytesPerMark;
    const marks = this.#marks.filter((mark) => mark.pieces <= same);
    const last = marks.at(-1);
    const hash = last ? last.hash.copy() : createHash('sha256');
    let sizeBytes = last?.sizeBytes ?? 0;
    let nextMark = sizeBytes + bytesPerMark;
    let nextPause = sizeBytes + bytesAtOnce;
    let at = last?.pieces ?? 0;
    for await (const piece of bytesOf(pieces.slice(at))) {
      if (isMarked && sizeBytes >= nextMark) {
        marks.push({ pieces: at, sizeBytes, hash: hash.copy() });
        nextMark = sizeBytes + bytesPerMark;
      }
      if (sizeBytes >= nextPause) {
        nextPause = sizeBytes + bytesAtOnce;
        await setImmediate();
      }
      hash.update(piece);
      sizeBytes += piece.byteLength;
      at++;
    }
    this.#pieces = pieces;
    this.#marks = marks;
    return { sha256: hash.digest('hex'), sizeBytes };
  }
}

/** The bytes of the pieces, in runs. */
export async function* bytesOf(pieces: readonly Piece[]): AsyncGenerator<Uint8Array, void, undefined> {
  const inflate = (start: number) => Promise.all(pieces.slice(start, start + piecesAhead).map(inflated));
  let ahead = inflate(0);
  for (let start = 0; start < pieces.length; start += piecesAhead) {
    const ready = await ahead;
    ahead = inflate(start + piecesAhead);
    yield* ready;
  }
}

async function inflated(piece: Piece): Promise<Uint8Array> {
  return piece instanceof Uint8Array ? piece : await inflateRun(piece);
}

function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce(
    (sum, piece) => sum + (piece instanceof Uint8Array ? piece.byteLength : piece.rawBytes),
    0,
  );
}

function sameAtStart(before: readonly Piece[], now: readonly Piece[]): number {
  let same = 0;
  while (same < now.length && isSame(before[same], now[same])) same++;
  return same;
}

/** What an index begins and ends with is made anew each time. */
function isSame(a: Piece | undefined, b: Piece | undefined): boolean {
  if (a === b) return true;
  return (
    a instanceof Uint8Array &&
    b instanceof Uint8Array &&
    b.byteLength <= shortBytes &&
    Buffer.compare(a, b) === 0
  );
}
