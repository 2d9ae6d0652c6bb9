/** Threads that read uploaded packages, one package at a time each, ended when they outlive their budget. */
import { Worker } from 'node:worker_threads';
import { AppError, type ErrorCode, type Place } from '../errors.ts';
import type { Entry, PackageSignatures, PoolPlace, SignatureTargets } from '../formats/format.ts';
import type { FormatName, PackageFacts } from '../formats/package.ts';
import type { JudgedSignature } from './signing-policy.ts';

export type ReadRequest = {
  readonly kind: 'read';
  readonly format: FormatName;
  readonly path: string;
  /** Where the package is kept if it is taken. */
  readonly place: PoolPlace;
  /** The keys, armoured, that the package's own signatures are held against; null when they do not matter. */
  readonly producerKeys: readonly string[] | null;
};
export type ReadResult = {
  readonly facts: Omit<PackageFacts, 'files'>;
  /** The package's files as JSON, some at a time: hundreds of thousands at once would hold up who takes them. */
  readonly files: readonly Uint8Array[];
  readonly coreSha256: string;
  /** The key that the file has in the store, unless that is taken. */
  readonly key: string;
  /** What is to be signed inside the package; null when the format signs its metadata only. */
  readonly targets: SignatureTargets | null;
  /** Those that the package came with; empty when nobody asked. */
  readonly signatures: readonly JudgedSignature[];
  /** The package sealed under that key, where nothing has to be signed before: most are, and asked for no more. */
  readonly sealed: SealResult | null;
};

export type SealRequest = {
  readonly kind: 'seal';
  /** The key that the file will have in the store. */
  readonly key: string;
  /** What keeps it apart from another identity with the same file name. */
  readonly distinct: string | undefined;
  readonly signatures: PackageSignatures | null;
};
export type SealResult = {
  /** The local file to be served: the staged one, or the signed one beside it. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly md5: string;
  readonly entries: readonly Entry[];
  /** What the signing replaced, so that the uploaded file can be rebuilt; null when nothing was. */
  readonly originalHead: Uint8Array | null;
};

export type CheckRequest = {
  readonly kind: 'check';
  readonly format: FormatName;
  /** The kind of a document beside the packages. */
  readonly document: string;
  readonly path: string;
};

export type Failure = {
  readonly failed: {
    readonly code: ErrorCode | null;
    readonly detail: string;
    readonly place: Place | undefined;
    readonly stack: string | null;
    /** What the system said: ENOSPC when the disk is full. */
    readonly errno: string | null;
  };
};

/** What ends the thread with the package: it may be in any state. */
const endsThread: ReadonlySet<ErrorCode> = new Set(['intake_timeout', 'intake_memory']);

/** A thread that is one upload's until it is released. */
export type PackageReader = {
  readonly read: (reading: Omit<ReadRequest, 'kind'>) => Promise<ReadResult>;
  /** Makes the package that was read last into the one to be served, and renders its index entries. */
  readonly seal: (sealing: Omit<SealRequest, 'kind'>) => Promise<SealResult>;
  /** Checks a document. Throws what the check of its format throws. */
  readonly checkDocument: (check: Omit<CheckRequest, 'kind'>) => Promise<void>;
  readonly release: () => void;
};

/** Enough for the largest header and file list that the limits allow, and far from the machine's memory. */
const defaultHeapMiB = 512;
/** For new objects, of which a package of the usual size makes few: more would be kept for ever by each thread. */
const youngHeapMiB = 16;

export class PackageReaders {
  readonly #timeoutMs: number;
  readonly #size: number;
  readonly #heapMiB: number;
  readonly #idle: Worker[] = [];
  readonly #queue: ((worker: Worker) => void)[] = [];
  #alive = 0;

  constructor(options: { size: number; timeoutMs: number; heapMiB?: number }) {
    this.#heapMiB = options.heapMiB ?? defaultHeapMiB;
    this.#size = options.size;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Waits for a free thread. */
  async lease(): Promise<PackageReader> {
    const worker = this.#idle.pop() ?? (this.#alive < this.#size ? this.#spawn() : await this.#next());
    let broken = false;
    let released = false;
    const ask = async <T>(message: ReadRequest | SealRequest | CheckRequest): Promise<T> => {
      try {
        return await this.#ask<T>(worker, message);
      } catch (error) {
        // A coded error is the package's fault; anything else may have left the thread in any state.
        broken = !(error instanceof AppError) || endsThread.has(error.code);
        throw error;
      }
    };
    return {
      read: (reading) => ask<ReadResult>({ kind: 'read', ...reading }),
      seal: (sealing) => ask<SealResult>({ kind: 'seal', ...sealing }),
      checkDocument: async (check) => {
        await ask<null>({ kind: 'check', ...check });
      },
      release: () => {
        if (!released) this.#release(worker, broken);
        released = true;
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  #spawn(): Worker {
    this.#alive += 1;
    const worker = new Worker(new URL('./package-reader-worker.ts', import.meta.url), {
      // The heap is for the package: what the process was started with, a test's loader among it, stays outside.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMiB, maxYoungGenerationSizeMb: youngHeapMiB },
    });
    // An error of a thread in use is met by the one who asked; without a listener it would end the process.
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      this.#alive -= 1;
      const index = this.#idle.indexOf(worker);
      if (index >= 0) this.#idle.splice(index, 1);
      // Who came while the last threads were being ended waits for nobody else.
      if (this.#alive < this.#size) this.#queue.shift()?.(this.#spawn());
    });
    worker.unref();
    return worker;
  }

  #next(): Promise<Worker> {
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  #release(worker: Worker, broken: boolean): void {
    if (broken) void worker.terminate();
    const waiting = this.#queue.shift();
    if (waiting) waiting(broken ? this.#spawn() : worker);
    else if (!broken) this.#idle.push(worker);
  }

  async #ask<T>(worker: Worker, message: ReadRequest | SealRequest | CheckRequest): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        settle();
        reject(
          new AppError(
            'intake_timeout',
            `The package was not read within ${this.#timeoutMs / 1000} seconds.`,
          ),
        );
      }, this.#timeoutMs);
      const onMessage = (result: T | Failure): void => {
        settle();
        if (typeof result === 'object' && result !== null && 'failed' in result) reject(failedWith(result));
        else resolve(result);
      };
      const onError = (error: unknown): void => {
        settle();
        if (!(error instanceof Error)) reject(new Error(String(error)));
        else if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') reject(error);
        else
          reject(new AppError('intake_memory', `Reading the package took more than ${this.#heapMiB} MiB.`));
      };
      const onExit = (code: number): void => onError(new Error(`the reading thread ended with ${code}`));
      const settle = (): void => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      worker.postMessage(message);
    });
  }
}

function failedWith({ failed }: Failure): Error {
  if (failed.code !== null) return new AppError(failed.code, failed.detail, failed.place);
  const error: NodeJS.ErrnoException = new Error(failed.detail);
  if (failed.errno !== null) error.code = failed.errno;
  if (failed.stack !== null) error.stack = failed.stack;
  return error;
}
