/** strace on single threads of a process: what they call, and what happens to them when they do. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

/** The thread that runs JavaScript and SQLite, and the one of the pool that does what is asynchronous. */
export type Thread = 'main' | 'pool';

/** Of a process with UV_THREADPOOL_SIZE=1, which has used it. */
export function threadsOf(pid: number): Record<Thread, number> {
  const pool = readdirSync(`/proc/${pid}/task`).filter(
    (tid) => readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim() === 'libuv-worker',
  );
  if (pool.length !== 1) throw new Error(`the process has ${pool.length} threads in its pool`);
  return { main: pid, pool: Number(pool[0]) };
}

const everyCall =
  'openat,read,pread64,readv,write,pwrite64,writev,close,fsync,fdatasync,ftruncate,fallocate,rename,renameat2,' +
  'link,symlink,readlink,unlink,unlinkat,mkdir,rmdir,chmod,fchmod,fchown,utimensat,stat,lstat,fstat,newfstatat,' +
  'statx,access,getdents64,fcntl,flock,copy_file_range,sendfile';

/** Those that change what a disk holds: a process that is killed before another call leaves the same. */
export const changingCalls = new Set(
  'write,pwrite64,writev,fsync,fdatasync,ftruncate,fallocate,rename,renameat2,link,symlink,unlink,unlinkat,mkdir,rmdir,chmod,fchmod,fchown,utimensat,copy_file_range,sendfile'.split(
    ',',
  ),
);

export type Attached = { readonly detach: () => Promise<void> };

async function attach(pid: number, args: readonly string[]): Promise<Attached> {
  const child: ChildProcess = spawn('strace', ['-p', String(pid), '-y', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  });
  const gone = once(child, 'exit');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('attached')) resolve();
    });
    void gone.then(() => reject(new Error(`strace ended: ${said}`)));
  });
  return {
    detach: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
      await gone;
    },
  };
}

/** Writes every call of a thread into a file. */
export async function record(tid: number, output: string): Promise<Attached> {
  return await attach(tid, ['-e', `trace=${everyCall}`, '-o', output]);
}

export type Injury = 'SIGKILL' | 'EIO' | 'ENOSPC';

/** Lets the `when`th call of this name by this thread be its last, or fail. */
export async function injure(
  tid: number,
  point: { readonly call: string; readonly when: number; readonly injury: Injury },
  output: string,
): Promise<Attached> {
  const what = point.injury === 'SIGKILL' ? 'signal=SIGKILL' : `error=${point.injury}`;
  const inject = `inject=${point.call}:${what}:when=${point.when}`;
  return await attach(tid, ['-e', `trace=${point.call}`, '-e', inject, '-o', output]);
}

export type Call = {
  readonly name: string;
  /** As strace shows them, with the paths of file descriptors. */
  readonly text: string;
};

export function parseRecord(path: string): Call[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text) => {
      const name = /^(\w+)\(/.exec(text)?.[1];
      return name === undefined ? [] : [{ name, text }];
    });
}

/** The call that was met, as strace saw it; null when it did not come to that. */
export function injuredCall(path: string): string | null {
  const lines = readFileSync(path, 'utf8').split('\n');
  const at = lines.findIndex((line) => /\(INJECTED\)|\) += \?$/.test(line));
  return lines[at] ?? null;
}
