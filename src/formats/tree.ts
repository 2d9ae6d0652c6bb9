/** What a path of the published tree is, by its name alone: any server or CDN could decide the same. */

/** Files that never change under their name. All else is a pointer, or a plain name of what a pointer names. */
const immutable = /\/(by-hash\/|pool\/|packages\/|generations\/|snapshots\/\d+\/|repodata\/[0-9a-f]{64}-)/;

export function isImmutable(key: string): boolean {
  return immutable.test(key);
}

/**
 * Named by its digest alone: nothing to ask for by time. apt does, with the time of the list that it had before
 * (`pkgAcqIndex::Custom600Headers`), and two lists can be of one second.
 */
export function isByDigest(key: string): boolean {
  return key.includes('/by-hash/');
}

const types: readonly (readonly [RegExp, string])[] = [
  [/\.u?deb$/, 'application/vnd.debian.binary-package'],
  [/\.rpm$/, 'application/x-rpm'],
  [/\.gz$/, 'application/gzip'],
  [/\.zst$/, 'application/zstd'],
  [/\.xz$/, 'application/x-xz'],
  [/\.xml$/, 'application/xml'],
  [/\/metalink$/, 'application/metalink+xml'],
  [/\.(asc|gpg)$/, 'application/pgp-keys'],
  [/\/(In)?Release$|\/Packages$|\.(sources|repo|sh)$/, 'text/plain; charset=utf-8'],
];

/** The media type of a key. By-hash names say nothing of what they hold. */
export function mediaType(key: string): string {
  if (key.endsWith('/Release.gpg') || key.endsWith('.xml.asc')) return 'application/pgp-signature';
  return types.find(([pattern]) => pattern.test(key))?.[1] ?? 'application/octet-stream';
}
