/** Random choices by a seed: the same number gives the same choices for ever. */
import { randomFrom } from './random.ts';

export type Random = {
  /** A whole number from 0 up to, and without, `below`. */
  readonly next: (below: number) => number;
  readonly pick: <T>(items: readonly T[]) => T;
};

export function choicesFrom(seed: number): Random {
  const random = randomFrom(seed);
  const next = (below: number): number => Math.floor(random() * below);
  return { next, pick: (items) => items[next(items.length)] as (typeof items)[number] };
}

/** Puts `what` somewhere into the bytes, now and then in place of a few of them. */
export function splice(bytes: Buffer, random: Random, what: Uint8Array): Buffer {
  const at = random.next(bytes.length + 1);
  const cut = random.next(3) === 0 ? random.next(6) : 0;
  return Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at + cut)]);
}

/** Cuts the bytes short, repeats a piece of them, or changes up to three. */
export function damage(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  switch (random.next(4)) {
    case 0:
      return copy.subarray(0, random.next(copy.length + 1));
    case 1: {
      const from = random.next(copy.length);
      const piece = copy.subarray(from, from + random.next(700));
      return splice(copy, random, piece);
    }
    default:
      for (let left = 1 + random.next(3); left > 0; left--) copy[random.next(copy.length)] = random.next(256);
      return copy;
  }
}
