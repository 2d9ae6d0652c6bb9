/** A thread that answers requests, started when the first comes; see `answerRequests` for its other side. */
import { parentPort, Worker, type ResourceLimits } from 'node:worker_threads';

type Request = { readonly id: number; readonly ask: unknown };
type Answer<Out> =
  { readonly id: number; readonly answer: Out } | { readonly id: number; readonly failed: string };

type Waiting<Out> = { readonly resolve: (answer: Out) => void; readonly reject: (error: Error) => void };

export class Thread<In, Out> {
  readonly #program: URL;
  readonly #resourceLimits: ResourceLimits;
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting<Out>>();
  #lastId = 0;

  /** `program` is a module that calls `answerRequests`. */
  constructor(program: URL, resourceLimits: ResourceLimits = {}) {
    this.#program = program;
    this.#resourceLimits = resourceLimits;
  }

  /** What is in shared memory is not copied. Rejects when the thread cannot answer, or ends. */
  async ask(ask: In): Promise<Out> {
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#lastId;
    return await new Promise<Out>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, ask } satisfies Request);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(this.#program, { resourceLimits: this.#resourceLimits });
    let failure: Error | undefined;
    worker.on('message', (message: Answer<Out>) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      // An idle thread does not keep the process.
      if (this.#waiting.size === 0) worker.unref();
      if ('failed' in message) waiting?.reject(new Error(message.failed));
      else waiting?.resolve(message.answer);
    });
    worker.on('error', (error) => (failure = error instanceof Error ? error : new Error(String(error))));
    worker.once('exit', (code) => {
      this.#worker = undefined;
      const error = new Error(`the thread of ${this.#program.pathname} ended with ${code}`, {
        cause: failure,
      });
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
    return worker;
  }
}

/** The other side, in the thread. What it is asked is what `ask` takes of the `Thread` that runs it. */
export function answerRequests(work: (ask: never) => Promise<unknown>): void {
  const answer = (message: Answer<unknown>): void => parentPort?.postMessage(message);
  parentPort?.on('message', ({ id, ask }: Request & { readonly ask: never }) => {
    work(ask).then(
      (result) => answer({ id, answer: result }),
      (error: unknown) => answer({ id, failed: String(error) }),
    );
  });
}
