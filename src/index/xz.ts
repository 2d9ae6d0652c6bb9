/**
 * One xz stream of several blocks (the .xz file format, version 1.2.1). Never several streams: apt, libsolv and
 * createrepo_c stop after the first and say nothing.
 */
import { crc32 } from 'node:zlib';
import type { Block } from './groups.ts';

/** A block as it stands in a stream, padded to four bytes. */
export type XzBlock = Block & { readonly unpaddedBytes: number };

const magic = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00);
const footerMagic = Uint8Array.of(0x59, 0x5a);
/** Stream flags, section 2.1.1.2: every block ends with a CRC64, as the xz program writes them. */
const flags = Uint8Array.of(0x00, 0x04);
const headerBytes = 12;
const footerBytes = 12;
/** Of a multibyte integer, section 1.2: nine groups of seven bits. */
const maxIntegerBytes = 9;

const padded = (length: number): number => Math.ceil(length / 4) * 4;

/** A number as the format writes it: seven bits a byte, the lowest first, the highest bit says that more come. */
function encodeInteger(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

function decodeInteger(bytes: Uint8Array, offset: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < maxIntegerBytes; i++) {
    const byte = bytes[offset + i] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: offset + i + 1 };
  }
  throw new RangeError('xz: an integer does not end');
}

function crcOf(bytes: Uint8Array): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(bytes));
  return crc;
}

/** Takes the one block out of a stream that liblzma made, with CRC64. */
export function takeBlock(stream: Uint8Array): XzBlock {
  const view = Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength);
  if (!view.subarray(6, 8).equals(flags)) throw new RangeError('xz: not a stream with CRC64');
  const backward = (view.readUInt32LE(view.length - 8) + 1) * 4;
  const index = view.length - footerBytes - backward;
  const count = decodeInteger(view, index + 1);
  if (view[index] !== 0 || count.value !== 1) throw new RangeError('xz: not a stream of one block');
  const unpadded = decodeInteger(view, count.end);
  const raw = decodeInteger(view, unpadded.end);
  const end = headerBytes + padded(unpadded.value);
  if (end !== index) throw new RangeError('xz: the block does not end where the index begins');
  // A copy: the rest of the stream is let go.
  return {
    bytes: Uint8Array.from(view.subarray(headerBytes, end)),
    unpaddedBytes: unpadded.value,
    rawBytes: raw.value,
  };
}

/** One object for every stream: whoever compares their pieces finds that they begin alike. */
const header = Buffer.concat([magic, flags, crcOf(flags)]);

/** The index of these blocks, section 4. */
function writeIndex(blocks: readonly XzBlock[]): Buffer {
  const records = blocks.flatMap(({ unpaddedBytes, rawBytes }) => [
    ...encodeInteger(unpaddedBytes),
    ...encodeInteger(rawBytes),
  ]);
  const list = [0, ...encodeInteger(blocks.length), ...records];
  const bytes = Buffer.alloc(padded(list.length));
  bytes.set(list);
  return Buffer.concat([bytes, crcOf(bytes)]);
}

/** The stream's bytes in pieces. No block at all is the stream of an empty text. */
export function composeXz(blocks: readonly XzBlock[]): Uint8Array[] {
  const index = writeIndex(blocks);
  const backward = Buffer.alloc(6);
  backward.writeUInt32LE(index.length / 4 - 1);
  backward.set(flags, 4);
  return [
    header,
    ...blocks.map(({ bytes }) => bytes),
    index,
    Buffer.concat([crcOf(backward), backward, footerMagic]),
  ];
}
