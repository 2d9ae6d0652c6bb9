/** The command line as a user has it: one command of the real program, run to its end. */
import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

export const entryPoint = join(import.meta.dirname, '../src/entrepot.js');

const cache = process.env['NODE_COMPILE_CACHE'];

/** All that a program gets of the environment of the tests. What is compiled already is half of its start. */
export const ownEnvironment: Readonly<Record<string, string | undefined>> = {
  PATH: process.env['PATH'],
  ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }),
};

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type Running = {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once this has been written on either output; fails when the program ends without it. */
  readonly says: (pattern: RegExp) => Promise<string>;
};

/** Starts a command with these variables and no others of the user's. */
export function startCommand(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [entryPoint, ...args], {
    env: { ...ownEnvironment, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      written[name] += chunk.toString();
      for (const listener of listeners) listener();
    });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, ...written }));
  });
  const says = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = [written.stdout, written.stderr].find((text) => pattern.test(text));
        if (found !== undefined) resolve(found);
      };
      listeners.add(look);
      look();
      void ended.then(({ code, stdout, stderr }) => {
        look();
        reject(new Error(`ended with ${code} without ${String(pattern)}:\n${stdout}${stderr}`));
      });
    });
  return { child, ended, says };
}

export function runCommand(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return startCommand(args, variables).ended;
}

/** A few lines in a process of their own, with the root of the checkout as the folder that imports start from. */
export function runScript(script: string): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
