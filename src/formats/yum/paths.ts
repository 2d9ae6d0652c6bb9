/**
 * Every path of the yum tree (DESIGN, "What clients see"), from the root of the store. Nothing else joins them.
 * Names of repositories, channels and distributions are the registry's and have passed its grammar; what comes
 * out of a package has passed `checkIdentity`.
 */
import { AppError } from '../../errors.ts';
import type { DocumentKind, PackageDocument } from './repomd.ts';

/** What a file name is made of. The epoch is no part of it. */
export type Nvra = {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  /** `src` and `nosrc` for source packages, as rpm names their files. */
  readonly architecture: string;
};

/**
 * The grammars. Names are rpmbuild's (`build/parsePreamble.c`) without the percent sign and brackets of a macro
 * that was not expanded. A version or release has no hyphen and an architecture no dot, so a file name can be
 * taken apart in one way only; and nothing starts with a dot or a hyphen, so none is a hidden file, a way out,
 * or an option.
 */
const grammars = {
  name: /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/,
  version: /^[A-Za-z0-9_+~^][A-Za-z0-9._+~^]*$/,
  release: /^[A-Za-z0-9_+~^][A-Za-z0-9._+~^]*$/,
  architecture: /^[A-Za-z0-9][A-Za-z0-9_]*$/,
} as const satisfies Record<keyof Nvra, RegExp>;

const tags = { name: 'NAME', version: 'VERSION', release: 'RELEASE', architecture: 'ARCH' } as const;

/** NAME_MAX of Linux: the longest file name that a directory can hold. */
const fileNameBytes = 255;

/** Throws `rpm_identity_invalid` when a package's file cannot have a name of its own in the pool. */
export function checkIdentity(nvra: Nvra): void {
  for (const field of ['name', 'version', 'release', 'architecture'] as const) {
    if (grammars[field].test(nvra[field])) continue;
    const shown = JSON.stringify(nvra[field].slice(0, 100));
    throw new AppError('rpm_identity_invalid', `The ${field} ${shown} cannot be part of a file name.`, {
      part: 'main header',
      tag: tags[field],
    });
  }
  const length = packageFilename(nvra).length;
  if (length > fileNameBytes) {
    throw new AppError(
      'rpm_identity_invalid',
      `The file name of the package would have ${length} characters; ${fileNameBytes} are possible.`,
      { part: 'main header', tag: 'NAME' },
    );
  }
}

/** The file name that rpmbuild gives a package. */
export const packageFilename = ({ name, version, release, architecture }: Nvra): string =>
  `${name}-${version}-${release}.${architecture}.rpm`;

/** The folder of a package file within a pool: the first character of its name, in lower case. */
export const initialOf = (filename: string): string => filename.slice(0, 1).toLowerCase();

/** Within a pool. `distinct` keeps two packages apart whose epochs alone differ. */
const pooled = (filename: string, distinct?: string): string =>
  [initialOf(filename), ...(distinct === undefined ? [] : [distinct]), filename].join('/');

/** What `location href` says, relative to the channel's URL. */
export const packageLocation = (filename: string, distinct?: string): string =>
  `packages/${pooled(filename, distinct)}`;

export type PoolPlace = { readonly repository: string; readonly distribution: string };

export const repositoryRoot = (repository: string): string => `yum/${repository}`;

/** The pool of a repository, or of one of its distributions; `packages` in a channel is a link to it. */
export const poolRoot = ({ repository, distribution }: PoolPlace): string =>
  [repositoryRoot(repository), 'pool', ...(distribution === '' ? [] : [distribution])].join('/');

/** Where a package file lies in the store. */
export const poolKey = (place: PoolPlace, filename: string, distinct?: string): string =>
  `${poolRoot(place)}/${pooled(filename, distinct)}`;

export type ChannelPlace = { readonly repository: string; readonly channel: string };

export const channelRoot = ({ repository, channel }: ChannelPlace): string =>
  `${repositoryRoot(repository)}/${channel}`;

/** The frozen tree of one generation, with the same names inside as the channel. */
export const generationRoot = (place: ChannelPlace, generation: number): string =>
  `${channelRoot(place)}/generations/${generation}`;

/** The tree as of a moment, or of a pin. */
export const snapshotRoot = (place: ChannelPlace, id: string): string =>
  `${channelRoot(place)}/snapshots/${id}`;

/** Below a channel or one of its generations. */
export const repodata = {
  repomd: 'repodata/repomd.xml',
  signature: 'repodata/repomd.xml.asc',
} as const;

/** A link beside `repodata`, to the pool. */
export const packagesLink = 'packages';

export const metalinkPath = (place: ChannelPlace): string => `${channelRoot(place)}/metalink`;

export type MetadataKind = PackageDocument | DocumentKind;

const extensions = { gzip: '.gz', zstd: '.zst', none: '' } as const;

/**
 * A metadata file, named by the SHA-256 of its bytes: a name never has other content, in no cache and on no
 * mirror. It is also its `location href`.
 */
export const metadataPath = (
  kind: MetadataKind,
  sha256: string,
  compression: keyof typeof extensions,
): string => `repodata/${sha256}-${kind}.${kind === 'modules' ? 'yaml' : 'xml'}${extensions[compression]}`;
