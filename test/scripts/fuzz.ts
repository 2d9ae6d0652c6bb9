/**
 * The differential test of mutation.test.ts over as many packages as one likes: `npm run fuzz -- --format yum
 * --seed 100000 --count 50000`. Prints how many were accepted, and refused with which code; exits with 1 when a
 * reader failed, when its answer depended on how the bytes came, or when another program read something else.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exit } from 'node:process';
import { parseArgs } from 'node:util';
import { aptSubject } from '../formats/apt/mutate.ts';
import {
  compareContents,
  compareFields,
  compareFiles,
  compareStanzas,
  shown,
} from '../formats/apt/oracle.ts';
import {
  dependsOnChunks,
  examine,
  packagesFolder,
  range,
  type Accepted,
  type Subject,
} from '../formats/examine.ts';
import {
  compareDigests,
  compareHeaders,
  compareIndexes,
  comparePayloads,
} from '../formats/yum/differential.ts';
import { yumSubject } from '../formats/yum/mutate.ts';

/** Packages that are on the disk at a time. */
const slice = 1_000;
/** Of these one is read byte by byte as well. */
const inPieces = 50;

type Comparison<P> = (dir: string, accepted: readonly Accepted<P>[]) => string[];

type Run = (
  dir: string,
  first: number,
  end: number,
) => Promise<{ refused: ReadonlyMap<string, number>; faults: string[] }>;

function runOf<P>(subject: Subject<P>, comparisons: readonly Comparison<P>[]): Run {
  return async (dir, first, end) => {
    const { accepted, refused, faults } = await examine(subject, dir, range(first, end));
    const differences = comparisons.flatMap((compare) =>
      accepted.length === 0 ? [] : compare(dir, accepted),
    );
    const pieces = await dependsOnChunks(subject, range(first, end, inPieces));
    return {
      refused: new Map([['accepted', accepted.length], ...refused]),
      faults: [...faults, ...differences, ...pieces],
    };
  };
}

const runs: Readonly<Record<string, Run>> = {
  apt: runOf(aptSubject, [
    (dir, accepted) => compareFields(dir, accepted).map(shown),
    (dir, accepted) => compareFiles(dir, accepted).map(shown),
    (dir, accepted) => compareStanzas(dir, packagesFolder, accepted).map(shown),
    (dir, accepted) => compareContents(dir, accepted).map(shown),
  ]),
  yum: runOf(yumSubject, [compareHeaders, compareDigests, comparePayloads, compareIndexes]),
};

const { values } = parseArgs({
  options: {
    format: { type: 'string', multiple: true, default: Object.keys(runs) },
    seed: { type: 'string', default: '0' },
    count: { type: 'string', default: '10000' },
  },
});
const [seed, count] = [Number(values.seed), Number(values.count)];
let failed = false;
for (const format of values.format) {
  const run = runs[format];
  if (!run || !Number.isSafeInteger(seed) || !Number.isSafeInteger(count)) {
    console.error('usage: npm run fuzz -- [--format apt|yum] [--seed N] [--count N]');
    exit(2);
  }
  const totals = new Map<string, number>();
  const dir = mkdtempSync(join(tmpdir(), 'entrepot-fuzz-'));
  for (let first = seed; first < seed + count; first += slice) {
    const { refused, faults } = await run(dir, first, Math.min(first + slice, seed + count));
    for (const [code, number] of refused) totals.set(code, (totals.get(code) ?? 0) + number);
    for (const fault of faults) console.log(fault);
    failed ||= faults.length > 0;
  }
  rmSync(dir, { recursive: true });
  console.log(JSON.stringify({ format, seed, count, outcomes: Object.fromEntries([...totals].toSorted()) }));
}
exit(failed ? 1 : 0);
