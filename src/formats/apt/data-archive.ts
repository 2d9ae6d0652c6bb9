/** `data.tar`: the files that a package installs. They are listed and summed, never written. */
import { createHash } from 'node:crypto';
import { limits } from '../../archive/limits.ts';
import { readTar, type TarEntry, type TarType } from '../../archive/tar.ts';
import { AppError } from '../../errors.ts';
import type { FileType, PackageFile } from '../package.ts';

const types: Readonly<Record<TarType, FileType>> = {
  file: 'file',
  hardlink: 'hardlink',
  symlink: 'symlink',
  'character-device': 'device',
  'block-device': 'device',
  directory: 'directory',
  fifo: 'fifo',
};

/** NAME_MAX: a longer name cannot be unpacked. */
const nameBytes = 255;

/**
 * The absolute path of a name in the archive: `./usr/bin/hello`, `usr/bin/hello` and `/usr/bin/hello` are the
 * three spellings in use, and dpkg drops what stands before `usr`. Null for a name that could be read as
 * another path or leave the root.
 */
export function normalisePath(name: string): string | null {
  const rest = name.replace(/^(?:\.\/|\/|\.$)/, '').replace(/\/$/, '');
  if (rest === '') return /^\.?\/?$/.test(name) ? '/' : null;
  for (const component of rest.split('/')) {
    if (component === '' || component === '.' || component === '..') return null;
    if (component.length > nameBytes || Buffer.byteLength(component) > nameBytes) return null;
  }
  return `/${rest}`;
}

/** MD5 digests, in lower-case hexadecimal, by absolute path. */
export type Md5sums = ReadonlyMap<string, string>;

export type DataArchive = {
  /** In the order of the archive. */
  readonly files: readonly PackageFile[];
  /** How many of the paths in md5sums no file of the archive has. */
  readonly unmatchedSums: number;
};

/** `sum` is the digest of a file where it has been taken, else the empty string. */
type Content = { readonly sum: string; readonly mode: number; readonly isFile: boolean };

type Listing = {
  readonly part: string;
  readonly files: PackageFile[];
  /** What is no folder, by path. */
  readonly contents: Map<string, Content>;
  readonly directories: Set<string>;
};

function fault(part: string, entry: TarEntry, what: string): AppError {
  return new AppError('data_entry', `The entry "${entry.name}" of ${part} ${what}.`, {
    part,
    offset: entry.offset,
    entry: entry.name,
  });
}

/**
 * Walks the archive. With `md5sums` each file that it lists is compared with it, and a difference refuses the
 * package. Throws `data_entry`, `md5sums_mismatch`, and what `readTar` throws.
 */
export async function readDataArchive(
  source: AsyncIterable<Uint8Array>,
  part: string,
  md5sums: Md5sums,
): Promise<DataArchive> {
  const listing: Listing = { part, files: [], contents: new Map(), directories: new Set() };
  let matched = 0;
  for await (const entry of readTar(source, part, { maxEntries: limits.contentEntries, pax: 'refuse' })) {
    const path = normalisePath(entry.name);
    if (path === null) throw fault(part, entry, 'has a path that is not plain');
    // Some builders repeat folders, which changes nothing; of two files dpkg would install one.
    if (entry.type === 'directory' && listing.directories.has(path)) continue;
    if (listing.directories.has(path) || listing.contents.has(path))
      throw fault(part, entry, 'is there twice');
    if (entry.type === 'directory') listing.directories.add(path);
    else {
      const sum = await digestOf(entry, path, listing, md5sums.size > 0);
      listing.contents.set(path, { sum, mode: entry.mode, isFile: /^(file|hardlink)$/.test(entry.type) });
      if (compareSum(entry, sum, md5sums.get(path), part)) matched++;
    }
    listing.files.push(describe(entry, path));
  }
  checkAncestors(listing);
  return { files: listing.files, unmatchedSums: md5sums.size - matched };
}

function describe(entry: TarEntry, path: string): PackageFile {
  const { type, sizeBytes, mode, target } = entry;
  const shown = type === 'hardlink' && target !== undefined ? normalisePath(target) : target;
  return { path, type: types[type], sizeBytes, mode, ...(shown != null && { target: shown }) };
}

/** The digest of a file or of what a hard link leads to; empty when it has none or none is asked for. */
async function digestOf(entry: TarEntry, path: string, listing: Listing, wanted: boolean): Promise<string> {
  if (path === '/') throw fault(listing.part, entry, 'takes the place of the root');
  if (entry.type === 'hardlink') {
    // dpkg links to whatever is there: without this check a package could link to a file of the system.
    const target = normalisePath(entry.target ?? '');
    const linked = target === null ? undefined : listing.contents.get(target);
    if (linked?.isFile !== true) throw fault(listing.part, entry, 'is a hard link to no file before it');
    // dpkg gives the file the permissions of the link (setuid, say), where GNU tar keeps those of the file.
    if (linked.mode !== entry.mode)
      throw fault(listing.part, entry, 'is a hard link with other permissions than its file');
    return linked.sum;
  }
  if (entry.type !== 'file' || !wanted) return '';
  const hash = createHash('md5');
  for await (const bytes of entry.content()) hash.update(bytes);
  return hash.digest('hex');
}

/** True when the file is listed; throws when its digest is another. */
function compareSum(entry: TarEntry, sum: string, listed: string | undefined, part: string): boolean {
  if (listed === undefined) return false;
  if (sum !== '' && sum !== listed)
    throw new AppError(
      'md5sums_mismatch',
      `The file "${entry.name}" has the MD5 digest ${sum}; md5sums says ${listed}.`,
      { part, offset: entry.offset, entry: entry.name },
    );
  return true;
}

/**
 * No path may lead through something that is not a folder in the same package: below a symlink it would land
 * elsewhere. Sorted with NUL for the slash, what is below a path follows right behind it.
 */
function checkAncestors({ part, files }: Listing): void {
  const sorted = files.map(({ path, type }) => ({ key: `${path}/`.replaceAll('/', '\0'), type }));
  sorted.sort((a, b) => (a.key < b.key ? -1 : 1));
  let above: string | null = null;
  for (const { key, type } of sorted) {
    if (above !== null && key.startsWith(above)) {
      const path = key.slice(0, -1).replaceAll('\0', '/');
      const detail = `The path "${path}" of ${part} leads through a path that is no folder.`;
      throw new AppError('data_entry', detail, { part, entry: path });
    }
    if (type !== 'directory') above = key;
  }
}
