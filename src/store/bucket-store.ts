/**
 * The published tree in a bucket, as any S3 can serve it. What is special there:
 *
 * - There are no links. An alias is a small object below `.aliases/` that names its target, and, where the target
 *   is a file, a copy of it under the plain name, for those who read the bucket with no server of ours.
 * - A write that was given up may be carried out much later. Each is therefore made under a condition: nothing is
 *   there, or what was there when it began. One that comes too late finds something else and changes nothing.
 * - The store sets its own time: what a pointer's time is to be stands in its metadata.
 */
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { AppError } from '../errors.ts';
import { isImmutable, mediaType } from '../formats/tree.ts';
import { bodyOf, fileBody, type Body } from './body.ts';
import { checkKey } from './key.ts';
import { oneByOne, placeOneByOne } from './one-by-one.ts';
import type { Bucket, Condition, ObjectForm, ObjectHead } from './s3.ts';
import type {
  ByteRange,
  VisibleFiles,
  NewNames,
  StagedFile,
  StagedVisible,
  Store,
  StoredFile,
  StoredKey,
} from './store.ts';

/** Outside of every folder that is served. */
const aliasFolder = '.aliases';
const aliasKey = (key: string): string => `${aliasFolder}/${key}`;

/** What comes with the first request for an object: pointers and small metadata need no second one. */
const firstBytes = 64 * 1024;
/** A file that is larger is sent in parts, which are sent again each by itself. */
const partBytes = 32 * 2 ** 20;
/** Writers of one key at once that one of them gives way to. */
const maxRaces = 50;
/** As many as Linux follows before it says ELOOP. */
const maxAliases = 40;
/** Times that a download is taken up again after it broke off. */
const maxResumes = 5;
/** More than this apart, two clocks say nothing about what is of one second. */
const clockSkewMs = 5000;

const yearSeconds = 365 * 86_400;

export type BucketStoreOptions = {
  /**
   * Least time between two contents of a pointer. Machines that read the bucket itself revalidate by the time that
   * the store gave it, in whole seconds (apt knows no other way): 1000 keeps two contents out of one second.
   */
  readonly pointerSpacingMs: number;
  /** Where else files are: `off`, at the store by URLs of its own (`presigned`), or below a URL. */
  readonly elsewhere: string;
};

export class BucketStore implements Store {
  readonly #bucket: Bucket;
  readonly #pointerSpacingMs: number;
  readonly #elsewhere: string;

  constructor(bucket: Bucket, { pointerSpacingMs, elsewhere }: BucketStoreOptions) {
    this.#bucket = bucket;
    this.#pointerSpacingMs = pointerSpacingMs;
    this.#elsewhere = elsewhere;
  }

  async putImmutable(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    const body = bodyOf(chunks);
    const form = formOf(checkKey(key), { sha256: body.sha256 });
    await this.#write(key, { absent: true }, form, (condition) =>
      this.#bucket.put(key, body, form, condition),
    );
  }

  async putImmutableFile(key: string, path: string): Promise<void> {
    checkKey(key);
    const file = await fileBody(path, partBytes);
    const form = formOf(key, { sha256: file.sha256 });
    await this.#write(key, { absent: true }, form, (condition) =>
      file.parts.length > 1
        ? this.#bucket.putParts(key, file, form, condition)
        : this.#bucket.put(key, file, form, condition),
    );
    await rm(path, { force: true });
  }

  stage(chunks: readonly Uint8Array[]): StagedFile {
    // An object has its key from its first byte on.
    return { place: (key) => this.putImmutable(key, chunks), discard: () => Promise.resolve() };
  }

  async putPointer(key: string, bytes: Uint8Array, lastModifiedMs: number): Promise<void> {
    const old = await this.#bucket.head(checkKey(key));
    if (old) await this.#spaceFrom(old.lastModifiedMs);
    await this.#replace(key, old, bodyOf([bytes]), { mtime: String(lastModifiedMs) });
  }

  async placeAll(names: NewNames): Promise<void> {
    await placeOneByOne(names, { putAlias: this.putAlias.bind(this) });
  }

  stageVisible(files: VisibleFiles): StagedVisible {
    return oneByOne(files, { putAlias: this.putAlias.bind(this), putPointer: this.putPointer.bind(this) });
  }

  async putAlias(key: string, target: string): Promise<void> {
    checkKey(key);
    checkKey(target);
    const name = aliasKey(key);
    const old = await this.#bucket.head(name);
    if (old?.metadata['target'] !== encodeURIComponent(target))
      await this.#replace(name, old, bodyOf([Buffer.from(target)]), { target: encodeURIComponent(target) });
    const shown = await this.#bucket.head(key);
    if (shown?.metadata['target'] === encodeURIComponent(target)) return;
    const file = await this.#bucket.head(target);
    // A folder, or a file that is still to come: `open` follows the name.
    if (!file) {
      if (shown) await this.#bucket.delete(key);
      return;
    }
    const sha256 = file.metadata['sha256'] ?? '';
    await this.#bucket.copy(target, key, formOf(key, { sha256, target: encodeURIComponent(target) }));
  }

  async open(key: string): Promise<StoredFile | null> {
    let name = checkKey(key);
    for (let turn = 0; turn <= maxAliases; turn++) {
      const file = await this.#openObject(name);
      if (file) return file;
      const next = await this.#follow(name);
      if (next === null) return null;
      name = next;
    }
    return null;
  }

  async *list(prefix: string): AsyncGenerator<StoredKey> {
    const folder = checkKey(prefix) === '' ? '' : `${prefix}/`;
    const aliases = new Set<string>();
    for await (const { key, lastModifiedMs } of this.#bucket.list(aliasKey(folder))) {
      const name = key.slice(aliasFolder.length + 1);
      aliases.add(name);
      yield { key: name, kind: 'alias', sizeBytes: 0, lastModifiedMs };
    }
    for await (const { key, sizeBytes, lastModifiedMs } of this.#bucket.list(folder))
      if (!aliases.has(key) && !key.startsWith(`${aliasFolder}/`))
        yield { key, kind: 'file', sizeBytes, lastModifiedMs };
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    // The plain copy first: an alias that is half deleted is found and deleted again by its name.
    await this.#bucket.delete(key);
    await this.#bucket.delete(aliasKey(key));
  }

  /** Replaces what stands under a key, which was `old`. */
  async #replace(
    key: string,
    old: ObjectHead | null,
    body: Body,
    metadata: Readonly<Record<string, string>>,
  ): Promise<void> {
    const form = formOf(key, { ...metadata, sha256: body.sha256 });
    await this.#write(key, conditionOf(old), form, (condition) =>
      this.#bucket.put(key, body, form, condition),
    );
  }

  /** Writes until it is done, or what is there turns out to be what an attempt without an answer has written. */
  async #write(
    key: string,
    first: Condition,
    { metadata }: ObjectForm,
    put: (condition: Condition) => Promise<boolean>,
  ): Promise<void> {
    let condition = first;
    for (let race = 0; race < maxRaces; race++) {
      if (await put(condition)) return;
      const found = await this.#bucket.head(key);
      if (found && isSame(found.metadata, metadata)) return;
      condition = conditionOf(found);
    }
    throw new AppError('store_unavailable', `Others keep writing ${key} at the same time.`);
  }

  async #spaceFrom(lastMs: number): Promise<void> {
    const leftMs = Math.floor(lastMs / 1000) * 1000 + this.#pointerSpacingMs - Date.now();
    if (leftMs > 0 && leftMs < clockSkewMs) await wait(leftMs);
  }

  async #openObject(key: string): Promise<StoredFile | null> {
    const found = await this.#bucket.begin(key, firstBytes);
    if (!found) return null;
    const { head, first } = found;
    const wholeBytes = (): Promise<Buffer> => collect(this.#read(key, found, null));
    return {
      sizeBytes: head.sizeBytes,
      lastModifiedMs: timeOf(head),
      stream: (range) => Readable.from(this.#read(key, found, range ?? null), { objectMode: false }),
      bytes: () => (first.length === head.sizeBytes ? Promise.resolve(first) : wholeBytes()),
      close: () => Promise.resolve(),
      ...(this.#elsewhere === 'off' ? {} : { elsewhere: (audience) => this.#urlOf(key, audience) }),
    };
  }

  async #urlOf(key: string, audience: 'anybody' | 'who asked'): Promise<string | null> {
    if (this.#elsewhere === 'presigned') return await this.#bucket.presign(key);
    // What is below a URL is there for everybody.
    return audience === 'anybody'
      ? `${this.#elsewhere}/${key.split('/').map(encodeURIComponent).join('/')}`
      : null;
  }

  /** What is there already, then the rest in one request, taken up again where it breaks off. */
  async *#read(
    key: string,
    { head, first }: { readonly head: ObjectHead; readonly first: Buffer },
    range: ByteRange | null,
  ): AsyncGenerator<Buffer> {
    const { start, end } = range ?? { start: 0, end: head.sizeBytes - 1 };
    let at = start;
    if (at < first.length) {
      const known = first.subarray(at, end + 1);
      at += known.length;
      if (known.length > 0) yield known;
    }
    for (let resumes = 0; at <= end; resumes++) {
      try {
        for await (const chunk of this.#bucket.read(key, { start: at, end, etag: head.etag })) {
          at += chunk.length;
          yield chunk;
        }
        if (at <= end)
          throw new AppError('store_unavailable', 'The object store sent less than it promised.');
      } catch (error) {
        if (resumes >= maxResumes) throw error;
      }
    }
  }

  /** The key with the first alias on its way followed; null when there is none. */
  async #follow(key: string): Promise<string | null> {
    const segments = key.split('/');
    const folders = segments.map((_, i) => segments.slice(0, i + 1).join('/')).filter((name) => name !== '');
    const heads = await Promise.all(folders.map((name) => this.#bucket.head(aliasKey(name))));
    for (const [i, head] of heads.entries()) {
      const target = head?.metadata['target'];
      const name = folders[i];
      if (target !== undefined && name !== undefined)
        return decodeURIComponent(target) + key.slice(name.length);
    }
    return null;
  }
}

function conditionOf(found: ObjectHead | null): Condition {
  return found ? { etag: found.etag } : { absent: true };
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return ['sha256', 'mtime', 'target'].every((name) => a[name] === b[name]);
}

function timeOf({ metadata, lastModifiedMs }: ObjectHead): number {
  const { mtime } = metadata;
  return mtime === undefined ? lastModifiedMs : Number(mtime);
}

/** As `http/send-file.ts` says it, so that a bucket or a CDN answers as the server does. */
function formOf(key: string, metadata: Readonly<Record<string, string>>): ObjectForm {
  const cacheControl = isImmutable(key) ? `public, max-age=${yearSeconds}, immutable` : 'no-cache';
  return { contentType: mediaType(key), cacheControl, metadata };
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const chunk of chunks) found.push(chunk);
  return Buffer.concat(found);
}
