/** Packages made wrong at random, read by us and then by the programs that will install and index them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { AppError } from '../../src/errors.ts';
import { inChunks } from '../build-deb.ts';
import { choicesFrom } from '../choices.ts';

/** A package that we accept, by its path below the folder of the comparison, without blanks. */
export type Accepted<P> = { readonly file: string; readonly parsed: P };

/** A format under test. */
export type Subject<P> = {
  readonly extension: string;
  /** The package of a number; the same for ever. */
  readonly mutant: (seed: number) => Buffer;
  readonly parse: (source: AsyncIterable<Uint8Array>) => Promise<P>;
};

export type Examined<P> = {
  readonly accepted: readonly Accepted<P>[];
  /** How many were refused, by code. */
  readonly refused: ReadonlyMap<string, number>;
  /** What a reader must never do: throw anything but a coded error, or one without a place. */
  readonly faults: readonly string[];
};

/** Where accepted packages are written, below the folder that is given. */
export const packagesFolder = 'd';

/** Reads the packages with these numbers, and writes those that are accepted below `dir` for the comparison. */
export async function examine<P>(
  { extension, mutant, parse }: Subject<P>,
  dir: string,
  seeds: Iterable<number>,
): Promise<Examined<P>> {
  rmSync(`${dir}/${packagesFolder}`, { recursive: true, force: true });
  mkdirSync(`${dir}/${packagesFolder}`);
  const accepted: Accepted<P>[] = [];
  const refused = new Map<string, number>();
  const faults: string[] = [];
  for (const seed of seeds) {
    const bytes = mutant(seed);
    try {
      const parsed = await parse(inChunks(bytes));
      const file = `${packagesFolder}/${seed}${extension}`;
      writeFileSync(`${dir}/${file}`, bytes);
      accepted.push({ file, parsed });
    } catch (error) {
      if (!(error instanceof AppError)) faults.push(`mutant ${seed}: ${String(error)}`);
      else if (error.place === undefined) faults.push(`mutant ${seed}: ${error.code} without a place`);
      else refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
    }
  }
  return { accepted, refused, faults };
}

/** All that a caller can see of a read, in one text. */
async function outcome<P>({ parse }: Subject<P>, bytes: Buffer, sizes: readonly number[]): Promise<string> {
  try {
    return JSON.stringify(await parse(inChunks(bytes, sizes)));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return JSON.stringify([error.code, error.message, error.place]);
  }
}

/** Those of the packages with these numbers whose reading depends on how the bytes come. */
export async function dependsOnChunks<P>(subject: Subject<P>, seeds: Iterable<number>): Promise<string[]> {
  const random = choicesFrom(1);
  const found: string[] = [];
  for (const seed of seeds) {
    const bytes = subject.mutant(seed);
    const whole = await outcome(subject, bytes, [2 ** 30]);
    const sizes = Array.from({ length: 50 }, () => 1 + random.next(random.pick([2, 100, 5000])));
    for (const cut of [[1], sizes]) {
      const other = await outcome(subject, bytes, cut);
      if (other !== whole)
        found.push(`mutant ${seed}, chunks of ${cut.slice(0, 5).join()}:\n${whole}\n${other}`);
    }
  }
  return found;
}

/** The numbers from `first` up to, and without, `end`, each `step`th. */
export function* range(first: number, end: number, step = 1): Generator<number> {
  for (let seed = first; seed < end; seed += step) yield seed;
}
