/**
 * liblzma, compiled to WebAssembly: the decoder that dpkg, apt and rpm use, without native code. It is driven
 * by pushing bytes in, so that a budget can stop it between any two steps.
 */
// eslint-disable-next-line no-restricted-imports -- loads the code of the decoder, as an import of it would
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import createModule from 'node-liblzma/wasm/liblzma.js';
import { AppError, type Place } from '../errors.ts';
import { limits } from './limits.ts';

/** What of the Emscripten module is used here; the package's own types stop short of it. */
export type Liblzma = {
  /** A new object whenever the memory has grown. */
  readonly HEAPU8: Uint8Array;
  readonly _malloc: (sizeBytes: number) => number;
  readonly _free: (address: number) => void;
  readonly _lzma_stream_decoder: (stream: number, memoryBytes: bigint, flags: number) => number;
  readonly _lzma_auto_decoder: (stream: number, memoryBytes: bigint, flags: number) => number;
  readonly _lzma_code: (stream: number, action: number) => number;
  readonly _lzma_end: (stream: number) => void;
  readonly _lzma_stream_buffer_encode: (
    ...of: [
      filters: number,
      check: number,
      allocator: number,
      input: number,
      inputBytes: number,
      output: number,
      outputPosition: number,
      outputBytes: number,
    ]
  ) => number;
};

type WasmApi = {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: unknown) => { readonly exports: unknown };
};

/** The foreign boundary: neither WebAssembly nor the module is typed for Node. */
const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WasmApi };
const create = createModule as unknown as (options: {
  instantiateWasm: (imports: unknown, done: (instance: unknown) => void) => unknown;
}) => Promise<Liblzma>;

const compiled = new WebAssembly.Module(
  readFileSync(fileURLToPath(import.meta.resolve('node-liblzma/wasm/liblzma.wasm'))),
);

/** `lzma_ret` of lzma/base.h. */
const ret = { ok: 0, streamEnd: 1, memory: 5, memoryLimit: 6, buffer: 10 } as const;

/** `lzma_stream` on a 32-bit machine: where its members lie, and its size. */
const at = { nextIn: 0, availableIn: 4, nextOut: 16, availableOut: 20, size: 136 } as const;

/** Bytes of compressed input that one `push` takes. */
export const inputBytes = 64 * 1024;
const outputBytes = 256 * 1024;

/** One instance with its buffers. An instance decodes one stream at a time. */
type Engine = {
  readonly lzma: Liblzma;
  readonly stream: number;
  readonly input: number;
  readonly output: number;
};

/** A fresh instance, with a memory of its own. */
export async function createLiblzma(): Promise<Liblzma> {
  return await create({
    instantiateWasm: (imports, done) => {
      const instance = new WebAssembly.Instance(compiled, imports);
      done(instance);
      return instance.exports;
    },
  });
}

async function createEngine(): Promise<Engine> {
  const lzma = await createLiblzma();
  return {
    lzma,
    stream: lzma._malloc(at.size),
    input: lzma._malloc(inputBytes),
    output: lzma._malloc(outputBytes),
  };
}

/**
 * Instances kept for the next package. WebAssembly memory never shrinks, so one that had to grow for a large
 * dictionary is dropped; a fresh one costs a tenth of a millisecond.
 */
const idle: Engine[] = [];
const maxIdle = 4;
const maxIdleMemoryBytes = 32 * 1024 * 1024;

export type LzmaFormat = 'xz' | 'lzma';

export class LzmaDecoder {
  readonly #engine: Engine;
  readonly #struct: StreamStruct;
  readonly #place: Place;
  /** True once the stream has ended, checks included. */
  finished = false;
  /** How many bytes of the last push were behind the end of the stream. */
  unread = 0;

  private constructor(engine: Engine, place: Place) {
    this.#engine = engine;
    this.#struct = new StreamStruct(engine);
    this.#place = place;
  }

  static async create(format: LzmaFormat, place: Place): Promise<LzmaDecoder> {
    const engine = idle.pop() ?? (await createEngine());
    const { lzma, stream } = engine;
    lzma.HEAPU8.fill(0, stream, stream + at.size);
    const init = format === 'xz' ? lzma._lzma_stream_decoder : lzma._lzma_auto_decoder;
    const status = init(stream, BigInt(limits.xzMemoryBytes), 0);
    if (status !== ret.ok) throw new Error(`liblzma does not start: ${status}`);
    return new LzmaDecoder(engine, place);
  }

  /** Decodes at most `inputBytes` bytes and yields what comes of them, in pieces of at most 256 KiB. */
  *push(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    const { lzma, stream, input, output } = this.#engine;
    lzma.HEAPU8.set(bytes, input);
    this.#struct.set(at.nextIn, input);
    this.#struct.set(at.availableIn, bytes.length);
    for (;;) {
      this.#struct.set(at.nextOut, output);
      this.#struct.set(at.availableOut, outputBytes);
      const status = lzma._lzma_code(stream, 0);
      const made = outputBytes - this.#struct.get(at.availableOut);
      if (made > 0) yield lzma.HEAPU8.slice(output, output + made);
      if (status === ret.streamEnd) {
        this.finished = true;
        this.unread = this.#struct.get(at.availableIn);
        return;
      }
      // "No progress possible" only says here that all input is used up.
      if (status !== ret.ok && status !== ret.buffer) throw this.#failure(status);
      if (made < outputBytes && this.#struct.get(at.availableIn) === 0) return;
    }
  }

  #failure(status: number): AppError {
    const part = this.#place.part ?? 'The data';
    if (status === ret.memory || status === ret.memoryLimit)
      return new AppError(
        'decompression_bomb',
        `${part} needs more than ${limits.xzMemoryBytes} bytes of memory to unpack.`,
        this.#place,
      );
    const cause = new Error(`lzma_ret ${status}`);
    return new AppError('compressed_data', `${part} is not intact xz or lzma data.`, this.#place, { cause });
  }

  /** Gives the decoder's memory back. Must be called once, whatever happened. */
  close(): void {
    this.#engine.lzma._lzma_end(this.#engine.stream);
    if (idle.length < maxIdle && this.#engine.lzma.HEAPU8.length <= maxIdleMemoryBytes)
      idle.push(this.#engine);
  }
}

/** The members of an engine's `lzma_stream`. */
class StreamStruct {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  #view(): DataView {
    const heap = this.#engine.lzma.HEAPU8;
    return new DataView(heap.buffer, this.#engine.stream, at.size);
  }

  get(member: number): number {
    return this.#view().getUint32(member, true);
  }

  set(member: number, value: number): void {
    this.#view().setUint32(member, value, true);
  }
}
