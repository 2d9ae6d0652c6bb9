/**
 * One gzip member (RFC 1952) put together from texts that were deflated apart: every reader takes it for the
 * ordinary member that it is, also those that stop after the first.
 */
import { combineCrc32 } from './crc32.ts';

/** A text and its deflated form, ended with a full flush. */
export type DeflatedText = { readonly raw: Uint8Array; readonly crc: number; readonly deflated: Uint8Array };

/** Deflate, no flags, no time, no extra flags, Unix: nothing here depends on when or where. */
const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
/** An empty last block: fixed codes, end of block (RFC 1951 section 3.2.6). */
const lastBlock = Uint8Array.of(0x03, 0x00);

/** The member's bytes, in pieces that belong one after the other. */
export function composeGzip(texts: readonly DeflatedText[]): Uint8Array[] {
  let crc = 0;
  let length = 0;
  for (const text of texts) {
    crc = combineCrc32(crc, text.crc, text.raw.byteLength);
    length += text.raw.byteLength;
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  return [header, ...texts.map((text) => text.deflated), lastBlock, trailer];
}
