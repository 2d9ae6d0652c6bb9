/**
 * `Contents-<arch>`: which package has a path, one line each: the path without its leading slash, blanks, and
 * the packages as `section/name`, parted by commas. As apt-ftparchive writes it; read by apt-file.
 */
import type { PackageFile } from '../package.ts';

/** One line. Paths may hold blanks; what stands after the last blank of a line is the packages. */
export type ContentsLine = { readonly path: string; readonly packages: readonly string[] };

/** How a package is named in Contents. A section with a blank in it would not be parted from the path. */
export function qualifiedName(name: string, section: string | null): string {
  return section === null || section === '' || /\s/.test(section) ? name : `${section}/${name}`;
}

/** The order of UTF-8 bytes, which is that of strcmp and `LC_ALL=C sort`; JavaScript's is that of UTF-16. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [first, second] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (first !== second) return bytesRank(first) - bytesRank(second);
  }
  return a.length - b.length;
}

/** Surrogates stand for what comes after U+FFFF. */
function bytesRank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/** The lines of one package, sorted. Directories are left out. */
export function contentsOf(files: readonly PackageFile[], qualified: string): ContentsLine[] {
  return files
    .filter(({ type }) => type !== 'directory')
    .map(({ path }) => ({ path: path.slice(1), packages: [qualified] }))
    .sort((a, b) => compareBytes(a.path, b.path));
}

/** Sorted lists merged into one sorted list; lines with the same path become one. */
export function mergeContents(lists: readonly (readonly ContentsLine[])[]): ContentsLine[] {
  const [only = []] = lists;
  if (lists.length <= 1) return [...only];
  const half = lists.length >> 1;
  return mergeTwo(mergeContents(lists.slice(0, half)), mergeContents(lists.slice(half)));
}

function mergeTwo(a: readonly ContentsLine[], b: readonly ContentsLine[]): ContentsLine[] {
  const merged: ContentsLine[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [first, second] = [a[i], b[j]];
    if (first === undefined || second === undefined) return [...merged, ...a.slice(i), ...b.slice(j)];
    const order = compareBytes(first.path, second.path);
    if (order < 0) merged.push(first);
    else if (order > 0) merged.push(second);
    else merged.push({ path: first.path, packages: unite(first.packages, second.packages) });
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
}

/** Several versions of one package have one name here. */
function unite(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort(compareBytes);
}

/** A tab parts the columns: the width of columns in older indexes carries no meaning. */
export function writeContents(lines: readonly ContentsLine[]): string {
  return lines.map(({ path, packages }) => `${path}\t${packages.join(',')}\n`).join('');
}

export function parseContents(text: string): ContentsLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const at = Math.max(line.lastIndexOf(' '), line.lastIndexOf('\t'));
      let end = at;
      while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--;
      return { path: line.slice(0, end), packages: line.slice(at + 1).split(',') };
    });
}
