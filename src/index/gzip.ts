/**
 * One gzip member (RFC 1952) put together from texts that were deflated apart: every reader takes it for the
 * ordinary member that it is, also those that stop after the first.
 */
import { constants, deflateRaw, deflateRawSync, inflateRaw } from 'node:zlib';
import { combineCrc32 } from './crc32.ts';

/** A text in deflated form. */
export type DeflatedText = {
  readonly rawBytes: number;
  readonly crc: number;
  /** Raw deflate (RFC 1951) that ends on a byte with a full flush: nothing in it points before it. */
  readonly deflated: Uint8Array;
  /** The text itself, where it is kept. The bytes of both are shared memory: threads read them too. */
  readonly raw?: Uint8Array;
};

const deflateOptions = { level: 6, finishFlush: constants.Z_FULL_FLUSH };

export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** Deflates a text so that it can stand between others in one gzip member. */
export async function deflateRun(raw: Uint8Array): Promise<Uint8Array> {
  const packed = await new Promise<Buffer>((resolve, reject) => {
    deflateRaw(raw, deflateOptions, (error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
  const bytes = sharedBytes(packed.byteLength);
  bytes.set(packed);
  return bytes;
}

/** The same at once, for a text of a few lines. */
export function deflateShort(raw: Uint8Array): Uint8Array {
  return deflateRawSync(raw, deflateOptions);
}

/** The text of what `deflateRun` made. */
export async function inflateRun({ deflated, rawBytes }: DeflatedText): Promise<Buffer> {
  // It has no last block, which is an error for a stream that is to end here.
  const options = { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: rawBytes + 64 };
  return await new Promise((resolve, reject) => {
    inflateRaw(deflated, options, (error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}

/** Deflate, no flags, no time, no extra flags, Unix: nothing here depends on when or where. */
const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
/** An empty last block: fixed codes, end of block (RFC 1951 section 3.2.6). */
const lastBlock = Uint8Array.of(0x03, 0x00);

/** The member's bytes, in pieces that belong one after the other. */
export function composeGzip(texts: readonly DeflatedText[]): Uint8Array[] {
  let crc = 0;
  let length = 0;
  for (const text of texts) {
    crc = combineCrc32(crc, text.crc, text.rawBytes);
    length += text.rawBytes;
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  return [header, ...texts.map((text) => text.deflated), lastBlock, trailer];
}
