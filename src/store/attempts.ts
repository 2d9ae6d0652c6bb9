/**
 * Calls to an object store, which answers late, not at all, or that it is busy: each attempt has a time limit, what
 * may help is tried again after a pause, and only so many run at once.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { AppError } from '../errors.ts';

export type AttemptLimits = {
  /** Within which an attempt that moves no content is answered, and one that does makes progress. */
  readonly timeoutMs: number;
  readonly attempts: number;
  /** Calls at once; others wait for their turn, with their clock not running yet. */
  readonly concurrency: number;
};

/** Below this rate an attempt that moves content is given up. */
const leastBytesPerMs = 512;
const firstPauseMs = 100;
const longestPauseMs = 3000;

/** The part of the errors of the SDK that says what the store answered; without a status it did not. */
type Answer = { readonly name?: string; readonly $metadata?: { readonly httpStatusCode?: number } };

/** The status that the store answered with; null when no answer came. */
export function statusOf(error: unknown): number | null {
  return (error as Answer).$metadata?.httpStatusCode ?? null;
}

/** The store's own name of a failure, such as `NoSuchBucket`. */
export function nameOf(error: unknown): string {
  return (error as Answer).name ?? '';
}

/** Whether the same call may be answered otherwise a little later. */
function isPassing(error: unknown): boolean {
  // A mistake of ours, or in the settings, is the same every time.
  if (error instanceof TypeError || error instanceof RangeError || nameOf(error) === noCredentials)
    return false;
  const status = statusOf(error);
  if (status === null || status >= 500 || status === 429 || status === 408) return true;
  return ['RequestTimeout', 'SlowDown', 'RequestTimeTooSkewed'].includes(nameOf(error));
}

const noCredentials = 'CredentialsProviderError';

const fullNames = ['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull', 'StorageFull'];

/** What the user is told when a call has failed for good; the error itself is its cause, for the log. */
export function storeFailure(operation: string, error: unknown): AppError {
  const status = statusOf(error);
  const name = nameOf(error);
  if (status === 507 || fullNames.includes(name))
    return new AppError('store_full', `The object store has no room left (${name}).`, undefined, {
      cause: error,
    });
  if (name === noCredentials)
    return new AppError('store_unavailable', 'There are no credentials for the object store.', undefined, {
      cause: error,
    });
  const detail =
    status === null
      ? `The object store did not answer ${operation}.`
      : `The object store answered ${operation} with ${status} ${name}.`;
  return new AppError('store_unavailable', detail, undefined, { cause: error });
}

export class Attempts {
  readonly #limits: AttemptLimits;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limits: AttemptLimits) {
    this.#limits = limits;
  }

  get timeoutMs(): number {
    return this.#limits.timeoutMs;
  }

  /**
   * Runs a call until it is answered. `movedBytes`: how much it sends. What the store answers for good is thrown
   * as it is; throws `store_unavailable` when it never answers.
   */
  async run<T>(operation: string, send: (signal: AbortSignal) => Promise<T>, movedBytes = 0): Promise<T> {
    const limitMs = this.#limits.timeoutMs + movedBytes / leastBytesPerMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#inTurn(() => withinTime(send, limitMs));
      } catch (error) {
        if (nameOf(error) === noCredentials) throw storeFailure(operation, error);
        if (!isPassing(error)) throw error;
        if (attempt >= this.#limits.attempts) throw storeFailure(operation, error);
      }
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** attempt);
      // Those that failed together do not come back together.
      await wait(pauseMs / 2 + (Math.random() * pauseMs) / 2);
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limits.concurrency)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      // Whoever waits takes this turn over.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

/** The limit holds until the answer is there: a body that is still to come goes on. */
async function withinTime<T>(send: (signal: AbortSignal) => Promise<T>, limitMs: number): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), limitMs);
  try {
    return await send(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
