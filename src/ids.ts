import { randomFillSync } from 'node:crypto';
import { monotonicFactory } from 'ulid';

/** Random bytes are fetched many at a time: a call into the kernel for each letter would cost more than the rest. */
const pool = new Uint8Array(4096);
let used = pool.length;

function randomShare(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return (pool[used++] ?? 0) / 256;
}

const next = monotonicFactory(randomShare);

/** A ULID that sorts after every earlier one of this process, also when the clock steps back. */
export function createId(nowMs: number): string {
  return next(nowMs);
}
