/**
 * `npm run bench intake`: how fast packages are taken in. Many small ones from 64 uploaders, each held against the
 * served index; a big one beside what reading it takes at least; and what others notice of hostile ones.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { flood } from '../test/flood.ts';
import type { Sample } from '../test/packages.ts';
import { measureBig } from './big-package.ts';
import { bombs, latenciesDuring, uploadBombs } from './hostile.ts';
import { writeIntakeReport, type IntakeFigures, type SmallRun } from './intake-report.ts';
import { processCost } from './measure.ts';
import { startOurs, token } from './ours.ts';
import { controlFiles, writeDeb, writeRpm } from './samples.ts';

const uploaders = 64;

const say = (text: string): void => {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
};

export async function benchIntake(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      packages: { type: 'string', default: '2000' },
      runs: { type: 'string', default: '5' },
      only: { type: 'string', default: 'small,big,hostile' },
      'no-report': { type: 'boolean', default: false },
    },
  });
  const [count, runs] = [Number(values.packages), Number(values.runs)];
  const only = values.only.split(',');
  const dir = mkdtempSync(join(tmpdir(), 'entrepot-bench-'));
  try {
    const figures: IntakeFigures = {
      count,
      runs,
      small: only.includes('small') ? await measureSmall(dir, count, runs) : [],
      big: only.includes('big') ? await measureBigOnOurs(dir, runs) : null,
      hostile: only.includes('hostile') ? await measureHostile(dir) : null,
    };
    if (!values['no-report']) await writeIntakeReport(figures);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The two formats in turn, each time on an empty server. */
async function measureSmall(dir: string, count: number, runs: number): Promise<SmallRun[]> {
  // A server that has just started compiles its own code: those are sent first and not counted.
  const warmUp = 200;
  const controls = controlFiles(count + warmUp);
  const load = ({ path }: { path: string }): Sample => ({
    filename: basename(path),
    bytes: readFileSync(path),
  });
  const samples = {
    apt: controls.map((control) => load(writeDeb(join(dir, 'deb'), control))),
    yum: controls.map((control) => load(writeRpm(join(dir, 'rpm'), control))),
  };
  const measured: SmallRun[] = [];
  for (let run = 0; run < runs; run++)
    for (const format of ['apt', 'yum'] as const) {
      const one = await measureOne(join(dir, `small-${format}-${run}`), format, samples[format], warmUp);
      say(`${format}: ${one.perSecond.toFixed(0)} packages/s, ${one.cpuMs.toFixed(2)} ms of CPU each`);
      measured.push(one);
    }
  return measured;
}

async function measureOne(
  dir: string,
  format: 'apt' | 'yum',
  samples: readonly Sample[],
  warmUp: number,
): Promise<SmallRun> {
  const ours = await startOurs(dir);
  try {
    const channel = format === 'apt' ? 'stable' : 'stable-rpm';
    const target = { url: ours.url, token, format, channel };
    await flood(target, samples.slice(0, warmUp), uploaders);
    const before = processCost(ours.pid);
    let after = before;
    const counted = samples.slice(warmUp);
    const { wallMs, refused, missing, generations } = await flood(target, counted, uploaders, () => {
      after = processCost(ours.pid);
    });
    if (refused.length > 0) throw new Error(`refused: ${refused.slice(0, 3).join('; ')}`);
    if (missing.length > 0) throw new Error(`${missing.length} were not served when their answer arrived`);
    const [first = 0] = generations;
    if (generations.some((number, i) => number !== first + i)) throw new Error('generations have a gap');
    return {
      format,
      perSecond: (counted.length * 1000) / wallMs,
      cpuMs: (after.cpuMs - before.cpuMs) / counted.length,
      generations: generations.length,
      peakKiB: after.peakKiB,
    };
  } finally {
    // The directory stays until all is measured: ext4 passes over inodes that were freed within minutes, one by one,
    // and whoever makes files next would pay for what this run deletes.
    await ours.stop();
  }
}

async function measureBigOnOurs(dir: string, runs: number): Promise<IntakeFigures['big']> {
  const ours = await startOurs(join(dir, 'ours-big'));
  const work = join(dir, 'big');
  mkdirSync(work);
  try {
    say('making the big package');
    const big = await measureBig(ours, work, runs);
    for (const { floorMs, uploadMs } of big.runs)
      say(`big: ${(uploadMs / 1000).toFixed(2)} s, the floor ${(floorMs / 1000).toFixed(2)} s`);
    return { ...big, peakKiB: processCost(ours.pid).peakKiB };
  } finally {
    await ours.stop();
    rmSync(join(dir, 'ours-big'), { recursive: true });
    rmSync(work, { recursive: true });
  }
}

async function measureHostile(dir: string): Promise<IntakeFigures['hostile']> {
  const ours = await startOurs(join(dir, 'ours-hostile'));
  try {
    const list = bombs();
    // What the machine itself does to a request, for as long as it takes to see that.
    const quiet = await latenciesDuring(ours, () => new Promise((resolve) => setTimeout(resolve, 10_000)));
    let codes = new Map<string, number>();
    const attacked = await latenciesDuring(ours, async () => {
      codes = await uploadBombs(ours, list);
    });
    say(`${list.length} bombs: ${[...codes].map(([code, n]) => `${n} ${code}`).join(', ')}`);
    for (const [name, found] of [
      ['quiet', quiet],
      ['attacked', attacked],
    ] as const)
      for (const { path, ms } of found)
        say(`${name} ${path}: ${ms.length} requests, at most ${Math.max(...ms).toFixed(1)} ms`);
    return { bombs: list.length, codes, quiet, attacked, peakKiB: processCost(ours.pid).peakKiB };
  } finally {
    await ours.stop();
    rmSync(join(dir, 'ours-hostile'), { recursive: true });
  }
}
