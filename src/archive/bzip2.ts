/**
 * bzip2 decoding. Written here because what the registry has gives a block at once: 1,600 hostile bytes make 46 MB
 * of one (unbzip2-stream, which then needs 490 MB and goes on into further streams), or the whole file does. The
 * format is that of bzip2 1.0.8 (`decompress.c`); randomised blocks, which only bzip2 0.9.0 wrote, are refused.
 */
import { AppError, type Place } from '../errors.ts';
import type { ByteReader } from './reader.ts';

/** Bytes that hold any block: 900,001 symbols of at most 20 bits, its code tables, and slack. */
const blockWindowBytes = 2_400_000;
const outputBytes = 256 * 1024;
const maxCodeBits = 20;
const groupSymbols = 50;

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

class Corrupt extends Error {}
class Starved extends Error {}

/** Reads bits, most significant first, from one array. */
class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #bits = 0;
  #have = 0;

  constructor(bytes: Uint8Array, skipBits: number) {
    this.#bytes = bytes;
    if (skipBits > 0) this.read(skipBits);
  }

  /** At most 24 bits. */
  read(count: number): number {
    while (this.#have < count) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Starved();
      this.#bits = ((this.#bits << 8) | byte) >>> 0;
      this.#have += 8;
    }
    this.#have -= count;
    return (this.#bits >>> this.#have) & ((1 << count) - 1);
  }

  readFlag(): boolean {
    return this.read(1) === 1;
  }

  read32(): number {
    return ((this.read(16) << 16) | this.read(16)) >>> 0;
  }

  /** Bits read so far, those skipped included. */
  get position(): number {
    return this.#at * 8 - this.#have;
  }
}

/** A canonical Huffman code as bzip2 decodes it: for each length, the last code and where its symbols start. */
type Code = {
  readonly minBits: number;
  readonly limit: Int32Array;
  readonly base: Int32Array;
  readonly symbols: Uint16Array;
};

function makeCode(lengths: Uint8Array): Code {
  const count = new Int32Array(maxCodeBits + 2);
  let minBits = maxCodeBits;
  let maxBits = 0;
  for (const length of lengths) {
    count[length] = (count[length] ?? 0) + 1;
    minBits = Math.min(minBits, length);
    maxBits = Math.max(maxBits, length);
  }
  const symbols = new Uint16Array(lengths.length);
  const limit = new Int32Array(maxCodeBits + 2).fill(-1);
  const base = new Int32Array(maxCodeBits + 2);
  let code = 0;
  let filled = 0;
  for (let bits = minBits; bits <= maxBits; bits++) {
    for (let symbol = 0; symbol < lengths.length; symbol++)
      if (lengths[symbol] === bits) symbols[filled++] = symbol;
    const here = count[bits] ?? 0;
    base[bits] = filled - here - code;
    code += here;
    limit[bits] = code - 1;
    if (code > 1 << bits) throw new Corrupt('code table');
    code <<= 1;
  }
  return { minBits, limit, base, symbols };
}

function readSymbol(bits: BitReader, code: Code): number {
  let length = code.minBits;
  let value = bits.read(length);
  while (value > (code.limit[length] ?? -1)) {
    if (++length > maxCodeBits) throw new Corrupt('code');
    value = (value << 1) | bits.read(1);
  }
  const symbol = code.symbols[value + (code.base[length] ?? 0)];
  if (symbol === undefined) throw new Corrupt('code');
  return symbol;
}

function readUsedBytes(bits: BitReader): Uint8Array {
  const groups = bits.read(16);
  const used: number[] = [];
  for (let group = 0; group < 16; group++) {
    if ((groups & (0x8000 >> group)) === 0) continue;
    const members = bits.read(16);
    for (let member = 0; member < 16; member++)
      if ((members & (0x8000 >> member)) !== 0) used.push(group * 16 + member);
  }
  if (used.length === 0) throw new Corrupt('symbol map');
  return Uint8Array.from(used);
}

function readSelectors(bits: BitReader, codes: number): Uint8Array {
  const count = bits.read(15);
  if (count === 0) throw new Corrupt('selectors');
  const order = Array.from({ length: codes }, (_, index) => index);
  const selectors = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    let index = 0;
    while (bits.readFlag()) if (++index >= codes) throw new Corrupt('selectors');
    const [chosen = 0] = order.splice(index, 1);
    order.unshift(chosen);
    selectors[at] = chosen;
  }
  return selectors;
}

function readCodeLengths(bits: BitReader, symbols: number): Uint8Array {
  const lengths = new Uint8Array(symbols);
  let length = bits.read(5);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > maxCodeBits) throw new Corrupt('code lengths');
      if (!bits.readFlag()) break;
      length += bits.readFlag() ? -1 : 1;
    }
    lengths[symbol] = length;
  }
  return lengths;
}

type Block = { readonly crc: number; readonly origin: number; readonly length: number };

/** Reads one block up to the inverse of move-to-front: `transformed` then holds its Burrows-Wheeler bytes. */
function readBlock(bits: BitReader, transformed: Uint32Array): Block {
  const crc = bits.read32();
  if (bits.readFlag()) throw new Corrupt('randomised block');
  const origin = bits.read(24);
  const order = readUsedBytes(bits);
  const endOfBlock = order.length + 1;
  const codeCount = bits.read(3);
  if (codeCount < 2 || codeCount > 6) throw new Corrupt('code count');
  const selectors = readSelectors(bits, codeCount);
  const codes = Array.from({ length: codeCount }, () => makeCode(readCodeLengths(bits, endOfBlock + 1)));
  let length = 0;
  let run = 0;
  let place = 1;
  for (const selector of selectors) {
    const code = codes[selector];
    if (code === undefined) throw new Corrupt('selectors');
    for (let left = groupSymbols; left > 0; left--) {
      const symbol = readSymbol(bits, code);
      if (symbol <= 1) {
        // Runs of the front byte, in bijective base 2.
        run += place << symbol;
        place <<= 1;
        if (run > transformed.length - length) throw new Corrupt('run');
        continue;
      }
      if (run > 0) transformed.fill(order[0] ?? 0, length, (length += run));
      run = 0;
      place = 1;
      if (symbol === endOfBlock) {
        if (origin >= length) throw new Corrupt('origin');
        return { crc, origin, length };
      }
      if (length === transformed.length) throw new Corrupt('block size');
      const byte = order[symbol - 1] ?? 0;
      order.copyWithin(1, 0, symbol - 1);
      order[0] = byte;
      transformed[length++] = byte;
    }
  }
  throw new Corrupt('selectors');
}

/** Threads the block: afterwards the upper 24 bits of each cell point to the next, the lower 8 are its byte. */
function invertTransform(cells: Uint32Array, length: number): void {
  const starts = new Uint32Array(256);
  for (let at = 0; at < length; at++) {
    const byte = (cells[at] ?? 0) & 0xff;
    starts[byte] = (starts[byte] ?? 0) + 1;
  }
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = starts[byte] ?? 0;
    starts[byte] = sum;
    sum += count;
  }
  for (let at = 0; at < length; at++) {
    const byte = (cells[at] ?? 0) & 0xff;
    const to = starts[byte] ?? 0;
    starts[byte] = to + 1;
    cells[to] = (cells[to] ?? 0) | (at << 8);
  }
}

/** The block's bytes: the chain of cells, in which four equal bytes are followed by a count of more. */
function* expandBlock(cells: Uint32Array, block: Block): Generator<Uint8Array, void, undefined> {
  let crc = 0xffffffff;
  let cell = cells[(cells[block.origin] ?? 0) >>> 8] ?? 0;
  let equal = 0;
  let previous = -1;
  let output = new Uint8Array(outputBytes);
  let filled = 0;
  for (let left = block.length; left > 0; left--) {
    const byte = cell & 0xff;
    cell = cells[cell >>> 8] ?? 0;
    let times = 1;
    if (equal === 4) {
      times = byte;
      equal = 0;
    } else {
      equal = byte === previous ? equal + 1 : 1;
      previous = byte;
    }
    for (; times > 0; times--) {
      output[filled++] = previous;
      crc = ((crc << 8) ^ (crcTable[(crc >>> 24) ^ previous] ?? 0)) >>> 0;
      if (filled < outputBytes) continue;
      yield output;
      output = new Uint8Array(outputBytes);
      filled = 0;
    }
    if (equal === 0) previous = -1;
  }
  if (filled > 0) yield output.subarray(0, filled);
  if (~crc >>> 0 !== block.crc) throw new Corrupt('block checksum');
}

const blockMagic = [0x314159, 0x265359] as const;
const endMagic = [0x177245, 0x385090] as const;

/** One bzip2 stream; what follows it is left unread. */
export async function* decodeBzip2(
  reader: ByteReader,
  place: Place,
): AsyncGenerator<Uint8Array, void, undefined> {
  const part = place.part ?? 'The data';
  const fault = (why: string): AppError =>
    new AppError('compressed_data', `${part} is not intact bzip2 data (${why}).`, place);
  const head = Buffer.from(await reader.read(4, 'the bzip2 header')).toString('latin1');
  if (!/^BZh[1-9]$/.test(head)) throw fault('header');
  const cells = new Uint32Array(Number(head[3]) * 100_000);
  let skipBits = 0;
  let combined = 0;
  let whole = false;
  try {
    for (;;) {
      // One window holds the longest block, so that decoding needs no waiting in between.
      const window = await reader.peek(blockWindowBytes);
      whole = window.length === blockWindowBytes;
      const bits = new BitReader(window, skipBits);
      const magic = [bits.read(24), bits.read(24)];
      const ended = magic[0] === endMagic[0] && magic[1] === endMagic[1];
      if (!ended && (magic[0] !== blockMagic[0] || magic[1] !== blockMagic[1])) throw fault('block header');
      if (ended && bits.read32() !== combined) throw fault('stream checksum');
      const block = ended ? null : readBlock(bits, cells);
      reader.consume(ended ? Math.ceil(bits.position / 8) : Math.floor(bits.position / 8));
      if (block === null) return;
      skipBits = bits.position % 8;
      combined = (((combined << 1) | (combined >>> 31)) ^ block.crc) >>> 0;
      invertTransform(cells, block.length);
      yield* expandBlock(cells, block);
    }
  } catch (error) {
    if (error instanceof Corrupt) throw fault(error.message);
    if (error instanceof Starved && whole) throw fault('block length');
    if (error instanceof Starved)
      throw new AppError('archive_truncated', `${part} ends within a bzip2 block.`, place);
    throw error;
  }
}
