import type { Clock } from '../src/clock.ts';

/** A clock in the test's hands: it moves when it is told to, also back. */
export type FakeClock = Clock & { readonly advance: (ms: number) => void };

export function fakeClock(start = Date.UTC(2026, 10, 22, 10, 15, 0)): FakeClock {
  let now = start;
  return {
    now: () => now,
    advance: (ms) => {
      now += ms;
    },
  };
}
