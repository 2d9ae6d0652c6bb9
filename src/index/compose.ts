/** From segments to the files of an index: pure, so that the same set gives the same bytes. */
import { crc32 } from 'node:zlib';
import { composeGzip, type DeflatedText } from './gzip.ts';
import { deflateRun, type Segment } from './segments.ts';

/** The pieces of a file, one after the other. */
export type Chunks = readonly Uint8Array[];

export type Composition = { readonly raw: Chunks; readonly gzip: Chunks };

/** An index is its head, its entries and its foot; head and foot may be empty. */
export async function compose(
  head: string,
  segments: readonly Segment[],
  foot: string,
): Promise<Composition> {
  const texts = [...(await textOf(head)), ...segments, ...(await textOf(foot))];
  return { raw: texts.map((text) => text.raw), gzip: composeGzip(texts) };
}

async function textOf(text: string): Promise<DeflatedText[]> {
  if (text === '') return [];
  const raw = Buffer.from(text);
  return [{ raw, crc: crc32(raw), deflated: await deflateRun(raw) }];
}
