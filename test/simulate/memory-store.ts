/**
 * A published tree in memory: a whole store, which passes the same contract as the others and costs next to
 * nothing. What it holds is apart from it, so that it outlives the one who wrote it, as a disk does.
 */
import { readFileSync, rmSync } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { oneByOne, placeOneByOne } from '../../src/store/one-by-one.ts';
import type {
  ByteRange,
  VisibleFiles,
  NewNames,
  StagedFile,
  StagedVisible,
  Store,
  StoredFile,
  StoredKey,
} from '../../src/store/store.ts';

type File = { readonly bytes: Buffer; readonly lastModifiedMs: number };
type Alias = { readonly target: string; readonly lastModifiedMs: number };

export type Disk = Map<string, File | Alias>;

/** As many as Linux follows before it says ELOOP. */
const maxAliases = 40;

/** The name that is left when every alias on the way is followed; null when they lead in a circle. */
function follow(disk: Disk, key: string): string | null {
  let name = key;
  for (let turn = 0; turn <= maxAliases; turn++) {
    const next = followOnce(disk, name);
    if (next === name) return name;
    name = next;
  }
  return null;
}

function followOnce(disk: Disk, name: string): string {
  for (let at = name.indexOf('/'); ; at = name.indexOf('/', at + 1)) {
    const found = disk.get(at === -1 ? name : name.slice(0, at));
    if (found && 'target' in found) return found.target + (at === -1 ? '' : name.slice(at));
    if (at === -1) return name;
  }
}

function checked(key: string): string {
  if (key.startsWith('/') || key.split('/').includes('..') || key.includes('\0'))
    throw new RangeError(`not a key of the store: ${JSON.stringify(key)}`);
  return key;
}

function opened({ bytes, lastModifiedMs }: File): StoredFile {
  return {
    sizeBytes: bytes.length,
    lastModifiedMs,
    stream: (range?: ByteRange) =>
      Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes], { objectMode: false }),
    bytes: () => Promise.resolve(bytes),
    close: () => Promise.resolve(),
  };
}

/* eslint-disable @typescript-eslint/require-await -- the others have to wait for their disk */
export class MemoryStore implements Store {
  readonly #disk: Disk;
  readonly #now: () => number;

  constructor(disk: Disk, now: () => number) {
    this.#disk = disk;
    this.#now = now;
  }

  async putImmutable(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    this.#put(key, Buffer.concat(chunks), this.#now());
  }

  async putImmutableFile(key: string, source: string): Promise<void> {
    checked(key);
    this.#put(key, readFileSync(source), this.#now());
    rmSync(source);
  }

  stage(chunks: readonly Uint8Array[]): StagedFile {
    return {
      place: (key) => this.putImmutable(key, chunks),
      discard: () => Promise.resolve(),
    };
  }

  async putPointer(key: string, bytes: Uint8Array, lastModifiedMs: number): Promise<void> {
    this.#put(key, Buffer.from(bytes), lastModifiedMs);
  }

  async placeAll(names: NewNames): Promise<void> {
    await placeOneByOne(names, { putAlias: this.putAlias.bind(this) });
  }

  stageVisible(files: VisibleFiles): StagedVisible {
    return oneByOne(files, { putAlias: this.putAlias.bind(this), putPointer: this.putPointer.bind(this) });
  }

  async putAlias(key: string, target: string): Promise<void> {
    const name = this.#nameFor(key);
    checked(target);
    this.#disk.set(name, { target, lastModifiedMs: this.#now() });
  }

  async open(key: string): Promise<StoredFile | null> {
    const name = follow(this.#disk, checked(key));
    const found = name === null ? undefined : this.#disk.get(name);
    return found && 'bytes' in found ? opened(found) : null;
  }

  async *list(prefix: string): AsyncIterable<StoredKey> {
    checked(prefix);
    const folder = prefix === '' ? '' : `${prefix}/`;
    for (const [key, file] of this.#disk) {
      if (!key.startsWith(folder)) continue;
      const { lastModifiedMs } = file;
      if ('target' in file) yield { key, kind: 'alias', sizeBytes: 0, lastModifiedMs };
      else yield { key, kind: 'file', sizeBytes: file.bytes.length, lastModifiedMs };
    }
  }

  async delete(key: string): Promise<void> {
    this.#disk.delete(this.#nameFor(key));
  }

  #put(key: string, bytes: Buffer, lastModifiedMs: number): void {
    this.#disk.set(this.#nameFor(key), { bytes, lastModifiedMs });
  }

  /** The name behind the aliases of its folders; one of its own is what is replaced or deleted. */
  #nameFor(key: string): string {
    const folder = posix.dirname(checked(key));
    if (folder === '.') return key;
    const name = follow(this.#disk, folder);
    if (name === null) throw new RangeError(`aliases in a circle: ${key}`);
    return posix.join(name, posix.basename(key));
  }
}
