/** What the server asks of a package format. Everything here is pure; `formats.ts` lists the formats. */
import type { FormatName, PackageFacts } from './package.ts';
import type { RelationFormat } from './relation.ts';

/** A package that has been read: its facts, and what the format keeps for rendering and signing. */
export type ParsedPackage = {
  readonly facts: PackageFacts;
  /** SHA-256 of what signing never changes: the whole file (apt), main header and payload (yum). */
  readonly coreSha256: string;
};

/** The file as it is served: after signing, under its key. */
export type ServedFile = {
  /** The key in the store, from `poolKey` with the same `distinct`. */
  readonly key: string;
  readonly distinct: string | undefined;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly md5: string;
};

/** A package's ready part of one index: its stanza, its primary fragment. */
export type Entry = { readonly kind: string; readonly body: string };

/** A channel as far as its published files depend on it. */
export type ChannelForm = {
  readonly repository: string;
  readonly name: string;
  readonly distribution: string;
  readonly origin: string;
  readonly label: string;
  readonly description: string;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  /** How indexes are compressed, in the order of the files. */
  readonly compressions: readonly Compression[];
  /** Whether it says which package ships which file: `Contents-<arch>` of apt. */
  readonly contents: boolean;
  /** No trailing slash. */
  readonly publicUrl: string;
};

export type Compression = 'gzip' | 'zstd' | 'xz';
/** How a file of an index is written; `none` is its text as it stands. */
export type FileForm = Compression | 'none';
export type DocumentForm = Exclude<FileForm, 'xz'>;

type Plan = {
  /** Its name within the channel: `main/binary-amd64/Packages`, `primary`. */
  readonly id: string;
  readonly holds: (member: { readonly component: string; readonly architecture: string }) => boolean;
};

/** An index with an entry for each package: which it holds and what stands around them. */
export type EntryPlan = Plan & {
  readonly of: 'entries';
  readonly entryKind: string;
  /** About how long an entry is: where the index is cut depends on it. Part of the format, never changed. */
  readonly averageEntryBytes: number;
  readonly compressions: readonly Compression[];
  readonly head: (count: number) => string;
  readonly foot: string;
};

/** An index with a line for each path, gzip alone: index/lines.ts. */
export type FilePlan = Plan & {
  readonly of: 'files';
  /** As `averageEntryBytes`. */
  readonly averageLineBytes: number;
  /** What a line begins with; null for a file that has none. */
  readonly keyOf: (file: { readonly path: string; readonly type: string }) => string | null;
  /** How a package is called in a line. */
  readonly nameOf: (name: string, section: string | null) => string;
};

/** One index of a channel. */
export type IndexPlan = EntryPlan | FilePlan;

export type FileDigest = { readonly sha256: string; readonly sizeBytes: number };

/** The pieces of a file, one after the other. */
export type Chunks = readonly Uint8Array[];

/** One form of an index. `chunks` is null when the file is in the store already. */
export type IndexFile = FileDigest & { readonly compression: FileForm; readonly chunks: Chunks | null };

export type ComposedIndex = {
  readonly id: string;
  readonly count: number;
  readonly raw: FileDigest;
  readonly forms: readonly IndexFile[];
};

export type GenerationForm = {
  readonly channel: ChannelForm;
  readonly number: number;
  /** Seconds since 1970. */
  readonly date: number;
  readonly validUntil: number;
  /** False when a generation that is there already is signed again. */
  readonly isNew: boolean;
  readonly indexes: readonly ComposedIndex[];
};

/** A text that needs a signature, and of which kind. */
export type UnsignedDocument = {
  readonly text: string;
  readonly clearsign: boolean;
  readonly detach: boolean;
};
export type SignedDocument = UnsignedDocument & { readonly clearsigned: string; readonly detached: string };

/** Where the files of a generation go. Written in the order of the members. */
/** A file that never changes, under a name that no other content has. */
export type NamedFile = { readonly key: string; readonly chunks: Chunks };

/** Those that are to be written: what stands in the store already comes without its bytes. */
export function newFiles(
  files: readonly { readonly key: string; readonly chunks: Chunks | null }[],
): NamedFile[] {
  return files.flatMap(({ key, chunks }) => (chunks ? [{ key, chunks }] : []));
}

export type Placement = {
  /** Every index file that the documents name, whether it is written now or stands there already. */
  readonly named: readonly (FileDigest & { readonly key: string })[];
  /** Before the commit: what says which indexes there are. */
  readonly immutable: readonly NamedFile[];
  /** After the commit: what makes the generation visible. Each pointer shows the bytes of an immutable key. */
  readonly aliases: readonly { readonly key: string; readonly target: string }[];
  readonly pointers: readonly { readonly key: string; readonly from: string }[];
};

/** What is made of a generation. */
export type GenerationFiles = {
  readonly documents: readonly UnsignedDocument[];
  /** Before the commit, without any signature: the indexes that are not there already, and names that never change. */
  readonly indexFiles: readonly NamedFile[];
  readonly frozenAliases: readonly { readonly key: string; readonly target: string }[];
  readonly place: (signed: readonly SignedDocument[]) => Placement;
};

/** What machines are told to trust. */
export type SetupTrust = {
  /** The keys of the repository. */
  readonly armored: string;
  /** The file with the keys of producers whose packages are served as they were uploaded; null without any. */
  readonly producersKey: string | null;
  /** Whether every package is signed by one of these keys. */
  readonly packagesSigned: boolean;
};

export type SetupFile = { readonly key: string; readonly text: string };

/** What has to be signed inside a package before it is served. */
export type SignatureTargets = {
  /** These bytes; they stand at `headerOffset` of the file. */
  readonly header: Uint8Array;
  readonly headerOffset: number;
  /** A second signature over everything from `headerOffset` to the end (rpm packages without payload digest). */
  readonly headerAndPayload: boolean;
};

/** A signature that a package came with. Nothing of it has been verified. */
export type UploadedSignature = {
  /** 16 hexadecimal digits in upper case; null when the packet does not say. */
  readonly keyId: string | null;
  readonly fingerprint: string | null;
  /** Of the main header alone, or of everything from there to the end of the file. */
  readonly covers: 'header' | 'header and payload';
  readonly packet: Uint8Array;
};

/** OpenPGP signature packets, binary, made by a key of this algorithm. */
export type PackageSignatures = {
  readonly algorithm: 'rsa' | 'ed25519';
  readonly header: Uint8Array;
  readonly headerAndPayload: Uint8Array | null;
};

/**
 * What the format does with one package. `P` is what `parse` makes of it; the members that take it back are
 * methods, so that a format of one kind of package stands where any is asked for: nobody but `parse` makes them.
 */
export interface PackageFormat<P extends ParsedPackage = ParsedPackage> {
  /** What file names end in. */
  readonly extension: string;
  readonly compareVersions: (a: string, b: string) => number;
  readonly relations: RelationFormat;
  /** Reads a package once, from its first byte to its last. Throws AppError. */
  parse(source: AsyncIterable<Uint8Array>): Promise<P>;
  /** Null when the format signs its metadata only. */
  readonly signing: PackageSigning<P> | null;
  /**
   * The key of a package's file in the store. `distinct`, when given, keeps two identities apart that would
   * have one file name: an epoch is no part of it.
   */
  readonly poolKey: (place: PoolPlace, facts: Omit<PackageFacts, 'files'>, distinct?: string) => string;
  renderEntries(parsed: P, served: ServedFile): Entry[];
}

export interface PackageSigning<P extends ParsedPackage = ParsedPackage> {
  targets(parsed: P): SignatureTargets;
  /** The bytes that replace everything before `headerOffset`. */
  replace(parsed: P, signatures: PackageSignatures): Uint8Array;
  /** The bytes that stood there in the file as it was uploaded. */
  original(parsed: P): Uint8Array;
  /** Those of a file that signing never changes: `original` and they are the file as it was uploaded. */
  readonly core: (file: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  signatures(parsed: P): readonly UploadedSignature[];
}

export type PoolPlace = { readonly repository: string; readonly distribution: string };

/** A document that a channel publishes beside its packages, as it was uploaded: `updateinfo`, … */
export type DocumentFormat = {
  readonly mediaType: string;
  readonly maxBytes: number;
  /** Throws `document_malformed`, `document_limit` and `document_invalid` for what clients could not use. */
  readonly check: (text: string) => void;
  /** What it is published as in a channel whose indexes are compressed so. */
  readonly forms: (compressions: readonly Compression[]) => readonly DocumentForm[];
};

/** What the format does with a channel. */
export interface ChannelFormat {
  /** What clients are given as URIs (apt) or baseurl (yum), as a key of the store. */
  readonly baseKey: (channel: ChannelForm) => string;
  /** Everything that the format keeps of a repository is below one folder, its package files below another. */
  readonly folders: (repository: string) => { readonly root: string; readonly pool: string };
  /** The same as `baseKey` for one generation, frozen. */
  readonly frozenKey: (channel: ChannelForm, generation: number) => string;
  /** The same as of a moment, or for a pin. */
  readonly snapshotKey: (channel: ChannelForm, id: string) => string;
  readonly indexes: (channel: ChannelForm) => readonly IndexPlan[];
  /** By kind, in the order in which they are published. A generation has each as an index of that name, or not. */
  readonly documents: ReadonlyMap<string, DocumentFormat>;
  /** The texts to sign for a generation, and where everything goes once they are signed. */
  readonly describe: (generation: GenerationForm) => GenerationFiles;
  readonly snapshots: SnapshotFormat;
  /** The files that set a machine up for a channel. */
  readonly setupFiles: (channel: ChannelForm, trust: SetupTrust) => readonly SetupFile[];
}

/** A path of the tree as of a generation or a moment, taken apart. */
export type SnapshotPath = {
  readonly repository: string;
  /** Null below the pool, which is the same at all times. */
  readonly channel: string | null;
  /** A generation's number, a time, or the name of a pin. */
  readonly id: string;
  /** Below the snapshot. */
  readonly rest: string;
};

export type SnapshotPlace = { readonly repository: string; readonly channel: string };

/** How the frozen trees of a format are found by what their files say. */
export type SnapshotFormat = {
  /** Null for a key that is below no snapshot. */
  readonly parse: (key: string) => SnapshotPath | null;
  /** The key of what a snapshot's path shows, in the frozen tree of a generation. */
  readonly frozen: (path: SnapshotPath, generation: number) => string;
  /** The folder of a channel's frozen generations; below it, `numberOf` knows the document of each. */
  readonly folder: (place: SnapshotPlace) => string;
  readonly numberOf: (place: SnapshotPlace, key: string) => number | null;
  /** The path of the signed document below what a pin shows. */
  readonly documentBelow: string;
  /** The signed document of a frozen generation, and of the head. */
  readonly document: (place: SnapshotPlace, generation: number | null) => string;
  /** When it was published, in seconds since 1970, and what else it says: the same for the head it became. */
  readonly read: (text: string) => { readonly date: number; readonly content: string } | null;
  /** What a pin's name shows, and under which keys. */
  readonly pin: (
    place: SnapshotPlace,
    name: string,
    generation: number,
  ) => readonly { readonly key: string; readonly target: string }[];
};

export type Format = {
  readonly name: FormatName;
  readonly packages: PackageFormat;
  readonly channels: ChannelFormat;
};
