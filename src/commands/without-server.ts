import { join } from 'node:path';
import type { Config } from '../config.ts';
import { holdExclusively } from '../db/exclusive.ts';
import { CommandFailed } from './failed.ts';

/** Runs what no server may run beside, and keeps one from starting meanwhile. The data directory is there. */
export async function withoutServer(
  { dataDir }: Pick<Config, 'dataDir'>,
  work: () => Promise<void>,
): Promise<void> {
  const unlock = holdExclusively(join(dataDir, 'lock.db'));
  if (!unlock) throw new CommandFailed(`A server is running on ${dataDir}: stop it first.`);
  try {
    await work();
  } finally {
    unlock();
  }
}
