/** The catalog in PostgreSQL as a file, by the programs of PostgreSQL, which know every version of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, rm, writeFile } from 'node:fs/promises';
import { environmentWith } from '../config.ts';
import { CommandFailed } from './failed.ts';

/** Copies the catalog as of one moment into `target`, beside a running server. */
export async function dumpPostgres(url: string, target: string): Promise<void> {
  await rm(`${target}.part`, { force: true });
  // For its owner alone: digests of tokens are in it.
  await writeFile(`${target}.part`, '', { mode: 0o600 });
  await run('pg_dump', url, ['--format=custom', '--no-owner', '--no-privileges', `--file=${target}.part`]);
  await rename(`${target}.part`, target);
}

/** Puts a dump into an empty database: all of it, or nothing. */
export async function restorePostgres(url: string, dump: string): Promise<void> {
  await run('pg_restore', url, ['--single-transaction', '--no-owner', '--no-privileges', dump]);
}

/** The password goes by the environment: command lines are for everybody on the machine to see. */
async function run(program: string, url: string, args: readonly string[]): Promise<void> {
  const place = new URL(url);
  const password = decodeURIComponent(place.password);
  place.password = '';
  const child = spawn(program, [`--dbname=${place.href}`, '--no-password', ...args], {
    env: environmentWith(password === '' ? {} : { PGPASSWORD: password }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  try {
    await once(child, 'close');
  } catch (cause) {
    throw new CommandFailed(`${program} does not run: install the client programs of PostgreSQL.`, { cause });
  }
  if (child.exitCode !== 0)
    throw new CommandFailed(`${program} ended with ${child.exitCode ?? child.signalCode}: ${said.trim()}`);
}
