/** What is written into a bucket: of known length and digest, and as often as attempts need it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { ByteRange } from './store.ts';

export type Body = {
  readonly sizeBytes: number;
  /** In hex. */
  readonly sha256: string;
  /** From the first byte on, each time. */
  readonly open: () => Buffer | Readable;
};

export type FilePart = { readonly range: ByteRange; readonly sha256: string };

export type FileBody = Body & { readonly path: string; readonly parts: readonly FilePart[] };

/** Below, pieces are put together, which is cheaper than a stream. */
const joinedBytes = 2 ** 20;
const readChunkBytes = 512 * 1024;

export function bodyOf(chunks: readonly Uint8Array[]): Body {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const open =
    sizeBytes <= joinedBytes
      ? (): Buffer => Buffer.concat(chunks)
      : (): Readable => Readable.from(chunks, { objectMode: false });
  return { sizeBytes, sha256: hash.digest('hex'), open };
}

/** Reads a file once, for the digests of it and of its parts. */
export async function fileBody(path: string, partBytes: number): Promise<FileBody> {
  const whole = createHash('sha256');
  const parts: FilePart[] = [];
  let part = createHash('sha256');
  let start = 0;
  let sizeBytes = 0;
  const endPart = (): void => {
    parts.push({ range: { start, end: sizeBytes - 1 }, sha256: part.digest('hex') });
    part = createHash('sha256');
    start = sizeBytes;
  };
  for await (const read of createReadStream(path, { highWaterMark: readChunkBytes })) {
    // Without an encoding it is a Buffer.
    let chunk = read as Buffer;
    whole.update(chunk);
    while (chunk.length > 0) {
      const taken = chunk.subarray(0, partBytes - (sizeBytes - start));
      part.update(taken);
      sizeBytes += taken.length;
      chunk = chunk.subarray(taken.length);
      if (sizeBytes - start === partBytes) endPart();
    }
  }
  if (sizeBytes > start) endPart();
  const open = (): Readable => createReadStream(path, { highWaterMark: readChunkBytes });
  return { sizeBytes, sha256: whole.digest('hex'), path, parts, open };
}
