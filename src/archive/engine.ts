/** Drives the decoders of node:zlib, which are streams, so that their order of output and failure is fixed. */
import type { Transform } from 'node:stream';

/** Options for an engine: it may hold back one chunk of output at most, so that a failure loses none. */
export const engineOptions = { chunkSize: 128 * 1024, readableHighWaterMark: 1 } as const;

/**
 * Pushes input into a zlib stream, one array at a time, and gives back all that comes of it before it takes
 * more. A pipeline would read ahead: then whether a fault in the data or the end of the source is seen first
 * depends on timing, and output in its buffers is lost when the stream fails.
 */
export class Engine {
  readonly #stream: Transform;
  #failure: Error | null = null;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(stream: Transform) {
    this.#stream = stream;
    stream.on('error', (error: Error) => {
      this.#failure = error;
      this.#wake();
    });
    stream.on('readable', () => this.#wake());
    stream.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** True when the stream wants no more input: the compressed data is complete. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What comes of these bytes. Throws what the stream reports. */
  push(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    let taken = false;
    this.#stream.write(bytes, () => {
      taken = true;
      this.#wake();
    });
    return this.#drain(() => taken);
  }

  /** Says that there is no more input, and gives the rest of the output. */
  finish(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#stream.end();
    return this.#drain(() => false);
  }

  async *#drain(taken: () => boolean): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const output = this.#stream.read() as Uint8Array | null;
      if (output !== null) {
        yield output;
        continue;
      }
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended || taken()) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  close(): void {
    this.#stream.destroy();
  }
}
