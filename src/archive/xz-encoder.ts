/**
 * Writes xz with liblzma (liblzma.ts). Takes tens of milliseconds for a few hundred kilobytes: not for the thread
 * that answers requests.
 */
import { createLiblzma, type Liblzma } from './liblzma.ts';

/** LZMA_CHECK_CRC64, what the xz program writes. */
const check = 4;

/**
 * `lzma_options_lzma` of lzma/lzma12.h. The window is as long as a text is at most, so that neither end needs more
 * memory than that asks for; the rest is that of preset 6 but for `nice_len`, which halves the time for one
 * hundredth more.
 */
const windowBytes = 2 ** 20;
const options = { lc: 3, lp: 0, pb: 2, modeNormal: 2, niceLength: 32, matchFinderBt4: 0x14 } as const;
const optionsBytes = 128;

/** `lzma_filter` of lzma/filter.h: LZMA2 and the end of the list. */
const filter = { lzma2: 0x21n, end: 2n ** 64n - 1n, bytes: 16 } as const;

/** Of what cannot be made smaller: the headers of a stream and of its chunks of 64 KiB. */
const room = (sizeBytes: number): number => sizeBytes + Math.ceil(sizeBytes / 1000) + 1024;

/** The longest text of one block; longer ones become several. */
export const maxBlockBytes = windowBytes;

let instance: Promise<Liblzma> | undefined;

/** A stream of one block with a CRC64. `text` is not empty and has at most `maxBlockBytes`. */
export async function encodeXz(text: Uint8Array): Promise<Uint8Array> {
  instance ??= createLiblzma();
  const lzma = await instance;
  const outputBytes = room(text.length);
  const [filters, settings, position, input, output] = [
    2 * filter.bytes,
    optionsBytes,
    8,
    text.length,
    outputBytes,
  ].map((sizeBytes) => lzma._malloc(sizeBytes)) as [number, number, number, number, number];
  try {
    lzma.HEAPU8.fill(0, filters, filters + 2 * filter.bytes);
    lzma.HEAPU8.fill(0, settings, settings + optionsBytes);
    lzma.HEAPU8.fill(0, position, position + 8);
    lzma.HEAPU8.set(text, input);
    writeFilters(new DataView(lzma.HEAPU8.buffer), filters, settings);
    const status = lzma._lzma_stream_buffer_encode(
      filters,
      check,
      0,
      input,
      text.length,
      output,
      position,
      outputBytes,
    );
    if (status !== 0) throw new Error(`liblzma does not encode: lzma_ret ${status}`);
    const length = new DataView(lzma.HEAPU8.buffer).getUint32(position, true);
    return lzma.HEAPU8.slice(output, output + length);
  } finally {
    for (const address of [filters, settings, position, input, output]) lzma._free(address);
  }
}

function writeFilters(memory: DataView, filters: number, settings: number): void {
  const members: [offset: number, value: number][] = [
    [0, windowBytes],
    [12, options.lc],
    [16, options.lp],
    [20, options.pb],
    [24, options.modeNormal],
    [28, options.niceLength],
    [32, options.matchFinderBt4],
  ];
  for (const [offset, value] of members) memory.setUint32(settings + offset, value, true);
  memory.setBigUint64(filters, filter.lzma2, true);
  memory.setUint32(filters + 8, settings, true);
  memory.setBigUint64(filters + filter.bytes, filter.end, true);
}
