/**
 * Every path of the apt tree (DESIGN, "What clients see"), from the root of the store. Nothing else joins them.
 * Names of repositories, channels, components and distributions are the registry's and have passed its grammar;
 * what comes out of a package has passed `checkIdentity`.
 */
import { fieldFault } from './control.ts';
import { versionFault, withoutEpoch } from './version.ts';

export type DebIdentity = { readonly name: string; readonly version: string; readonly architecture: string };

/**
 * dpkg's grammar of names (`pkg_name_is_illegal`) in lower case: dpkg folds capitals and apt does not, so that
 * a package `Foo` would be installed as `foo` and never found again. The first character keeps a name from
 * being a hidden file, a way out, or an option.
 */
const packageName = /^[a-z0-9][a-z0-9+._-]*$/;

/** Names of source packages reach paths too. Third parties write capitals, and nothing folds them. */
const sourceName = /^[A-Za-z0-9][A-Za-z0-9+._-]*$/;

/** dpkg's grammar of architectures (`dpkg_arch_name_is_illegal`), in lower case. */
const architectureName = /^[a-z0-9][a-z0-9-]*$/;

/** NAME_MAX of Linux: the longest file name that a directory can hold. */
const fileNameBytes = 255;

export const isSourceName = (text: string): boolean => text.length <= fileNameBytes && sourceName.test(text);

/** Names that stand for sets of architectures, or for no binary at all. */
function isWildcard(architecture: string): boolean {
  return architecture === 'source' || architecture.split('-').includes('any');
}

/** Throws `control_field` when the package cannot have a file and an identity of its own. */
export function checkIdentity(identity: DebIdentity, part: string): void {
  const { name, version, architecture } = identity;
  if (!packageName.test(name))
    throw fieldFault(
      part,
      'Package',
      'must be lower-case letters, digits and + - . _, and start with the first two',
    );
  const wrong = versionFault(version);
  if (wrong !== null) throw fieldFault(part, 'Version', wrong);
  if (!architectureName.test(architecture) || isWildcard(architecture))
    throw fieldFault(part, 'Architecture', 'must be one architecture, or "all"');
  // apt keeps a package under its name with the epoch, whose colon it escapes: it must be able to.
  const length = packageFilename(identity).length + version.length - withoutEpoch(version).length;
  if (length + 2 * version.split(':').length > fileNameBytes)
    throw fieldFault(part, 'Version', `makes a file name of more than ${fileNameBytes} characters`);
}

/** The file name that dpkg-name gives a package. The epoch is no part of it. */
export const packageFilename = ({ name, version, architecture }: DebIdentity): string =>
  `${name}_${withoutEpoch(version)}_${architecture}.deb`;

/** The folder of a source package within a pool: libraries would crowd one letter. */
export const initialOf = (source: string): string =>
  source.startsWith('lib') && source.length > 3 ? source.slice(0, 4) : source.slice(0, 1);

/** What clients have as URI. */
export const repositoryRoot = (repository: string): string => `apt/${repository}`;

/** The folder of all package files of a repository. */
export const poolRoot = (repository: string): string => `${repositoryRoot(repository)}/pool`;

export type PoolPlace = { readonly repository: string; readonly distribution: string };

/**
 * Where a package file lies in the store. `distinct` keeps two packages apart that have one file name: their
 * versions differ in the epoch alone.
 */
export function poolKey(place: PoolPlace, source: string, filename: string, distinct?: string): string {
  const distribution = place.distribution === '' ? [] : [place.distribution];
  const apart = distinct === undefined ? [] : [distinct];
  return [poolRoot(place.repository), ...distribution, initialOf(source), source, ...apart, filename].join(
    '/',
  );
}

/** What `Filename` says of a file in the store: its path below the URI of the repository. */
export const filenameField = (key: string): string => key.split('/').slice(2).join('/');

export type ChannelPlace = { readonly repository: string; readonly channel: string };

export const channelRoot = ({ repository, channel }: ChannelPlace): string =>
  `${repositoryRoot(repository)}/dists/${channel}`;

/** What clients have as URI to be pinned: the tree as of a generation or a moment. */
export const snapshotBase = (repository: string, id: string): string =>
  `${repositoryRoot(repository)}/snapshots/${id}`;

/** The frozen tree of a channel as of a generation or a moment, with the same names inside. */
export const snapshotRoot = ({ repository, channel }: ChannelPlace, id: string): string =>
  `${snapshotBase(repository, id)}/dists/${channel}`;

/** Below a channel or a snapshot of it. */
export const release = { inline: 'InRelease', text: 'Release', signature: 'Release.gpg' } as const;

export const packagesPath = (component: string, architecture: string): string =>
  `${component}/binary-${architecture}/Packages`;

export const sourcesPath = (component: string): string => `${component}/source/Sources`;

export const contentsPath = (component: string, architecture: string): string =>
  `${component}/Contents-${architecture}`;

const extensions = { none: '', gzip: '.gz', zstd: '.zst', xz: '.xz' } as const;

export const compressedPath = (path: string, compression: keyof typeof extensions): string =>
  `${path}${extensions[compression]}`;

/** Where apt asks for a file that Release lists: beside it, by its SHA-256. */
export function byHashPath(path: string, sha256: string): string {
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
  return `${folder}by-hash/SHA256/${sha256}`;
}
