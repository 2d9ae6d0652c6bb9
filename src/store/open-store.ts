import { DirectoryStore } from './directory.ts';
import type { Fatal } from './folders.ts';
import type { BucketPlace } from './s3.ts';
import type { Store } from './store.ts';

export type StoreChoice = {
  readonly store:
    { readonly kind: 'directory'; readonly path: string } | (BucketPlace & { readonly kind: 'bucket' });
  /** In which an object store must answer an attempt. */
  readonly storeTimeoutMs: number;
  /** Where else files of a bucket are, as `BucketStoreOptions` has it. */
  readonly redirectPackages: string;
};

export type OpenedStore = {
  readonly store: Store;
  /**
   * Removes what writes that did not come to their end have left: all of it while nothing else writes, or what no
   * other node can be writing any more.
   */
  readonly clear: (now: number, isAlone: boolean) => Promise<void>;
};

/** Calls at once: uploads and a publication of several channels, and what is read meanwhile. */
const concurrency = 64;
const attempts = 4;
const pointerSpacingMs = 1000;
/** A write takes minutes at most, of whatever size. */
const abandonedMs = 86_400_000;

/** `fatal`: what ends the process when a disk does not take what was written. Throws `store_unavailable`. */
export async function openStore(
  { store: place, storeTimeoutMs, redirectPackages }: StoreChoice,
  fatal: Fatal,
): Promise<OpenedStore> {
  if (place.kind === 'directory') {
    const store = new DirectoryStore(place.path, fatal);
    return { store, clear: (now, isAlone) => store.clearTemporary(isAlone ? Infinity : now - abandonedMs) };
  }
  // Who has no bucket has no use for its client, which is large.
  const [{ Bucket }, { BucketStore }] = await Promise.all([import('./s3.ts'), import('./bucket-store.ts')]);
  const bucket = new Bucket(place, { timeoutMs: storeTimeoutMs, attempts, concurrency });
  await bucket.check();
  return {
    store: new BucketStore(bucket, { pointerSpacingMs, elsewhere: redirectPackages }),
    clear: (now) => bucket.abortAbandoned(now),
  };
}
