/** An index from its entries: pure, so that the same set gives the same bytes whatever its history. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const compressionLevel = 6;

type Digest = { readonly sha256: string; readonly sizeBytes: number };

export type Composition = {
  readonly raw: Digest;
  readonly gzip: Digest & { readonly bytes: Uint8Array };
};

function digest(bytes: Uint8Array): Digest {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.byteLength };
}

/** Joins head, bodies and foot, and compresses the whole. The gzip header carries no time and no name. */
export function compose(head: string, bodies: readonly string[], foot: string): Composition {
  const raw = Buffer.from(head + bodies.join('') + foot, 'utf8');
  const gzip = gzipSync(raw, { level: compressionLevel });
  return { raw: digest(raw), gzip: { ...digest(gzip), bytes: gzip } };
}
