/** Seeds one after the other, and what a failing one comes down to. */
import { History, type Figures } from './history.ts';
import { planOf, type Plan } from './plan.ts';
import type { Ground } from './world.ts';

export type Failure = {
  readonly seed: number;
  readonly error: Error;
  /** What happened, a line for each step. */
  readonly log: readonly string[];
};

/** A history takes a twentieth of a second; one that does not end is a failure too. */
const patienceMs = 60_000;

async function runPlan(ground: Ground, plan: Plan): Promise<Figures | Failure> {
  const history = new History(ground, plan);
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it does not end')), patienceMs);
  });
  try {
    await Promise.race([history.run(), stuck]);
    return history.figures;
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    return { seed: plan.seed, error: cause, log: history.log };
  } finally {
    clearTimeout(timer);
  }
}

/** Leaves out every step without which it still fails. */
async function shrink(ground: Ground, plan: Plan, failure: Failure): Promise<Failure> {
  let smallest = failure;
  let { steps } = plan;
  for (let at = steps.length - 1; at >= 0; at--) {
    const fewer = steps.toSpliced(at, 1);
    const outcome = await runPlan(ground, { ...plan, steps: fewer });
    if (!('error' in outcome)) continue;
    steps = fewer;
    smallest = outcome;
  }
  return smallest;
}

export type Result = {
  readonly seeds: number;
  readonly figures: Figures;
  readonly failures: readonly Failure[];
};

/** Runs `count` histories from seed `from` on; stops after `mostFailures`, each of them shrunk. */
export async function runSeeds(
  ground: Ground,
  { from, count, mostFailures = 3 }: { from: number; count: number; mostFailures?: number },
): Promise<Result> {
  const figures: Figures = {
    operations: 0,
    generations: 0,
    collected: 0,
    crashes: 0,
    failures: 0,
    refusals: 0,
  };
  const failures: Failure[] = [];
  let seeds = 0;
  for (; seeds < count && failures.length < mostFailures; seeds++) {
    const plan = planOf(from + seeds);
    const outcome = await runPlan(ground, plan);
    if ('error' in outcome) failures.push(await shrink(ground, plan, outcome));
    else for (const name of Object.keys(figures) as (keyof Figures)[]) figures[name] += outcome[name];
  }
  return { seeds, figures, failures };
}

export const tell = ({ seed, error, log }: Failure): string =>
  `seed ${seed}:\n${log.map((line) => `  ${line}`).join('\n')}\n  ${error.name}: ${error.message}`;
