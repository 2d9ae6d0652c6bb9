/**
 * zstd (RFC 8878): exactly one frame. dpkg 1.21 stops after the first frame, a skippable one too, where apt
 * goes on to the next; so a second frame would be a second package. The frame is walked here block by block,
 * beside the decoder, to know where it ends and to see its memory before the decoder allocates it.
 */
import { constants, createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { AppError, type Place } from '../errors.ts';
import { Engine, engineOptions } from './engine.ts';
import { limits } from './limits.ts';
import type { ByteReader } from './reader.ts';

const inputBytes = 64 * 1024;
const magic = 0xfd2fb528;
const maxHeaderBytes = 18;
const maxBlockBytes = 128 * 1024;
const blockType = { raw: 0, rle: 1, compressed: 2 } as const;
const params = { [constants.ZSTD_d_windowLogMax]: limits.zstdWindowLog };

type Fault = (why: string) => AppError;

const faultAt =
  (place: Place): Fault =>
  (why) =>
    new AppError('compressed_data', `${place.part ?? 'The data'} is not one zstd frame: ${why}.`, place);

type Frame = { readonly headerBytes: number; readonly checksum: boolean };

/** The header of a frame; `bytes` holds it whole unless the data is truncated, which gives null. */
function decodeFrameHeader(bytes: Uint8Array, place: Place): Frame | null {
  const fault = faultAt(place);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 5) return null;
  if (view.getUint32(0, true) !== magic) throw fault('it does not start with the magic of a data frame');
  const descriptor = bytes[4] ?? 0;
  if ((descriptor & 0x08) !== 0) throw fault('a reserved bit is set');
  if ((descriptor & 0x03) !== 0) throw fault('it needs a dictionary');
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  const headerBytes = 5 + (single ? 0 : 1) + sizeBytes;
  if (bytes.length < headerBytes) return null;
  const window = single ? contentSize(view, sizeBytes) : windowSize(bytes[5] ?? 0);
  if (window > 2 ** limits.zstdWindowLog)
    throw new AppError(
      'decompression_bomb',
      `${place.part ?? 'The data'} needs a window of more than ${2 ** limits.zstdWindowLog} bytes to unpack.`,
      place,
    );
  return { headerBytes, checksum: (descriptor & 0x04) !== 0 };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 0x07);
}

/** Without a window the whole content is one, so it is bounded in the same way. */
function contentSize(view: DataView, sizeBytes: number): number {
  if (sizeBytes === 1) return view.getUint8(5);
  if (sizeBytes === 2) return view.getUint16(5, true) + 256;
  return sizeBytes === 4 ? view.getUint32(5, true) : Number(view.getBigUint64(5, true));
}

/** Follows the block headers of one frame through arrays of any length. */
class FrameWalker {
  readonly #fault: Fault;
  #skip: number;
  readonly #checksum: boolean;
  #header: number[] = [];
  #last = false;
  ended = false;

  constructor(frame: Frame, fault: Fault) {
    this.#skip = frame.headerBytes;
    this.#checksum = frame.checksum;
    this.#fault = fault;
  }

  /** Takes the next bytes of the frame; the result is how many belong to it. */
  walk(bytes: Uint8Array): number {
    let at = 0;
    for (;;) {
      const step = Math.min(this.#skip, bytes.length - at);
      this.#skip -= step;
      at += step;
      if (this.#skip > 0) return at;
      if (this.#last) {
        this.ended = true;
        return at;
      }
      for (; this.#header.length < 3 && at < bytes.length; at++) this.#header.push(bytes[at] ?? 0);
      if (this.#header.length < 3) return at;
      this.#startBlock();
    }
  }

  #startBlock(): void {
    const [low = 0, middle = 0, high = 0] = this.#header;
    this.#header = [];
    const header = low | (middle << 8) | (high << 16);
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    if (type > blockType.compressed || size > maxBlockBytes) throw this.#fault('a block is malformed');
    this.#last = (header & 1) === 1;
    this.#skip = (type === blockType.rle ? 1 : size) + (this.#last && this.#checksum ? 4 : 0);
  }
}

const truncated = (place: Place): AppError =>
  new AppError('archive_truncated', `${place.part ?? 'The data'} ends within its zstd frame.`, place);

const damaged = (place: Place, cause: unknown): AppError =>
  new AppError('compressed_data', faultAt(place)('a block or the checksum is damaged').message, place, {
    cause,
  });

export async function* decodeZstd(
  reader: ByteReader,
  place: Place,
): AsyncGenerator<Uint8Array, void, undefined> {
  const frame = decodeFrameHeader(await reader.peek(maxHeaderBytes), place);
  if (frame === null) throw truncated(place);
  const walker = new FrameWalker(frame, faultAt(place));
  const engine = new Engine(createZstdDecompress({ ...engineOptions, params }));
  try {
    while (!walker.ended) {
      const input = await reader.peek(inputBytes);
      if (input.length === 0) throw truncated(place);
      const length = walker.walk(input);
      reader.consume(length);
      yield* engine.push(input.subarray(0, length));
    }
    yield* engine.finish();
  } catch (error) {
    throw error instanceof AppError ? error : damaged(place, error);
  } finally {
    engine.close();
  }
}

/** A small frame at once; null when it holds more than `maxBytes`. Throws when anything follows the frame. */
export function unzstd(bytes: Uint8Array, maxBytes: number, place: Place): Uint8Array | null {
  const frame = decodeFrameHeader(bytes, place);
  if (frame === null) throw truncated(place);
  const walker = new FrameWalker(frame, faultAt(place));
  const length = walker.walk(bytes);
  if (!walker.ended) throw truncated(place);
  if (length < bytes.length) throw faultAt(place)('something follows it');
  try {
    return zstdDecompressSync(bytes, { params, maxOutputLength: maxBytes, chunkSize: 32 * 1024 });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw damaged(place, error);
  }
}
