/**
 * Where the published tree lives. Keys are relative paths with `/`, made by the paths.ts of each format: no caller
 * joins strings. Two implementations: a directory and a bucket; one contract suite runs against both.
 */
import type { Readable } from 'node:stream';

/** Bytes `start` to `end`, both inclusive, counted from 0. */
export type ByteRange = { readonly start: number; readonly end: number };

export type StoredFile = {
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
  /** Streams the file or a part of it; closes it when the stream ends or is destroyed. Call once, or `close`. */
  readonly stream: (range?: ByteRange) => Readable;
  /** Fills a buffer with what stands at a position, and says how much that is. Of files that are local. */
  readonly read?: (buffer: Uint8Array, position: number) => Promise<number>;
  /** Whether the same file is still there: at once, for what is asked each time. Of files that are local. */
  readonly isUnchanged?: () => boolean;
  /** The whole file in memory: for pointers and small metadata only. Closes it. */
  readonly bytes: () => Promise<Buffer>;
  readonly close: () => Promise<void>;
  /**
   * A URL that has the same bytes and needs no token, for some minutes at least; null when there is none that may be
   * given out. Absent where the settings ask for none.
   */
  readonly elsewhere?: (audience: 'anybody' | 'who asked') => Promise<string | null>;
};

export type StoredKey = {
  readonly key: string;
  /** An alias is told as itself: it has no size, and its time is that of its making. */
  readonly kind: 'file' | 'alias';
  readonly sizeBytes: number;
  /** When it was written; of a pointer, where the store keeps that, the time that it was given. */
  readonly lastModifiedMs: number;
};

/** A file that is being written and has no key yet: it is placed, alone or with others, or discarded, once. */
export type StagedFile = {
  /** The rest of `putImmutable`. */
  readonly place: (key: string) => Promise<void>;
  /** Leaves nothing of it. */
  readonly discard: () => Promise<void>;
};

export type PointerFile = {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly lastModifiedMs: number;
  /** The same bytes, staged with the same time and not placed yet: a store may let one file have both names. */
  readonly file?: StagedFile | undefined;
};

export type Alias = { readonly key: string; readonly target: string };

/** What a generation consists of and nobody asks for yet. */
export type NewNames = {
  readonly files: readonly { readonly key: string; readonly file: StagedFile }[];
  readonly aliases: readonly Alias[];
};

/** What shows a generation: its plain names, and what clients start from. */
export type VisibleFiles = {
  readonly aliases: readonly Alias[];
  readonly pointers: readonly PointerFile[];
};

/** What is ready and shows nothing yet. One of the two is to be called, once. */
export type StagedVisible = {
  /** Resolves when all is done that can be done beforehand: then the files of pointers may be placed. */
  readonly prepared: Promise<void>;
  /**
   * Aliases as `putAlias` does, in any order; when all are there the pointers one after the other, in their order,
   * as `putPointer` does. All are durable when it resolves.
   */
  readonly place: () => Promise<void>;
  /** Leaves nothing of it. */
  readonly discard: () => Promise<void>;
};

export interface Store {
  /**
   * Keeps a file, given in pieces, that never changes under this key once anything names it. Durable when it
   * resolves. The same again is no error; what an attempt that ended early left under the key is replaced.
   */
  putImmutable(key: string, chunks: readonly Uint8Array[]): Promise<void>;
  /** The same for a local file, which is gone from `path` afterwards. What stood under the key is replaced. */
  putImmutableFile(key: string, path: string): Promise<void>;
  /**
   * The same for a file whose key is not known yet, because it is the digest of what is being written.
   * `lastModifiedMs`: that of the pointer which will have the same bytes.
   */
  stage(chunks: readonly Uint8Array[], lastModifiedMs?: number): StagedFile;
  /** Places files, then aliases as `putAlias` does, and makes all of them durable together. None is left staged. */
  placeAll(names: NewNames): Promise<void>;
  /** Replaces a pointer in one step: a reader sees the old bytes or the new ones. Durable when it resolves. */
  putPointer(key: string, bytes: Uint8Array, lastModifiedMs: number): Promise<void>;
  /** Lets `key` show what `target` holds, a file or a whole folder, in one step. Durable when it resolves. */
  putAlias(key: string, target: string): Promise<void>;
  /** Several of both, of which everything is done beforehand that can be. */
  stageVisible(files: VisibleFiles): StagedVisible;
  /** The file under a key, aliases followed; null when there is none. */
  open(key: string): Promise<StoredFile | null>;
  /** Every file and alias under a prefix that is a folder; what an alias shows is not looked into. */
  list(prefix: string): AsyncIterable<StoredKey>;
  /** Removes a file or an alias, and the folders that are empty then; one that is not there is no error. */
  delete(key: string): Promise<void>;
}
