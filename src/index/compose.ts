/** From segments to the files of an index: pure, so that the same set gives the same bytes. */
import { crc32 } from 'node:zlib';
import { composeGzip, deflateShort, type DeflatedText } from './gzip.ts';

/** The pieces of a file, one after the other. */
export type Chunks = readonly Uint8Array[];

/** The plain file's pieces: each its bytes, or the form from which they are made. */
export type Composition = { readonly raw: readonly (Uint8Array | DeflatedText)[]; readonly gzip: Chunks };

/** An index is its head, its entries and its foot; head and foot may be empty. */
export function compose(head: string, segments: readonly DeflatedText[], foot: string): Composition {
  const pieces = segments.map((segment) => segment.raw ?? segment);
  return {
    raw: plainPieces(head, pieces, foot),
    gzip: composeGzip([...textOf(head), ...segments, ...textOf(foot)]),
  };
}

/** The plain file's pieces from those between its head and its foot. */
export function plainPieces<P>(head: string, pieces: readonly P[], foot: string): (Uint8Array | P)[] {
  const ends = (text: string): Uint8Array[] => (text === '' ? [] : [Buffer.from(text)]);
  return [...ends(head), ...pieces, ...ends(foot)];
}

/** A line or two: done here sooner than another thread is free. */
function textOf(text: string): DeflatedText[] {
  if (text === '') return [];
  const raw = Buffer.from(text);
  return [{ raw, rawBytes: raw.byteLength, crc: crc32(raw), deflated: deflateShort(raw) }];
}
