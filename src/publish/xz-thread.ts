/** The thread that writes xz blocks, started when the first is asked for. */
import { Worker } from 'node:worker_threads';
import { takeBlock, type XzBlock } from '../index/xz.ts';

export type XzRequest = { readonly id: number; readonly texts: readonly Uint8Array[] };
export type XzAnswer =
  | { readonly id: number; readonly streams: readonly Uint8Array[] }
  | { readonly id: number; readonly failed: string };

type Waiting = {
  readonly resolve: (streams: readonly Uint8Array[]) => void;
  readonly reject: (error: Error) => void;
};

export class XzThread {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** The blocks of a text that comes in pieces of shared memory: one, or several when it is long. */
  async encode(texts: readonly Uint8Array[]): Promise<readonly XzBlock[]> {
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#lastId;
    const streams = await new Promise<readonly Uint8Array[]>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, texts } satisfies XzRequest);
    });
    return streams.map(takeBlock);
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./xz-thread-worker.ts', import.meta.url));
    let failure: Error | undefined;
    worker.on('message', (answer: XzAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      // An idle thread does not keep the process.
      if (this.#waiting.size === 0) worker.unref();
      if ('failed' in answer) waiting?.reject(new Error(answer.failed));
      else waiting?.resolve(answer.streams);
    });
    worker.on('error', (error) => (failure = error instanceof Error ? error : new Error(String(error))));
    worker.once('exit', (code) => {
      this.#worker = undefined;
      const error = new Error(`the thread that writes xz ended with ${code}`, { cause: failure });
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
    return worker;
  }
}
