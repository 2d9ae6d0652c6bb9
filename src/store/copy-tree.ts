/** Copies a published tree in a directory, also while a server publishes into it. */
import { constants } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  type FileHandle,
  open,
} from 'node:fs/promises';
import { join } from 'node:path';

export type CopyOptions = {
  /** Whether a key is to be copied. */
  readonly wants: (key: string) => boolean;
  /** Removes from `to` what `from` does not have. */
  readonly mirror: boolean;
};

/** The name of what is being copied; what is left of it is replaced the next time. */
const part = '.part';

async function sync(path: string): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    await file.sync();
  } finally {
    await file?.close();
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/**
 * Copies files and links, with their times, from `from` to `to`. What is there with the size and the time of the
 * original stays: a later copy into the same place copies what is new. What goes while it is copied, as temporary and
 * collected files do, is left out. Answers how many files were copied.
 */
export async function copyTree(from: string, to: string, options: CopyOptions): Promise<number> {
  return await copyFolder(from, to, '', options);
}

async function copyFolder(from: string, to: string, prefix: string, options: CopyOptions): Promise<number> {
  let copied = 0;
  await mkdir(join(to, prefix), { recursive: true });
  const entries = await readdir(join(from, prefix), { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const entry of entries) {
    const key = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    try {
      if (entry.isDirectory()) copied += await copyFolder(from, to, key, options);
      else if (options.wants(key) && (await copyEntry(join(from, key), join(to, key)))) copied++;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  if (options.mirror) {
    const kept = new Set(entries.map(({ name }) => name));
    for (const name of await readdir(join(to, prefix)))
      if (!kept.has(name)) await rm(join(to, prefix, name), { recursive: true, force: true });
  }
  await sync(join(to, prefix));
  return copied;
}

/** False when it is there already. */
async function copyEntry(from: string, to: string): Promise<boolean> {
  const [source, there] = await Promise.all([lstat(from), lstat(to).catch(() => null)]);
  if (source.isSymbolicLink()) {
    const target = await readlink(from);
    if (there?.isSymbolicLink() === true && (await readlink(to)) === target) return false;
    await rm(to, { recursive: true, force: true });
    await symlink(target, to);
    return true;
  }
  if (!source.isFile()) return false;
  // What utimes sets can be off by a part of a millisecond.
  const modifiedMs = Math.trunc(source.mtimeMs);
  if (there?.isFile() === true && there.size === source.size && Math.round(there.mtimeMs) === modifiedMs)
    return false;
  await copyFile(from, to + part, constants.COPYFILE_FICLONE);
  await utimes(to + part, modifiedMs / 1000, modifiedMs / 1000);
  await sync(to + part);
  await rename(to + part, to);
  return true;
}
