import { AppError, type Place } from '../errors.ts';

const nothing = new Uint8Array(0);

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Reads bytes by need from a source that gives them in chunks of its own choice. What it returns and throws
 * depends on the bytes alone, never on where the chunks were cut: a parser that behaves differently behind a
 * slow connection is a parser that an uploader can steer.
 *
 * The arrays it returns are views of the source's chunks wherever one chunk holds them, so a source must not
 * reuse its buffers.
 */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  /** What is being read, for the places of errors. */
  readonly part: string;
  #chunk: Uint8Array = nothing;
  #at = 0;
  /** What came after `#chunk` while `peek` was joining, in order. */
  #later: Uint8Array[] = [];
  #ended = false;
  #offset = 0;

  constructor(source: AsyncIterable<Uint8Array>, part: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.part = part;
  }

  /** Bytes consumed so far. */
  get offset(): number {
    return this.#offset;
  }

  place(more?: Omit<Place, 'part'>): Place {
    return { part: this.part, offset: this.#offset, ...more };
  }

  async #pull(): Promise<Uint8Array | null> {
    const later = this.#later.shift();
    if (later !== undefined) return later;
    while (!this.#ended) {
      const next = await this.#source.next();
      if (next.done === true) this.#ended = true;
      else if (next.value.length > 0) return next.value;
    }
    return null;
  }

  /** Makes a chunk with unread bytes current; false at the end of the source. */
  async #fill(): Promise<boolean> {
    if (this.#at < this.#chunk.length) return true;
    const next = await this.#pull();
    this.#chunk = next ?? nothing;
    this.#at = 0;
    return next !== null;
  }

  /** True when every byte has been consumed. */
  async atEnd(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** The next `length` bytes, or fewer when the source ends before; nothing is consumed. */
  async peek(length: number): Promise<Uint8Array> {
    if (this.#chunk.length - this.#at < length) await this.#join(length);
    return this.#chunk.subarray(this.#at, this.#at + length);
  }

  async #join(length: number): Promise<void> {
    const parts: Uint8Array[] = [];
    let have = 0;
    if (this.#at < this.#chunk.length) {
      parts.push(this.#chunk.subarray(this.#at));
      have = this.#chunk.length - this.#at;
    }
    while (have < length) {
      const next = await this.#pull();
      if (next === null) break;
      // Only what is asked for is copied: chunks may be a mebibyte, and `length` sixteen bytes.
      const wanted = parts.length === 0 ? next : next.subarray(0, length - have);
      if (wanted.length < next.length) this.#later.unshift(next.subarray(wanted.length));
      parts.push(wanted);
      have += wanted.length;
    }
    const [only] = parts;
    this.#chunk = parts.length === 1 && only !== undefined ? only : joined(parts, have);
    this.#at = 0;
  }

  /** Marks bytes that `peek` has shown as read. */
  consume(length: number): void {
    this.#at += length;
    this.#offset += length;
  }

  /** The next `length` bytes if they are at hand already; for loops that would else await each small record. */
  tryRead(length: number): Uint8Array | null {
    if (this.#chunk.length - this.#at < length) return null;
    const bytes = this.#chunk.subarray(this.#at, this.#at + length);
    this.consume(length);
    return bytes;
  }

  /** The next `length` bytes, or fewer at the end of the source. */
  async readUpTo(length: number): Promise<Uint8Array> {
    const bytes = await this.peek(length);
    this.consume(bytes.length);
    return bytes;
  }

  /** Exactly `length` bytes. `what` names them in the error that a shorter source gives. */
  async read(length: number, what: string): Promise<Uint8Array> {
    const bytes = this.tryRead(length) ?? (await this.readUpTo(length));
    if (bytes.length < length) throw this.#truncated(what);
    return bytes;
  }

  async skip(length: number, what: string): Promise<void> {
    let left = length;
    while (left > 0) {
      if (!(await this.#fill())) throw this.#truncated(what);
      const step = Math.min(left, this.#chunk.length - this.#at);
      this.consume(step);
      left -= step;
    }
  }

  /** The next `length` bytes as they come. Whoever stops early leaves the rest unread. */
  async *stream(length: number, what: string): AsyncGenerator<Uint8Array, void, undefined> {
    let left = length;
    while (left > 0) {
      if (!(await this.#fill())) throw this.#truncated(what);
      const bytes = this.#chunk.subarray(this.#at, this.#at + left);
      this.consume(bytes.length);
      left -= bytes.length;
      yield bytes;
    }
  }

  #truncated(what: string): AppError {
    return new AppError('archive_truncated', `${this.part} ends within ${what}.`, this.place());
  }

  /** Tells the source that no more will be read. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#source.return?.();
  }
}
