/** Takes digests of whole files: see digest-thread.ts. */
import { createHash } from 'node:crypto';
import type { FileDigest } from '../formats/format.ts';
import { bytesOf, type Piece } from './file-digester.ts';
import { answerRequests } from './thread.ts';

async function digest(pieces: readonly Piece[]): Promise<FileDigest> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const bytes of bytesOf(pieces)) {
    hash.update(bytes);
    sizeBytes += bytes.byteLength;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

answerRequests(digest);
