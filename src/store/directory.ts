import {
  closeSync,
  createReadStream,
  fsync as fsyncWithCallback,
  futimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writev as writevWithCallback,
  writevSync,
  type Stats,
} from 'node:fs';
import {
  constants,
  copyFile,
  lstat,
  open,
  opendir,
  readdir,
  rm,
  rmdir,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { createId } from '../ids.ts';
import { checkKey } from './key.ts';
import type {
  Alias,
  ByteRange,
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

/** The kernel takes up to 1024 pieces in one call (IOV_MAX). */
const chunksPerWrite = 1024;

/**
 * A publication makes dozens of small files and names. Calls that touch only what the kernel has in memory are made
 * at once: each takes less than half of what a trip to the thread pool does. What waits for the disk goes to the
 * pool, and so does what is longer than this.
 */
const bytesAtOnce = 256 * 1024;
const fsync = promisify(fsyncWithCallback);
const writev = promisify(writevWithCallback);

/** A folder that is removed under a writer every time is none that anybody collects. */
const placeAttempts = 10;
/** Folders that are remembered as made. */
const maxFolders = 2000;

/** A folder's fsync that runs, and the one after it. */
type FolderSync = { readonly now: Promise<void>; next: Promise<void> | null };

/** What ends the process: after a failed fsync nobody knows what the disk holds, so it is never retried. */
export type Fatal = (error: unknown) => never;

/** Whether nothing can be under that name. */
function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(code);
}

/** Whether a folder cannot be removed because something is in it. */
function isOccupied(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function nullIfMissing(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}

/** A folder that is being made: there, and there after a power cut with all those above it. */
type Folder = { readonly made: Promise<void>; readonly durable: Promise<void> };

/** The published tree in a local directory, as any web server can serve it. */
export class DirectoryStore implements Store {
  readonly root: string;
  readonly #fatal: Fatal;
  /** Folders known to exist and to be durable: a publication writes into the same few again and again. */
  readonly #folders = new Map<string, Folder>();
  readonly #syncs = new Map<string, FolderSync>();

  constructor(root: string, fatal: Fatal) {
    this.root = root;
    this.#fatal = fatal;
  }

  async putImmutable(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    const path = this.#path(key);
    // By content and not by size: a round that ended before its commit leaves the documents of a generation whose
    // number the next round takes, and those differ in digests and times alone.
    if (await holds(path, chunks)) await this.#syncFolder(dirname(path));
    else await this.#write(path, chunks);
  }

  async putImmutableFile(key: string, source: string): Promise<void> {
    const path = this.#path(key);
    await this.#syncPath(source);
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

  stage(chunks: readonly Uint8Array[]): StagedFile {
    const written = this.#writeTemporary(chunks);
    // Told by `place`.
    written.catch(() => undefined);
    return {
      place: async (key) => {
        const temporary = await written;
        await this.#placeOrRemove(temporary, this.#path(key));
      },
      discard: async () => {
        const temporary = await written.catch(() => null);
        if (temporary !== null) rmSync(temporary, { force: true });
      },
    };
  }

  async putPointer(key: string, bytes: Uint8Array, lastModifiedMs: number): Promise<void> {
    await this.stageVisible({ aliases: [], pointers: [{ key, bytes, lastModifiedMs }] }).place();
  }

  async putAlias(key: string, target: string): Promise<void> {
    await this.stageVisible({ aliases: [{ key, target }], pointers: [] }).place();
  }

  stageVisible({ aliases, pointers }: VisibleFiles): StagedVisible {
    const staged = [
      ...aliases.map((alias) => this.#stageLink(alias)),
      ...pointers.map((pointer) => this.#stagePointer(pointer)),
    ];
    // Told by `place`.
    for (const file of staged) file.catch(() => undefined);
    const discard = async (): Promise<void> => {
      for (const file of await Promise.allSettled(staged))
        if (file.status === 'fulfilled' && file.value.temporary !== null)
          rmSync(file.value.temporary, { force: true });
    };
    const place = async (): Promise<void> => {
      try {
        const files = await Promise.all(staged);
        for (const { temporary, path } of files) if (temporary !== null) await this.#rename(temporary, path);
        // The disk takes all names at once. A crash before may keep some of them: whoever starts again shows all.
        const folders = new Set(files.map(({ path }) => dirname(path)));
        await Promise.all([...folders].map((folder) => this.#syncNames(folder)));
      } catch (error) {
        await discard();
        throw error;
      }
    };
    return { place, discard };
  }

  /** A link without its name; null for one that stands there already, whose name may not be durable yet. */
  async #stageLink({ key, target }: Alias): Promise<{ path: string; temporary: string | null }> {
    const path = this.#path(key);
    // Relative, so that the tree can be moved, mounted elsewhere and mirrored.
    this.#path(target);
    const link = posix.relative(posix.dirname(key), target);
    if (readLink(path) === link) return { path, temporary: null };
    const temporary = await this.#temporary();
    symlinkSync(link, temporary);
    return { path, temporary };
  }

  async #stagePointer(pointer: PointerFile): Promise<{ path: string; temporary: string }> {
    const path = this.#path(pointer.key);
    return { path, temporary: await this.#writeTemporary([pointer.bytes], pointer.lastModifiedMs) };
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
    const stat = await file.stat();
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
      bytes: async () => {
        try {
          return await file.readFile();
        } finally {
          await file.close();
        }
      },
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
    await rm(path, { force: true });
    await this.#prune(dirname(path));
  }

  /** Removes a folder that is empty, and those above it. One that is about to be written into is made again. */
  async #prune(folder: string): Promise<void> {
    for (let empty = folder; empty !== this.root && empty.startsWith(this.root); empty = dirname(empty)) {
      try {
        await rmdir(empty);
      } catch (error) {
        if (isMissing(error) || isOccupied(error)) return;
        throw error;
      }
      this.#folders.delete(empty);
    }
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
    await this.#folder(folder).made;
    return join(folder, createId(Date.now()));
  }

  /**
   * Its name comes before it is durable, so that the disk takes both at once: nothing tells of the name until then,
   * and what a power cut leaves of it is replaced by who writes it again.
   */
  async #write(path: string, chunks: readonly Uint8Array[]): Promise<void> {
    const temporary = await this.#temporary();
    await this.#inNewFile(temporary, chunks, async (file) => {
      await this.#rename(temporary, path);
      await Promise.all([this.#sync(file), this.#syncNames(dirname(path))]);
    });
  }

  /** A file that is durable and has no name yet. */
  async #writeTemporary(chunks: readonly Uint8Array[], lastModifiedMs?: number): Promise<string> {
    const temporary = await this.#temporary();
    await this.#inNewFile(temporary, chunks, async (file) => {
      if (lastModifiedMs !== undefined) futimesSync(file, lastModifiedMs / 1000, lastModifiedMs / 1000);
      await this.#sync(file);
    });
    return temporary;
  }

  /** Leaves nothing under the temporary name when anything fails. */
  async #inNewFile(
    temporary: string,
    chunks: readonly Uint8Array[],
    work: (file: number) => Promise<void>,
  ): Promise<void> {
    const file = openSync(temporary, 'wx', 0o644);
    try {
      await writeAll(file, chunks);
      await work(file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
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
    await this.#syncNames(dirname(path));
  }

  async #rename(temporary: string, path: string): Promise<void> {
    await this.#inFolder(dirname(path), () => {
      renameSync(temporary, path);
    });
  }

  /** Makes the names in a folder durable, and its own. */
  async #syncNames(path: string): Promise<void> {
    await this.#inFolder(path, async ({ durable }) => {
      await Promise.all([durable, this.#syncFolder(path)]);
    });
  }

  /** Again when a folder that was empty is removed with the last file in it while this one is being written. */
  async #inFolder(path: string, work: (folder: Folder) => Promise<void> | void): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const folder = this.#folder(path);
      try {
        await folder.made;
        await work(folder);
        return;
      } catch (error) {
        if (!isMissing(error) || attempt >= placeAttempts) throw error;
        this.#forgetFolders(path);
      }
    }
  }

  #forgetFolders(folder: string): void {
    for (let each = folder; each.startsWith(this.root); each = dirname(each)) this.#folders.delete(each);
  }

  /**
   * Makes a folder and those above it. That is done one after the other; then the disk takes the entries of all
   * of them at once.
   */
  #folder(path: string): Folder {
    const known = this.#folders.get(path);
    if (known) return known;
    const above = path === this.root ? null : this.#folder(dirname(path));
    const made = this.#makeFolder(path, above);
    const durable = this.#makeDurable(path, made, above);
    const folder = { made, durable };
    this.#folders.set(path, folder);
    // Every source package has a folder of its own: the oldest are forgotten, and looked at again when needed.
    const [oldest] = this.#folders.keys();
    if (this.#folders.size > maxFolders && oldest !== undefined) this.#folders.delete(oldest);
    durable.catch(() => {
      if (this.#folders.get(path) === folder) this.#folders.delete(path);
    });
    return folder;
  }

  async #makeFolder(path: string, above: Folder | null): Promise<void> {
    await above?.made;
    if (!above) mkdirSync(path, { recursive: true, mode: 0o755 });
    else makeUnlessThere(path);
  }

  /** One that was there already may be from a process that ended before it was durable. */
  async #makeDurable(path: string, made: Promise<void>, above: Folder | null): Promise<void> {
    await made;
    await Promise.all([above?.durable, this.#syncFolder(dirname(path))]);
  }

  /** Makes the names in a folder durable. Who comes while that is done shares the next time with all others. */
  async #syncFolder(folder: string): Promise<void> {
    const known = this.#syncs.get(folder);
    if (known) {
      const again = (): Promise<void> => this.#beginSync(folder);
      known.next ??= known.now.then(again, again);
      await known.next;
    } else await this.#beginSync(folder);
  }

  #beginSync(folder: string): Promise<void> {
    const sync: FolderSync = { now: this.#syncPath(folder), next: null };
    this.#syncs.set(folder, sync);
    const settle = (): void => {
      if (!sync.next) this.#syncs.delete(folder);
    };
    sync.now.then(settle, settle);
    return sync.now;
  }

  /** Makes a file durable, or the names in a folder. */
  async #syncPath(path: string): Promise<void> {
    const file = openSync(path, 'r');
    try {
      await this.#sync(file);
    } finally {
      closeSync(file);
    }
  }

  async #sync(file: number): Promise<void> {
    try {
      await fsync(file);
    } catch (error) {
      this.#fatal(error);
    }
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

function makeUnlessThere(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
}

async function writeAll(file: number, chunks: readonly Uint8Array[]): Promise<void> {
  for (let start = 0; start < chunks.length; start += chunksPerWrite) {
    const run = chunks.slice(start, start + chunksPerWrite);
    const size = sizeOf(run);
    const written = size <= bytesAtOnce ? writevSync(file, run) : (await writev(file, run)).bytesWritten;
    // A disk that is about to be full takes a part and says nothing; the next write tells.
    if (written < size) writeFileSync(file, Buffer.concat(run).subarray(written));
  }
}

/** Whether a file is there and holds just these bytes. */
async function holds(path: string, chunks: readonly Uint8Array[]): Promise<boolean> {
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

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
