import { monotonicFactory } from 'ulid';

const next = monotonicFactory();

/** A ULID that sorts after every earlier one of this process, also when the clock steps back. */
export function createId(nowMs: number): string {
  return next(nowMs);
}
