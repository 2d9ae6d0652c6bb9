/** `npm run simulate -- --from S --seeds N`: runs histories on all processors and tells those that fail. */
import { availableParallelism } from 'node:os';
import { stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { runSeeds, tell, type Result } from '../simulate/seeds.ts';
import { openGround } from '../simulate/world.ts';

type Slice = { readonly from: number; readonly count: number };
type Told = Pick<Result, 'seeds' | 'figures'> & { readonly failures: readonly string[] };

const sliceSize = 250;

async function work({ from, count }: Slice): Promise<void> {
  const ground = await openGround();
  const { failures, ...result } = await runSeeds(ground, { from, count });
  await ground.close();
  parentPort?.postMessage({ ...result, failures: failures.map(tell) } satisfies Told);
}

async function inThread(slice: Slice): Promise<Told> {
  const worker = new Worker(new URL(import.meta.url), { workerData: slice });
  return await new Promise<Told>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const [from, seeds, jobs] = [values.from, values.seeds, values.jobs].map(Number) as [
    number,
    number,
    number,
  ];
  const sum: Record<string, number> = {};
  let next = from;
  let done = 0;
  let failed = 0;
  const started = performance.now();
  const lane = async (): Promise<void> => {
    while (next < from + seeds) {
      const slice = { from: next, count: Math.min(sliceSize, from + seeds - next) };
      next += slice.count;
      const told = await inThread(slice);
      done += told.seeds;
      failed += told.failures.length;
      for (const [what, count] of Object.entries(told.figures)) sum[what] = (sum[what] ?? 0) + count;
      for (const failure of told.failures) stdout.write(`${failure}\n\n`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  const figures = Object.entries(sum).map(([what, count]) => `${count} ${what}`);
  const seconds = Math.round((performance.now() - started) / 1000);
  stdout.write(
    `seeds ${from} to ${from + seeds - 1}: ${done} run, ${failed} failed; ${figures.join(', ')}; ${seconds} s\n`,
  );
  process.exitCode = failed > 0 ? 1 : 0;
}

if (isMainThread) await main();
else await work(workerData as Slice);
