/** Writing into files that are open: at once where that is sooner done than another thread is woken. */
import { writeFileSync, writev as writevWithCallback, writevSync } from 'node:fs';
import { promisify } from 'node:util';

const writev = promisify(writevWithCallback);

/** The kernel takes up to 1024 pieces in one call (IOV_MAX). */
const chunksPerWrite = 1024;

/** What is longer is written in the thread pool: it may have to wait until the disk has taken other things. */
export const bytesAtOnce = 256 * 1024;

/** Writes all of it where the file stands; at once when it is no longer than `atOnce`. */
export async function writeAll(file: number, chunks: readonly Uint8Array[], atOnce: number): Promise<void> {
  for (let start = 0; start < chunks.length; start += chunksPerWrite) {
    const run = chunks.slice(start, start + chunksPerWrite);
    const size = sizeOf(run);
    const written = size <= atOnce ? writevSync(file, run) : (await writev(file, run)).bytesWritten;
    // A disk that is about to be full takes a part and says nothing; the next write tells.
    if (written < size) writeFileSync(file, Buffer.concat(run).subarray(written));
  }
}

export function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
}
