/**
 * Interrupts operations at single system calls: the process is killed there, or the call fails. After each, what
 * is there is looked at as machines see it, then the server is started on it, and looked at again.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import {
  copyOf,
  look,
  prepare,
  quickDir,
  remove,
  restart,
  type Found,
  type OperationName,
} from './operations.ts';
import {
  changingCalls,
  injure,
  injuredCall,
  parseRecord,
  record,
  threadsOf,
  type Injury,
  type Thread,
} from './strace.ts';

export type Point = {
  readonly operation: OperationName;
  readonly injury: Injury;
  readonly thread: Thread;
  readonly call: string;
  /** The how manyeth call of this name by this thread. */
  readonly when: number;
  /** The call as it was when nothing happened. */
  readonly text: string;
};

export type Outcome = {
  readonly point: Point;
  /** `missed`: it did not come to that call. */
  readonly end: 'done' | 'refused' | 'killed' | 'ended' | 'missed';
  readonly problems: readonly string[];
};

/** A process that does operations until something ends it. */
class Driver {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string, undefined>;
  readonly gone: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(cacheDir: string) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'driver.ts')], {
      env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '1', NODE_COMPILE_CACHE: cacheDir },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.stdin.on('error', () => undefined);
    this.gone = once(this.#child, 'exit').then(() => ({
      code: this.#child.exitCode,
      signal: this.#child.signalCode,
    }));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Null when the process has ended. */
  async hear(): Promise<string | null> {
    const line: IteratorResult<string, undefined> = await this.#lines.next();
    return line.value ?? null;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.gone;
  }
}

export class Sweep {
  readonly #folder = quickDir();
  readonly #template = join(this.#folder, 'template');
  #before: Found | undefined;
  readonly #after = new Map<OperationName, Found>();
  readonly #idle: Driver[] = [];

  async prepare(): Promise<void> {
    await prepare(this.#template);
    this.#before = await look(this.#template);
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.map((driver) => driver.end()));
    remove(this.#folder);
  }

  /** Every point of an operation, found by watching it. */
  async points(operation: OperationName): Promise<Point[]> {
    const dataDir = copyOf(this.#template, this.#folder);
    const driver = this.#take();
    driver.say(JSON.stringify({ dataDir, operation }));
    await driver.hear();
    const threads = threadsOf(driver.pid);
    const points: Point[] = [];
    const watched = [];
    for (const thread of ['main', 'pool'] as const) {
      const output = join(this.#folder, `${operation} ${thread}`);
      watched.push({ thread, output, tracer: await record(threads[thread], output) });
    }
    driver.say('go');
    const answer = await driver.hear();
    if (answer !== 'done') throw new Error(`${operation}: ${answer ?? 'the process ended'}`);
    for (const { tracer } of watched) await tracer.detach();
    await this.#release(driver);
    for (const { thread, output } of watched) {
      const counts = new Map<string, number>();
      for (const { name, text } of parseRecord(output)) {
        const when = (counts.get(name) ?? 0) + 1;
        counts.set(name, when);
        if (!text.includes(dataDir)) continue;
        const shown = text.replaceAll(dataDir, '');
        for (const injury of injuriesOf(name, text))
          points.push({ operation, injury, thread, call: name, when, text: shown });
      }
    }
    const { faults, found } = await restart(dataDir);
    if (faults.length > 0) throw new Error(`${operation}, undisturbed: ${faults.join('; ')}`);
    this.#after.set(operation, found);
    remove(dataDir);
    return points;
  }

  async try(point: Point): Promise<Outcome> {
    const dataDir = copyOf(this.#template, this.#folder);
    try {
      const { end, problems } = await this.#strike(point, dataDir);
      return { point, end, problems: [...problems, ...(await this.#judge(point, dataDir, end))] };
    } finally {
      remove(dataDir);
    }
  }

  async #strike(point: Point, dataDir: string): Promise<Pick<Outcome, 'end' | 'problems'>> {
    const driver = this.#take();
    driver.say(JSON.stringify({ dataDir, operation: point.operation }));
    if ((await driver.hear()) !== 'ready') throw new Error('the driver did not start');
    const output = `${dataDir}.strace`;
    const tracer = await injure(threadsOf(driver.pid)[point.thread], point, output);
    driver.say('go');
    const answer = await driver.hear();
    await tracer.detach();
    const met = injuredCall(output);
    remove(output);
    if (answer !== null) await this.#release(driver);
    const { code, signal } = answer === null ? await driver.gone : { code: null, signal: null };
    const problems: string[] = [];
    const mustEnd = point.injury !== 'SIGKILL' && /^f(data)?sync$/.test(point.call) && !isLogsName(point);
    if (mustEnd && met !== null && code !== 74)
      problems.push(`went on after a failed ${point.call}: ${answer ?? signal}`);
    if (code !== null && code !== 74) problems.push(`ended with ${code}`);
    if (met === null) return { end: answer === 'done' ? 'missed' : 'refused', problems };
    if (answer === 'done') return { end: 'done', problems };
    if (answer !== null) return { end: 'refused', problems };
    return { end: signal === 'SIGKILL' ? 'killed' : 'ended', problems };
  }

  /** As machines find it at once, and after the next start. */
  async #judge(point: Point, dataDir: string, end: Outcome['end']): Promise<string[]> {
    const before = this.#before;
    const after = this.#after.get(point.operation);
    if (!before || !after) throw new Error('points come first');
    const problems: string[] = [];
    try {
      if (!isOneOf(await look(dataDir), before, after))
        problems.push('machines found neither the old nor the new');
      const { faults, found } = await restart(dataDir);
      problems.push(...faults.map((fault) => `fsck: ${fault}`));
      const done = end === 'done' || end === 'missed';
      if (done && !isDeepStrictEqual(found, after)) problems.push('what was answered is not there');
      if (!isOneOf(found, before, after)) problems.push('after the start it is neither the old nor the new');
      if (end === 'refused' && !isStuck(point) && !isDeepStrictEqual(found, before))
        problems.push('what was refused is there');
    } catch (error) {
      problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return problems;
  }

  #take(): Driver {
    return this.#idle.pop() ?? new Driver(join(this.#folder, 'compiled'));
  }

  /** Lets it close its server; one that ends on the way is not used again. */
  async #release(driver: Driver): Promise<void> {
    driver.say('close');
    if ((await driver.hear()) === 'closed') this.#idle.push(driver);
  }
}

/**
 * SQLite makes the name of its log durable when it first writes to it, and passes over a failure. Opening the
 * catalog has done it by then.
 */
const isLogsName = ({ thread, text }: Point): boolean => thread === 'main' && /^fsync\(\d+<>\)/.test(text);

/**
 * A lock that SQLite cannot give back: it lets nothing be written any more, not even the taking back of what could
 * not be published, and the next start publishes that.
 */
const isStuck = ({ call, text }: Point): boolean => call === 'fcntl' && text.includes('F_UNLCK');

function isOneOf(found: Found, ...states: readonly Found[]): boolean {
  return states.some((state) => isDeepStrictEqual(found, state));
}

/** Nothing more fits: for calls that would make something larger. */
const growing = new Set([
  'write',
  'pwrite64',
  'writev',
  'rename',
  'link',
  'symlink',
  'mkdir',
  'ftruncate',
  'fsync',
  'fdatasync',
]);

function injuriesOf(name: string, text: string): Injury[] {
  const creates = text.includes('O_CREAT');
  return [
    ...(changingCalls.has(name) || creates ? (['SIGKILL'] as const) : []),
    'EIO',
    ...(growing.has(name) || creates ? (['ENOSPC'] as const) : []),
  ];
}

export type Report = {
  readonly tried: number;
  /** Points by what was done to them and how the operation ended. */
  readonly ends: Readonly<Record<string, number>>;
  readonly troubles: readonly string[];
};

/** Tries points, several at a time; `tell` is called with each problem. */
export async function tryAll(
  sweep: Sweep,
  points: readonly Point[],
  { jobs, tell }: { jobs: number; tell?: (trouble: string) => void },
): Promise<Report> {
  const ends: Record<string, number> = {};
  const troubles: string[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let point = points[next++]; point; point = points[next++]) {
      const { end, problems } = await sweep.try(point);
      const kind = `${point.injury} ${end}`;
      ends[kind] = (ends[kind] ?? 0) + 1;
      if (problems.length === 0) continue;
      const { operation, injury, thread, when, call, text } = point;
      const trouble = `${operation}, ${injury} at ${thread} ${call} ${when}: ${text}\n  ${end}: ${problems.join('\n  ')}`;
      troubles.push(trouble);
      tell?.(trouble);
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  return { tried: points.length, ends, troubles };
}
