/** Timing of whole programs and of our server, with what the kernel accounts for them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Cost = { readonly wallMs: number; readonly cpuMs: number; readonly peakKiB: number };

/**
 * Runs a shell script and says what it took: wall time seen from here, CPU time of it and all it started, and the
 * largest resident set among them (GNU time).
 */
export async function costOf(script: string, env: Record<string, string>, cwd: string): Promise<Cost> {
  const dir = mkdtempSync(join(tmpdir(), 'entrepot-cost-'));
  const report = join(dir, 'time');
  const started = performance.now();
  const child = spawn('/usr/bin/time', ['-f', '%U %S %M', '-o', report, 'sh', '-ec', script], {
    cwd,
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    });
  const [code] = (await once(child, 'close')) as [number];
  const wallMs = performance.now() - started;
  if (code !== 0) throw new Error(`${script}\nended with ${code}:\n${output}`);
  const [user = 0, system = 0, peakKiB = 0] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
  rmSync(dir, { recursive: true });
  return { wallMs, cpuMs: (user + system) * 1000, peakKiB };
}

/** CPU time of a process so far, to the microsecond, and its peak resident set (proc(5)). */
export function processCost(pid: number): { cpuMs: number; peakKiB: number } {
  let cpuNs = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const [ran = 0] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ').map(Number);
    cpuNs += ran;
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return { cpuMs: cpuNs / 1e6, peakKiB: Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}

/** From the first to the third quartile. */
export function spread(values: readonly number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return [at(0.25), at(0.75)];
}
