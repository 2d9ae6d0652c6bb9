/** The file list of a main header, checked so that rpm and our indexes can mean one list only. */
import { AppError } from '../../errors.ts';
import type { FileType, PackageFile } from '../package.ts';
import { checkColumn } from './columns.ts';
import { byteStringsOf, decodeName, decodeText } from './text.ts';
import { dataOf, entryOf, numbersOf, placeOf } from './header.ts';
import type { Header } from './header.ts';
import type { MainTag } from './tags.ts';
import { escapedLength } from './xml.ts';

type MainHeader = Header<'main'>;

/**
 * The largest packages known have about 300,000 files and 30 MB of paths. A directory name can be shared by all
 * base names, so 160 kB of header could otherwise grow to gigabytes of paths.
 */
export const fileListLimits = {
  files: 400_000,
  pathBytes: 4096,
  /** Of all paths as they stand in filelists. */
  allPathBytes: 32 * 1024 * 1024,
} as const;

/** The columns of the file list, one item for each file. Strings in bytes have one code unit for each byte. */
export type FileList = {
  readonly count: number;
  /** The files by their paths in bytes. */
  readonly indexOf: ReadonlyMap<string, number>;
  readonly paths: readonly string[];
  readonly modes: readonly number[];
  readonly flags: readonly number[];
  readonly sizes: readonly number[];
  /** Hexadecimal, or empty. */
  readonly digests: readonly string[];
  /** Symlink targets in bytes, or empty. */
  readonly byteTargets: readonly string[];
  /** For a file with hard links, the last one of them: it alone has content in the payload. Else itself. */
  readonly contentAt: Uint32Array;
};

export const fileKind = { mask: 0xf000, directory: 0x4000, regular: 0x8000, symlink: 0xa000 } as const;
/** `RPMFILE_GHOST`: owned by the package, not in its payload. */
export const ghostFlag = 1 << 6;

const otherKinds: Readonly<Record<number, FileType>> = {
  0x1000: 'fifo',
  0x2000: 'device',
  0x6000: 'device',
  0xc000: 'socket',
};

const invalid = (header: MainHeader, tag: MainTag, detail: string): AppError =>
  new AppError('rpm_tag_invalid', detail, placeOf(header, tag));

const emptyList: FileList = {
  count: 0,
  indexOf: new Map(),
  paths: [],
  modes: [],
  flags: [],
  sizes: [],
  digests: [],
  byteTargets: [],
  contentAt: new Uint32Array(0),
};

/** Reads the file list; a package without files has neither BASENAMES nor OLDFILENAMES. */
export function readFileList(header: MainHeader, source: boolean): FileList {
  const nameTag = entryOf(header, 'BASENAMES') === undefined ? 'OLDFILENAMES' : 'BASENAMES';
  const names = entryOf(header, nameTag);
  if (names === undefined) {
    for (const tag of [...neededColumns, ...otherColumns]) {
      if (entryOf(header, tag) !== undefined)
        throw invalid(header, tag, `There is ${tag}, but no BASENAMES.`);
    }
    return emptyList;
  }
  const others =
    nameTag === 'BASENAMES' ? (['OLDFILENAMES'] as const) : (['DIRNAMES', 'DIRINDEXES'] as const);
  for (const tag of others) {
    if (entryOf(header, tag) !== undefined)
      throw invalid(header, tag, `Both ${nameTag} and ${tag} list files.`);
  }
  const count = names.count;
  if (count > fileListLimits.files) {
    throw limit(header, nameTag, `The package has ${count} files; the limit is ${fileListLimits.files}.`);
  }
  const { indexOf, paths } =
    nameTag === 'BASENAMES' ? joinedPaths(header, source) : wholePaths(header, source);
  const sizeTag = entryOf(header, 'LONGFILESIZES') === undefined ? 'FILESIZES' : 'LONGFILESIZES';
  if (sizeTag === 'LONGFILESIZES' && entryOf(header, 'FILESIZES') !== undefined) {
    throw invalid(header, 'FILESIZES', 'Both FILESIZES and LONGFILESIZES say how large the files are.');
  }
  const modes = numberColumn(header, 'FILEMODES', count);
  const flags = numberColumn(header, 'FILEFLAGS', count);
  for (const tag of ['FILEUSERNAME', 'FILEGROUPNAME'] as const) checkColumn(header, tag, count);
  for (const tag of otherColumns) if (entryOf(header, tag) !== undefined) checkColumn(header, tag, count);
  modes.forEach((mode, i) => {
    const kind = mode & fileKind.mask;
    const known = kind === 0x4000 || kind === 0x8000 || kind === 0xa000 || otherKinds[kind] !== undefined;
    if (!known) {
      throw invalid(
        header,
        'FILEMODES',
        `${shown(paths, i)} has mode 0${mode.toString(8)}, which is no kind of file.`,
      );
    }
  });
  return {
    count,
    indexOf,
    paths,
    modes,
    flags,
    sizes: numberColumn(header, sizeTag, count),
    digests: stringColumn(header, 'FILEDIGESTS', count),
    byteTargets: stringColumn(header, 'FILELINKTOS', count),
    contentAt: hardLinks(header, modes, flags),
  };
}

const shown = (paths: readonly string[], i: number): string => JSON.stringify(paths[i] ?? '');

const limit = (header: MainHeader, tag: MainTag, detail: string): AppError =>
  new AppError('rpm_limit', detail, placeOf(header, tag));

const neededColumns: readonly MainTag[] = [
  ...(['DIRNAMES', 'DIRINDEXES', 'FILEMODES', 'FILEFLAGS', 'FILESIZES', 'LONGFILESIZES'] as const),
  ...(['FILEDIGESTS', 'FILELINKTOS', 'FILEUSERNAME', 'FILEGROUPNAME'] as const),
];

/** What else rpm reads for each file, where it is there. */
const otherColumns: readonly MainTag[] = [
  'FILERDEVS',
  'FILEMTIMES',
  'FILEVERIFYFLAGS',
  'FILEDEVICES',
  'FILEINODES',
  'FILELANGS',
  'FILECOLORS',
  'FILECLASS',
  'FILECAPS',
  'FILEMIMEINDEX',
];

function numberColumn(header: MainHeader, tag: MainTag, count: number): readonly number[] {
  checkColumn(header, tag, count);
  return numbersOf(header, tag) ?? [];
}

function stringColumn(header: MainHeader, tag: MainTag, count: number): readonly string[] {
  checkColumn(header, tag, count);
  return byteStringsOf(header, tag) ?? [];
}

type Paths = Pick<FileList, 'indexOf' | 'paths'>;

/** DIRNAMES[DIRINDEXES[i]] + BASENAMES[i], since rpm 4. */
function joinedPaths(header: MainHeader, source: boolean): Paths {
  const baseNames = byteStringsOf(header, 'BASENAMES') ?? [];
  const dirNames = byteStringsOf(header, 'DIRNAMES') ?? [];
  const indexes = numberColumn(header, 'DIRINDEXES', baseNames.length);
  if (dirNames.length > baseNames.length) {
    // rpm takes such a list for broken and shows no files at all (`lib/tagexts.cc`, `fnTag`).
    const detail = `There are ${dirNames.length} directories for ${baseNames.length} files.`;
    throw invalid(header, 'DIRNAMES', detail);
  }
  for (const dir of dirNames) checkDirectory(header, dir, source);
  const bytePaths = baseNames.map((base, i) => {
    const dir = dirNames[indexes[i] ?? -1];
    if (dir === undefined) {
      throw invalid(
        header,
        'DIRINDEXES',
        `File ${i} lies in directory ${String(indexes[i])}, which is not there.`,
      );
    }
    checkBaseName(header, 'BASENAMES', base, dir);
    return dir + base;
  });
  return checkedPaths(header, 'BASENAMES', bytePaths);
}

/** Whole paths, before rpm 4. */
function wholePaths(header: MainHeader, source: boolean): Paths {
  const bytePaths = byteStringsOf(header, 'OLDFILENAMES') ?? [];
  for (const path of bytePaths) {
    const cut = path.lastIndexOf('/') + 1;
    checkDirectory(header, path.slice(0, cut), source);
    checkBaseName(header, 'OLDFILENAMES', path.slice(cut), path.slice(0, cut));
  }
  return checkedPaths(header, 'OLDFILENAMES', bytePaths);
}

/** Absolute, ended by a slash, no way out; empty in a source package, whose files have no place. */
function checkDirectory(header: MainHeader, dir: string, source: boolean): void {
  if (source ? dir === '' : /^\/(?:[^/]+\/)*$/.test(dir) && !/\/\.{1,2}\//.test(dir)) return;
  const expected = source ? 'a source package has no directories' : 'it must be absolute and without . or ..';
  const tag = entryOf(header, 'DIRNAMES') === undefined ? 'OLDFILENAMES' : 'DIRNAMES';
  throw invalid(header, tag, `The directory ${JSON.stringify(dir)} cannot be: ${expected}.`);
}

function checkBaseName(header: MainHeader, tag: MainTag, base: string, dir: string): void {
  // The root directory itself is a file without a name.
  if (base === '' && dir === '/') return;
  if (base === '' || base === '.' || base === '..' || base.includes('/')) {
    throw invalid(header, tag, `${JSON.stringify(base)} in ${JSON.stringify(dir)} is no file name.`);
  }
}

function checkedPaths(header: MainHeader, tag: MainTag, bytePaths: string[]): Paths {
  let total = 0;
  const indexOf = new Map<string, number>();
  const paths = bytePaths.map((path, i) => {
    total += escapedLength(path);
    if (path.length > fileListLimits.pathBytes || total > fileListLimits.allPathBytes) {
      const { pathBytes, allPathBytes } = fileListLimits;
      throw limit(
        header,
        tag,
        `Paths over ${pathBytes} bytes, or over ${allPathBytes} bytes together, are refused.`,
      );
    }
    if (indexOf.has(path)) throw invalid(header, tag, `${JSON.stringify(path)} is listed twice.`);
    indexOf.set(path, i);
    // Most are ASCII: then bytes and text are one string and take memory once.
    return /^[\x20-\x7e]*$/.test(path) ? path : decodeName(header, tag, Buffer.from(path, 'latin1'), 0);
  });
  return { indexOf, paths };
}

/** Regular files with one device and inode are one file (`lib/rpmfi.cc`, `rpmfilesBuildNLink`). */
function hardLinks(header: MainHeader, modes: readonly number[], flags: readonly number[]): Uint32Array {
  const contentAt = Uint32Array.from(modes, (_, i) => i);
  const inodes = numbersOf(header, 'FILEINODES');
  const devices = numbersOf(header, 'FILEDEVICES');
  if (inodes === undefined || devices === undefined) return contentAt;
  const lastOf = new Map<number, Map<number, number>>();
  // From the end, so that the last of them is met first.
  for (let i = modes.length - 1; i >= 0; i--) {
    const [mode = 0, flag = 0, inode = 0, device = 0] = [modes[i], flags[i], inodes[i], devices[i]];
    if ((mode & fileKind.mask) !== fileKind.regular || (flag & ghostFlag) !== 0 || inode === 0) continue;
    const onDevice = lastOf.get(device) ?? new Map<number, number>();
    lastOf.set(device, onDevice);
    const last = onDevice.get(inode);
    if (last === undefined) onDevice.set(inode, i);
    else contentAt[i] = last;
  }
  return contentAt;
}

/** What facts say of each file. A ghost directory is a directory, as in the indexes (`parsehdr.c`). */
export function packageFiles(header: MainHeader, list: FileList): PackageFile[] {
  const targets = dataOf(header, 'FILELINKTOS');
  let at = 0;
  return list.paths.map((path, i) => {
    const mode = list.modes[i] ?? 0;
    const byteTarget = list.byteTargets[i] ?? '';
    const start = at;
    at += byteTarget.length + 1;
    const type = typeOf(mode, list.flags[i] ?? 0);
    const file = { path, type, sizeBytes: list.sizes[i] ?? 0, mode: mode & 0o7777 };
    if (byteTarget === '' || targets === undefined) return file;
    const bytes = targets.subarray(start, start + byteTarget.length);
    return { ...file, target: decodeText(header, 'FILELINKTOS', bytes, start) };
  });
}

function typeOf(mode: number, flags: number): FileType {
  const kind = mode & fileKind.mask;
  if (kind === fileKind.directory) return 'directory';
  if ((flags & ghostFlag) !== 0) return 'ghost';
  if (kind === fileKind.symlink) return 'symlink';
  return otherKinds[kind] ?? 'file';
}

/** What stands in primary (createrepo_c `src/misc.h`, `cr_is_primary`): `bin/` counts anywhere, in `/opt/cabin/x` too. */
export const isPrimaryPath = (path: string): boolean =>
  path.startsWith('/etc/') || path === '/usr/lib/sendmail' || path.includes('bin/');
