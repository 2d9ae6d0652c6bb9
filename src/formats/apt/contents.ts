/**
 * `Contents-<arch>`: which package has a path, one line each: the path without its leading slash, a tab, and the
 * packages as `section/name`, parted by commas. As apt-ftparchive writes it; read by apt-file. A tab parts the
 * columns: the width of columns in older indexes carries no meaning.
 */

/**
 * How a package is named in Contents. A section with a blank in it would not be parted from the path, one with a
 * comma not from other packages.
 */
export function qualifiedName(name: string, section: string | null): string {
  return section === null || section === '' || /[\s,]/.test(section) ? name : `${section}/${name}`;
}

/**
 * What the line of a file begins with. Folders have none, and neither has a path with a line break, which would
 * make a line of its own that says what it likes.
 */
export function lineKey({ path, type }: { readonly path: string; readonly type: string }): string | null {
  return type === 'directory' || path.includes('\n') ? null : path.slice(1);
}
