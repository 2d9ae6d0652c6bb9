/** The thread that writes xz blocks. */
import { takeBlock, type XzBlock } from '../index/xz.ts';
import { Thread } from './thread.ts';

export type XzTexts = readonly Uint8Array[];

export class XzThread {
  readonly #thread = new Thread<XzTexts, readonly Uint8Array[]>(
    new URL('./xz-thread-worker.ts', import.meta.url),
  );

  /** The blocks of a text that comes in pieces of shared memory: one, or several when it is long. */
  async encode(texts: XzTexts): Promise<readonly XzBlock[]> {
    return (await this.#thread.ask(texts)).map(takeBlock);
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
