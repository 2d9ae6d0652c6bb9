/** The folders of a tree: made when something is written into them, durable with it, gone when they are empty. */
import { closeSync, fsync as fsyncWithCallback, mkdirSync, openSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';

const fsync = promisify(fsyncWithCallback);

/** A folder that is removed under a writer every time is none that anybody collects. */
const placeAttempts = 10;
/** Folders that are remembered as made. */
const maxFolders = 2000;

/** A folder's fsync that runs or is about to, and the one after it. */
type FolderSync = { readonly now: Promise<void>; hasBegun: boolean; next: Promise<void> | null };

/** What ends the process: after a failed fsync nobody knows what the disk holds, so it is never retried. */
export type Fatal = (error: unknown) => never;

/** What makes files and names durable. */
export class Disk {
  readonly #fatal: Fatal;

  constructor(fatal: Fatal) {
    this.#fatal = fatal;
  }

  /** A file, or the names in a folder. */
  async sync(path: string): Promise<void> {
    const file = openSync(path, 'r');
    try {
      await this.syncOpen(file);
    } finally {
      closeSync(file);
    }
  }

  async syncOpen(file: number): Promise<void> {
    try {
      await fsync(file);
    } catch (error) {
      this.#fatal(error);
    }
  }
}

/** A folder that is being made: there, and there after a power cut with all those above it. */
type Folder = { readonly made: Promise<void>; readonly durable: Promise<void> };

export class Folders {
  readonly #root: string;
  readonly #disk: Disk;
  /** Folders known to exist and to be durable: a publication writes into the same few again and again. */
  readonly #folders = new Map<string, Folder>();
  readonly #syncs = new Map<string, FolderSync>();

  constructor(root: string, disk: Disk) {
    this.#root = root;
    this.#disk = disk;
  }

  /** Makes a folder and those above it. */
  async make(path: string): Promise<void> {
    await this.#open(path).made;
  }

  /** Removes a folder that is empty, and those above it. One that is about to be written into is made again. */
  async prune(folder: string): Promise<void> {
    for (let empty = folder; empty !== this.#root && empty.startsWith(this.#root); empty = dirname(empty)) {
      try {
        await rmdir(empty);
      } catch (error) {
        if (isMissing(error) || isOccupied(error)) return;
        throw error;
      }
      this.#folders.delete(empty);
    }
  }

  /** Makes the names in a folder durable, and its own. */
  async syncNames(path: string): Promise<void> {
    await this.in(path, async ({ durable }) => {
      await Promise.all([durable, this.sync(path)]);
    });
  }

  /** Again when a folder that was empty is removed with the last file in it while this one is being written. */
  async in(path: string, work: (folder: Folder) => Promise<void> | void): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const folder = this.#open(path);
      try {
        await folder.made;
        await work(folder);
        return;
      } catch (error) {
        if (!isMissing(error) || attempt >= placeAttempts) throw error;
        this.#forget(path);
      }
    }
  }

  #forget(folder: string): void {
    for (let each = folder; each.startsWith(this.#root); each = dirname(each)) this.#folders.delete(each);
  }

  /**
   * Makes a folder and those above it. That is done one after the other; then the disk takes the entries of all
   * of them at once.
   */
  #open(path: string): Folder {
    const known = this.#folders.get(path);
    if (known) return known;
    const above = path === this.#root ? null : this.#open(dirname(path));
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
    await Promise.all([above?.durable, this.sync(dirname(path))]);
  }

  /**
   * Makes the names in a folder durable. Who comes before that begins shares it: names are given many at a time. Who
   * comes while it is done shares the next one with all others.
   */
  async sync(folder: string): Promise<void> {
    const known = this.#syncs.get(folder);
    if (known && !known.hasBegun) await known.now;
    else if (known) {
      const again = (): Promise<void> => this.#beginSync(folder);
      known.next ??= known.now.then(again, again);
      await known.next;
    } else await this.#beginSync(folder);
  }

  #beginSync(folder: string): Promise<void> {
    const begin = async (): Promise<void> => {
      await setImmediate();
      sync.hasBegun = true;
      await this.#disk.sync(folder);
    };
    const sync: FolderSync = { now: begin(), hasBegun: false, next: null };
    this.#syncs.set(folder, sync);
    const settle = (): void => {
      if (!sync.next) this.#syncs.delete(folder);
    };
    sync.now.then(settle, settle);
    return sync.now;
  }
}

/** Whether nothing can be under that name. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(code);
}

/** Whether a folder cannot be removed because something is in it. */
function isOccupied(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function makeUnlessThere(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
