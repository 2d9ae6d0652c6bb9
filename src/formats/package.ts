/** What the server knows of one package, whatever its format. */

export type FormatName = 'apt' | 'yum';

/** What makes a package itself within a repository and a distribution; see DESIGN, "Words". */
export type Identity = {
  readonly format: FormatName;
  readonly name: string;
  /** apt: the Version field as it stands. yum: `epoch:version-release`, the epoch always written. */
  readonly version: string;
  readonly architecture: string;
};

/** The kinds of relation, in the field's words: Debian policy 7, and the RPM tags of the same names. */
export type RelationKind =
  | 'pre-depends'
  | 'depends'
  | 'requires'
  | 'recommends'
  | 'suggests'
  | 'supplements'
  | 'enhances'
  | 'conflicts'
  | 'breaks'
  | 'replaces'
  | 'provides'
  | 'obsoletes'
  | 'built-using';

/** One relation as the package's own tools would print it: `libc6 (>= 2.36)`, `config(foo) = 0:1.0-1`. */
export type Relation = { readonly kind: RelationKind; readonly text: string };

export type FileType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'ghost' | 'device' | 'fifo' | 'socket';

/** A file that the package installs. */
export type PackageFile = {
  /** Absolute, as installed: `/usr/bin/hello`. Never a trailing slash, but for `/` itself. */
  readonly path: string;
  readonly type: FileType;
  readonly sizeBytes: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly target?: string;
};

/** A script that runs as root on the machine that installs: `postinst`, `pre`. */
export type Script = { readonly name: string; readonly interpreter?: string; readonly text: string };

export type ChangelogEntry = {
  readonly author: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly text: string;
};

/** A warning that does not refuse the package: what will trouble some client, in a sentence. */
export type Finding = { readonly code: string; readonly message: string };

/** What both formats can say of a package once it has been read. */
export type PackageFacts = {
  readonly identity: Identity;
  /** The file name it has in the pool, made from the identity and never from the upload's name. */
  readonly filename: string;
  /** The source package it was built from, when it says so (`null` for what is itself a source). */
  readonly source: { readonly name: string; readonly version: string } | null;
  readonly summary: string;
  readonly description: string;
  readonly maintainer: string | null;
  readonly homepage: string | null;
  readonly license: string | null;
  readonly section: string | null;
  /** Seconds since 1970. */
  readonly buildTime: number | null;
  readonly buildHost: string | null;
  readonly installedSizeBytes: number | null;
  readonly relations: readonly Relation[];
  readonly files: readonly PackageFile[];
  readonly scripts: readonly Script[];
  readonly changelog: readonly ChangelogEntry[];
  readonly findings: readonly Finding[];
};
