/** What a path of the published tree is, by its name alone: any server or CDN could decide the same. */
import * as yum from './yum/paths.ts';

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

/** The pointer to the signature beside a document that is a pointer itself; null for everything else. */
export function signatureBeside(key: string): string | null {
  if (isImmutable(key)) return null;
  if (key.endsWith('/Release')) return `${key}.gpg`;
  return key.endsWith('/repodata/repomd.xml') ? `${key}.asc` : null;
}

/** A signature that stands beside what it is over. */
export function isSignature(key: string): boolean {
  return /\/(Release\.gpg|repomd\.xml\.asc)$/.test(key);
}

/** The channel that a set-up file is for; null for any other file. */
export function channelOfSetupFile(key: string): { repository: string; channel: string } | null {
  const [, repository, channel] = /^setup\/([^/]+)\/([^/]+)\.(?:sources|repo|sh)$/.exec(key) ?? [];
  return repository === undefined || channel === undefined ? null : { repository, channel };
}

/** A package's file, by whichever of its names. */
export function isPackageFile(key: string): boolean {
  return /\/(pool|packages)\/.*\.(u?deb|rpm|dsc)$/.test(key);
}

/**
 * The name of a package's file in its pool, by any of the names that clients reach it by: a snapshot of apt has
 * the pool below it, a yum channel and its generations have it as `packages`. `distributionOf` says it of a
 * channel by its id.
 */
export function pooledKey(key: string, distributionOf: (channel: string) => string): string {
  const [, repository = '', channel = '', below = ''] =
    /^yum\/([^/]+)\/([^/]+)\/(?:generations\/\d+\/)?packages\/(.+)$/.exec(key) ?? [];
  if (below === '') return key.replace(/^(apt\/[^/]+)\/snapshots\/[^/]+\/pool\//, '$1/pool/');
  const distribution = distributionOf(`${repository}/${channel}`);
  return `${yum.poolRoot({ repository, distribution })}/${below}`;
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
  if (isSignature(key)) return 'application/pgp-signature';
  return types.find(([pattern]) => pattern.test(key))?.[1] ?? 'application/octet-stream';
}
