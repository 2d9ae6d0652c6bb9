import {
  closeSync,
  createReadStream,
  fstatSync,
  futimesSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  type Stats,
} from 'node:fs';
import { constants, copyFile, lstat, open, opendir, readdir, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { createId } from '../ids.ts';
import { bytesAtOnce, sizeOf, writeAll } from '../write-all.ts';
import { Disk, Folders, isMissing, type Fatal } from './folders.ts';
import { checkKey } from './key.ts';
import type {
  Alias,
  ByteRange,
  NewNames,
  PointerFile,
  StagedFile,
  StagedVisible,
  Store,
  StoredFile,
  StoredKey,
  VisibleFiles,
} from './store.ts';

/** Big enough that a large file does not cost a thread-pool round trip per 64 KiB. */
const readChunkBytes = 512 * 1024;

/**
 * A publication makes dozens of small files and names. Calls that touch only what the kernel has in memory are made
 * at once: each takes less than half of what a trip to the thread pool does. What waits for the disk goes to the
 * pool, and so does what is longer than this. Pointers are shorter, and read so often that they are in memory.
 */
const bytesReadAtOnce = 32 * 1024;

function nullIfMissing(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}

/** Links that are remembered as durable. */
const maxLinks = 2000;

/** What `place` gives its name; `link` is what a link shows. */
type StagedName = { readonly path: string; readonly link: string | null; readonly temporary: string | null };

/** The published tree in a local directory, as any web server can serve it. */
export class DirectoryStore implements Store {
  readonly root: string;
  readonly #disk: Disk;
  readonly #folders: Folders;
  /** What is staged, and the file that it is until then. */
  readonly #staged = new WeakMap<StagedFile, Promise<string>>();
  /** Links that are durable, by path: most that a publication shows are there from the one before. */
  readonly #links = new Map<string, string>();

  constructor(root: string, fatal: Fatal) {
    this.root = root;
    this.#disk = new Disk(fatal);
    this.#folders = new Folders(root, this.#disk);
  }

  async putImmutable(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    const path = this.#path(key);
    // By content and not by size: a round that ended before its commit leaves the documents of a generation whose
    // number the next round takes, and those differ in digests and times alone.
    if (await holds(path, chunks)) await this.#folders.sync(dirname(path));
    else await this.#placeOrRemove(await this.#writeTemporary(chunks), path);
  }

  async putImmutableFile(key: string, source: string): Promise<void> {
    const path = this.#path(key);
    await this.#disk.sync(source);
    try {
      await this.#place(source, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      // Staging and the tree are on two file systems: copy first, so that the last step is a rename again.
      const temporary = await this.#temporary();
      await copyFile(source, temporary);
      await this.putImmutableFile(key, temporary);
      await rm(source);
    }
  }

  stage(chunks: readonly Uint8Array[], lastModifiedMs?: number): StagedFile {
    const written = this.#writeTemporary(chunks, lastModifiedMs);
    // Told by `place`.
    written.catch(() => undefined);
    const file: StagedFile = {
      place: (key) => this.placeAll({ files: [{ key, file }], aliases: [] }),
      discard: async () => {
        const temporary = await written.catch(() => null);
        if (temporary !== null) rmSync(temporary, { force: true });
      },
    };
    this.#staged.set(file, written);
    return file;
  }

  async placeAll({ files, aliases }: NewNames): Promise<void> {
    const named = files.map(async ({ key, file }) => {
      const temporary = await this.#staged.get(file);
      if (temporary === undefined) throw new TypeError(`${key} was staged by another store`);
      return { path: this.#path(key), link: null, temporary };
    });
    await this.#together([...named, ...aliases.map((alias) => this.#stageLink(alias))]).place();
  }

  async putPointer(key: string, bytes: Uint8Array, lastModifiedMs: number): Promise<void> {
    await this.stageVisible({ aliases: [], pointers: [{ key, bytes, lastModifiedMs }] }).place();
  }

  async putAlias(key: string, target: string): Promise<void> {
    await this.stageVisible({ aliases: [{ key, target }], pointers: [] }).place();
  }

  stageVisible({ aliases, pointers }: VisibleFiles): StagedVisible {
    return this.#together([
      ...aliases.map((alias) => this.#stageLink(alias)),
      ...pointers.map((pointer) => this.#stagePointer(pointer)),
    ]);
  }

  /** Names that are given in this order, when each has what it is to show. */
  #together(staged: readonly Promise<StagedName | null>[]): StagedVisible {
    // Told by `place`.
    for (const file of staged) file.catch(() => undefined);
    const discard = async (): Promise<void> => {
      for (const file of await Promise.allSettled(staged))
        if (file.status === 'fulfilled' && file.value?.temporary)
          rmSync(file.value.temporary, { force: true });
    };
    const place = async (): Promise<void> => {
      try {
        const files = (await Promise.all(staged)).filter((file) => file !== null);
        for (const { temporary, path } of files) if (temporary !== null) await this.#rename(temporary, path);
        // The disk takes all names at once. A crash before may keep some of them: whoever starts again shows all.
        const folders = new Set(files.map(({ path }) => dirname(path)));
        await Promise.all([...folders].map((folder) => this.#folders.syncNames(folder)));
        for (const { path, link } of files) if (link !== null) this.#remember(path, link);
      } catch (error) {
        await discard();
        throw error;
      }
    };
    const prepared = Promise.all(staged).then(() => undefined);
    prepared.catch(() => undefined);
    return { prepared, place, discard };
  }

  /**
   * A link without its name; `temporary` is null for one that stands there already, whose name may not be durable yet.
   * Null when there is nothing to do.
   */
  async #stageLink({ key, target }: Alias): Promise<StagedName | null> {
    const path = this.#path(key);
    // Relative, so that the tree can be moved, mounted elsewhere and mirrored.
    this.#path(target);
    const link = posix.relative(posix.dirname(key), target);
    if (readLink(path) === link)
      return this.#links.get(path) === link ? null : { path, link, temporary: null };
    const temporary = await this.#temporary();
    symlinkSync(link, temporary);
    return { path, link, temporary };
  }

  #remember(path: string, link: string): void {
    this.#links.set(path, link);
    const [oldest] = this.#links.keys();
    if (this.#links.size > maxLinks && oldest !== undefined) this.#links.delete(oldest);
  }

  async #stagePointer({ key, bytes, lastModifiedMs, file }: PointerFile): Promise<StagedName> {
    const path = this.#path(key);
    const same = file && (await this.#staged.get(file));
    const second = same === undefined ? null : await this.#secondName(same);
    return { path, link: null, temporary: second ?? (await this.#writeTemporary([bytes], lastModifiedMs)) };
  }

  /** Another temporary name for a file; null where the file system gives none. */
  async #secondName(temporary: string): Promise<string | null> {
    const second = await this.#temporary();
    try {
      linkSync(temporary, second);
      return second;
    } catch (error) {
      if (hasNoLinks(error)) return null;
      throw error;
    }
  }

  async open(key: string): Promise<StoredFile | null> {
    const path = this.#path(key);
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    const stat = fstatSync(file.fd);
    if (!stat.isFile()) {
      await file.close();
      return null;
    }
    return {
      sizeBytes: stat.size,
      lastModifiedMs: Math.floor(stat.mtimeMs),
      stream: (range?: ByteRange) =>
        createReadStream('', { fd: file, highWaterMark: readChunkBytes, ...(range ?? { start: 0 }) }),
      read: async (buffer, position) => (await file.read(buffer, 0, buffer.length, position)).bytesRead,
      isUnchanged: () => isSame(stat, path),
      bytes: () => allBytes(file, stat.size),
      close: () => file.close(),
    };
  }

  async *list(prefix: string): AsyncIterable<StoredKey> {
    let folder;
    try {
      folder = await opendir(this.#path(prefix));
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for await (const entry of folder) {
      const key = posix.join(prefix, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== temporaryFolder) yield* this.list(key);
        continue;
      }
      const stat = await lstat(this.#path(key)).catch(nullIfMissing);
      if (!stat) continue;
      const lastModifiedMs = Math.floor(stat.mtimeMs);
      if (stat.isSymbolicLink()) yield { key, kind: 'alias', sizeBytes: 0, lastModifiedMs };
      else if (stat.isFile()) yield { key, kind: 'file', sizeBytes: stat.size, lastModifiedMs };
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    this.#links.delete(path);
    await rm(path, { force: true });
    await this.#folders.prune(dirname(path));
  }

  /** Removes what writes that began before `before` (ms) and did not come to their end have left. */
  async clearTemporary(before: number): Promise<void> {
    const folder = join(this.root, temporaryFolder);
    for (const name of (await readdir(folder).catch(nullIfMissing)) ?? []) {
      const stat = await lstat(join(folder, name)).catch(nullIfMissing);
      if (stat && stat.mtimeMs < before) await rm(join(folder, name), { recursive: true, force: true });
    }
  }

  #path(key: string): string {
    return join(this.root, checkKey(key));
  }

  async #temporary(): Promise<string> {
    const folder = join(this.root, temporaryFolder);
    await this.#folders.make(folder);
    return join(folder, createId(Date.now()));
  }

  /** A file that is durable and has no name yet. */
  async #writeTemporary(chunks: readonly Uint8Array[], lastModifiedMs?: number): Promise<string> {
    const temporary = await this.#temporary();
    const file = openSync(temporary, 'wx', 0o644);
    try {
      await writeAll(file, chunks, bytesAtOnce);
      if (lastModifiedMs !== undefined) futimesSync(file, lastModifiedMs / 1000, lastModifiedMs / 1000);
      await this.#disk.syncOpen(file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    return temporary;
  }

  async #placeOrRemove(temporary: string, path: string): Promise<void> {
    try {
      await this.#place(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Moves a file that is durable itself to its name, and makes the name durable. */
  async #place(temporary: string, path: string): Promise<void> {
    await this.#rename(temporary, path);
    await this.#folders.syncNames(dirname(path));
  }

  async #rename(temporary: string, path: string): Promise<void> {
    await this.#folders.in(dirname(path), () => {
      renameSync(temporary, path);
    });
  }
}

/** Inside the tree, so that a rename out of it stays on one file system. */
const temporaryFolder = '.tmp';

/** What cannot be looked at is another one: whoever opens it is told why. */
function isSame(before: Stats, path: string): boolean {
  let now: Stats | undefined;
  try {
    now = statSync(path, { throwIfNoEntry: false });
  } catch {
    return false;
  }
  return (
    now?.ino === before.ino &&
    now.size === before.size &&
    now.mtimeMs === before.mtimeMs &&
    now.ctimeMs === before.ctimeMs
  );
}

async function allBytes(file: FileHandle, sizeBytes: number): Promise<Buffer> {
  try {
    return sizeBytes > bytesReadAtOnce ? await file.readFile() : readFileSync(file.fd);
  } finally {
    await file.close();
  }
}

/** Whether a file is there and holds just these bytes. */
async function holds(path: string, chunks: readonly Uint8Array[]): Promise<boolean> {
  // As a rule nothing is there: told at once.
  if (!isThere(path)) return false;
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size !== sizeOf(chunks)) return false;
    let position = 0;
    for (const chunk of chunks) {
      const found = Buffer.allocUnsafe(chunk.byteLength);
      const { bytesRead } = await file.read(found, 0, found.length, position);
      if (bytesRead !== found.length || !found.equals(chunk)) return false;
      position += bytesRead;
    }
    return true;
  } finally {
    await file.close();
  }
}

/** Whether a file system keeps no second name for a file, or not one more. */
function hasNoLinks(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['EPERM', 'EMLINK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code);
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
