/**
 * Unpacks the compressed parts of packages within a budget. A part must be one stream that every reader takes
 * whole: dpkg and apt differ on concatenated xz streams, further zstd frames and trailing bytes, so none of
 * those pass. (Several gzip members do: both read them, and so does rpm.)
 */
import { AppError, type Place } from '../errors.ts';
import { decodeBzip2 } from './bzip2.ts';
import { decodeGzip, gunzip } from './gzip.ts';
import { inputBytes, LzmaDecoder, type LzmaFormat } from './liblzma.ts';
import type { Budget } from './limits.ts';
import { ByteReader } from './reader.ts';
import { decodeZstd, unzstd } from './zstd.ts';

export type Compression = 'none' | 'gzip' | 'xz' | 'lzma' | 'bzip2' | 'zstd';

/** Up to this size a part is unpacked in one call, where that is faster and its output is small as well. */
const wholeInputBytes = 64 * 1024;
const wholeOutputBytes = 2 * 1024 * 1024;

/**
 * The unpacked bytes of `source`. `part` names it in errors. Throws `compressed_data`, `archive_truncated`, and
 * `decompression_bomb` as soon as the budget is passed. What is thrown depends on the bytes, not on how the
 * source cuts them; everything that came before a fault has been yielded by then.
 */
export async function* decompress(
  kind: Compression,
  source: AsyncIterable<Uint8Array>,
  budget: Budget,
  part: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(source, part);
  const place: Place = { part };
  let written = 0;
  try {
    for await (const output of decode(kind, reader, budget, place)) {
      written += output.length;
      checkBudget(budget, reader.offset, written, place);
      yield output;
    }
    if (!(await reader.atEnd()))
      throw new AppError('compressed_data', `Something follows the compressed data of ${part}.`, place);
  } finally {
    await reader.close();
  }
}

function checkBudget(budget: Budget, read: number, written: number, place: Place): void {
  const part = place.part ?? 'The data';
  if (written > budget.outputBytes)
    throw new AppError(
      'decompression_bomb',
      `${part} unpacks to more than ${budget.outputBytes} bytes.`,
      place,
    );
  // The decoder may be working on input that the reader has not counted yet, one array of it at most.
  const packed = budget.inputBytes ?? read + inputBytes;
  if (written > budget.freeBytes && written > packed * budget.ratio)
    throw new AppError(
      'decompression_bomb',
      `${part} unpacks to more than ${budget.ratio} times its size.`,
      place,
    );
}

async function* decode(
  kind: Compression,
  reader: ByteReader,
  budget: Budget,
  place: Place,
): AsyncGenerator<Uint8Array, void, undefined> {
  switch (kind) {
    case 'none':
      for (;;) {
        const bytes = await reader.readUpTo(inputBytes);
        if (bytes.length === 0) return;
        yield bytes;
      }
    case 'gzip':
    case 'zstd': {
      const whole = await decodeWhole(kind, reader, budget, place);
      if (whole !== null) return yield whole;
      return yield* kind === 'gzip' ? decodeGzip(reader, place) : decodeZstd(reader, place);
    }
    case 'xz':
    case 'lzma':
      return yield* decodeLzma(kind, reader, place);
    case 'bzip2':
      return yield* decodeBzip2(reader, place);
  }
}

/** A small part in one call, which saves a dozen turns of the event loop; null when it is not small. */
async function decodeWhole(
  kind: 'gzip' | 'zstd',
  reader: ByteReader,
  budget: Budget,
  place: Place,
): Promise<Uint8Array | null> {
  const bytes = await reader.peek(wholeInputBytes + 1);
  if (bytes.length > wholeInputBytes) return null;
  const maxBytes = Math.min(wholeOutputBytes, budget.outputBytes);
  const whole = kind === 'gzip' ? gunzip(bytes, maxBytes, place) : unzstd(bytes, maxBytes, place);
  if (whole !== null) reader.consume(bytes.length);
  return whole;
}

async function* decodeLzma(
  format: LzmaFormat,
  reader: ByteReader,
  place: Place,
): AsyncGenerator<Uint8Array, void, undefined> {
  // The decoder for the old format takes xz and lzip as well, by their first byte; dpkg's takes neither.
  const [first] = await reader.peek(1);
  if (format === 'lzma' && (first === 0xfd || first === 0x4c))
    throw new AppError('compressed_data', `${place.part ?? 'The data'} is not lzma.`, place);
  const decoder = await LzmaDecoder.create(format, place);
  try {
    while (!decoder.finished) {
      const input = await reader.peek(inputBytes);
      if (input.length === 0)
        throw new AppError(
          'archive_truncated',
          `${place.part ?? 'The data'} ends within its ${format} data.`,
          place,
        );
      yield* decoder.push(input);
      reader.consume(input.length - decoder.unread);
    }
  } finally {
    decoder.close();
  }
}
