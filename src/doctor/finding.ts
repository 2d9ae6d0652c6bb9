/** What the doctor says: one line for each thing that it looked at. */
import { AppError, errorTable } from '../errors.ts';

/** `warning`: it works, and somebody should look after it. `fault`: it does not work, or soon will not. */
export type Level = 'good' | 'warning' | 'fault';

export type Told = {
  readonly level: Level;
  /** A path, a URL, a setting, or the name of a repository or channel. */
  readonly where: string;
  /** One sentence. */
  readonly what: string;
  /** What to do about it; null when nothing is. */
  readonly todo: string | null;
};

export type Finding = Told & { readonly check: string };

/** `run` looks at one thing and changes nothing. What it throws is a finding as well. */
export type Check<Context> = {
  readonly name: string;
  readonly run: (context: Context) => Promise<readonly Told[]> | readonly Told[];
};

export const good = (where: string, what: string): Told => ({ level: 'good', where, what, todo: null });
export const warning = (where: string, what: string, todo: string): Told => ({
  level: 'warning',
  where,
  what,
  todo,
});
export const fault = (where: string, what: string, todo: string): Told => ({
  level: 'fault',
  where,
  what,
  todo,
});

/** An error of ours says itself what to do; of another the sentence of the system is all there is. */
export function faultOf(where: string, error: unknown): Told {
  if (error instanceof AppError) return fault(where, error.message, errorTable[error.code].action);
  const message = (error as Error).message.replace(/\.$/, '');
  return fault(where, `${message}.`, 'Put right what the message names.');
}

/** Runs the checks one after the other: each one's findings as they come. */
export async function* runChecks<Context>(
  checks: readonly Check<Context>[],
  context: Context,
): AsyncGenerator<Finding> {
  for (const { name, run } of checks) {
    let told: readonly Told[];
    try {
      told = await run(context);
    } catch (error) {
      told = [faultOf(name, error)];
    }
    for (const finding of told) yield { check: name, ...finding };
  }
}
