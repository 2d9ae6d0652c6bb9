/** gzip (RFC 1952): members one after the other, as `cat a.gz b.gz` makes them, and nothing behind them. */
import { constants, crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { AppError, type Place } from '../errors.ts';
import { Engine, engineOptions } from './engine.ts';
import { limits } from './limits.ts';
import type { ByteReader } from './reader.ts';

const inputBytes = 64 * 1024;
const flags = { headerCrc: 0x02, extra: 0x04, name: 0x08, comment: 0x10, reserved: 0xe0 } as const;

type Fault = (why: string) => AppError;

const faultAt =
  (place: Place): Fault =>
  (why) =>
    new AppError('compressed_data', `${place.part ?? 'The data'} is not intact gzip data: ${why}.`, place);

const truncated = (place: Place): AppError =>
  new AppError('archive_truncated', `${place.part ?? 'The data'} ends within its gzip data.`, place);

function checkMagic(bytes: Uint8Array, fault: Fault): void {
  const [id1 = 0x1f, id2 = 0x8b, method = 8, flag = 0] = bytes;
  if (id1 !== 0x1f || id2 !== 0x8b)
    throw fault('it does not start with the gzip magic, or something else follows it');
  if (method !== 8) throw fault('the compression method is unknown');
  if ((flag & flags.reserved) !== 0) throw fault('reserved flags are set');
}

/** The length of a member's header in bytes; null when `bytes` ends before it. */
function headerLength(bytes: Uint8Array, fault: Fault): number | null {
  checkMagic(bytes, fault);
  const flag = bytes[3] ?? 0;
  let at = 10;
  if ((flag & flags.extra) !== 0) at += 2 + (bytes[10] ?? 0) + 256 * (bytes[11] ?? 0);
  for (const text of [flags.name, flags.comment]) {
    if ((flag & text) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end === -1) return null;
    at = end + 1;
  }
  if ((flag & flags.headerCrc) === 0) return bytes.length < at ? null : at;
  if (bytes.length < at + 2) return null;
  const stored = (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  if (stored !== (crc32(bytes.subarray(0, at)) & 0xffff)) throw fault('the checksum of the header is wrong');
  return at + 2;
}

function checkTrailer(bytes: Uint8Array, crc: number, length: number, fault: Fault): void {
  const trailer = new DataView(bytes.buffer, bytes.byteOffset, 8);
  if (trailer.getUint32(0, true) !== crc) throw fault('the checksum of the content is wrong');
  if (trailer.getUint32(4, true) !== length % 2 ** 32) throw fault('the length of the content is wrong');
}

export async function* decodeGzip(
  reader: ByteReader,
  place: Place,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fault = faultAt(place);
  for (let members = 0; members === 0 || !(await reader.atEnd()); members++) {
    if (members === limits.gzipMembers) throw fault(`it has more than ${limits.gzipMembers} members`);
    const head = await reader.peek(limits.gzipHeaderBytes);
    const length = headerLength(head, fault);
    if (length === null && head.length === limits.gzipHeaderBytes) throw fault('its header is too long');
    if (length === null) throw truncated(place);
    reader.consume(length);
    let crc = 0;
    let written = 0;
    for await (const output of inflate(reader, place)) {
      crc = crc32(output, crc);
      written += output.length;
      yield output;
    }
    checkTrailer(await reader.read(8, 'a gzip trailer'), crc, written, fault);
  }
}

/** One deflate stream; the reader then stands right behind it. */
async function* inflate(reader: ByteReader, place: Place): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = createInflateRaw(engineOptions);
  const engine = new Engine(stream);
  try {
    while (!engine.ended) {
      const input = await reader.peek(inputBytes);
      // Pushing nothing is how zlib is asked whether the stream was complete with the last array.
      if (input.length === 0) throw truncated(place);
      const before = stream.bytesWritten;
      yield* engine.push(input);
      reader.consume(stream.bytesWritten - before);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('compressed_data', faultAt(place)('deflate data is damaged').message, place, {
      cause: error,
    });
  } finally {
    engine.close();
  }
}

/** All members of a small file at once; null when they hold more than `maxBytes`. */
export function gunzip(bytes: Uint8Array, maxBytes: number, place: Place): Uint8Array | null {
  const fault = faultAt(place);
  const parts: Uint8Array[] = [];
  let left = maxBytes;
  for (let at = 0; at === 0 || at < bytes.length;) {
    if (parts.length === limits.gzipMembers) throw fault(`it has more than ${limits.gzipMembers} members`);
    const length = headerLength(bytes.subarray(at), fault);
    if (length === null) throw truncated(place);
    const member = inflateWhole(bytes.subarray(at + length), left, place);
    if (member === null) return null;
    at += length + member.consumed;
    if (bytes.length < at + 8) throw truncated(place);
    checkTrailer(bytes.subarray(at, at + 8), crc32(member.output), member.output.length, fault);
    at += 8;
    left -= member.output.length;
    parts.push(member.output);
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

type Inflated = { readonly output: Uint8Array; readonly consumed: number };

function inflateWhole(bytes: Uint8Array, maxBytes: number, place: Place): Inflated | null {
  try {
    const result = inflateRawSync(bytes, {
      info: true,
      maxOutputLength: Math.max(maxBytes, 1),
      chunkSize: 32 * 1024,
      finishFlush: constants.Z_FINISH,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
    return { output: result.buffer, consumed: result.engine.bytesWritten };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ERR_BUFFER_TOO_LARGE') return null;
    if (code === 'Z_BUF_ERROR') throw truncated(place);
    throw new AppError('compressed_data', faultAt(place)('deflate data is damaged').message, place, {
      cause: error,
    });
  }
}
