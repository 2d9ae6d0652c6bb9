/** Whether an rpm package gets our signature, is served as it was uploaded, or does not go in. */
import type { RepositoryRow } from '../db/catalog.ts';
import { AppError } from '../errors.ts';
import type { UploadedSignature } from '../formats/format.ts';
import { readProducerKey } from '../signing/keys.ts';
import { refuseExpired, type PublicKey } from '../signing/public-key.ts';

export const signingPolicies = ['always', 'unsigned-only', 'require', 'never'] as const;
export type SigningPolicy = (typeof signingPolicies)[number];

export const producerKeyLimits = { keys: 32, characters: 64 * 1024 } as const;

/** A signature of a package, held against the keys of the producers. */
export type JudgedSignature = Pick<UploadedSignature, 'keyId' | 'fingerprint' | 'covers'> & {
  /** The key that made it; null when it is none of the repository's producers. */
  readonly signer: string | null;
  /** Why it does not count although the key is known; null when it is good. */
  readonly fault: string | null;
};

/** What is known of a package when it is decided. */
type Signed = {
  readonly signatures: readonly JudgedSignature[];
  /** Whether a signature of the header alone leaves the payload uncovered. */
  readonly needsWhole: boolean;
};

/**
 * Decides what happens to a package. Every signature that clients meet has to hold, or rpm refuses the package
 * (`lib/rpmvs.cc`), so one that cannot be checked counts like a wrong one. Throws `producer_signature_missing`,
 * `producer_key_unknown` and `producer_signature_bad`.
 */
export function decideSigning(
  policy: SigningPolicy,
  { signatures, needsWhole }: Signed,
): { readonly sign: boolean; readonly signedBy: string | null } {
  if (policy === 'always') return { sign: true, signedBy: null };
  if (policy === 'never') return { sign: false, signedBy: null };
  const [first, ...others] = signatures;
  if (first === undefined) {
    if (policy === 'unsigned-only') return { sign: true, signedBy: null };
    throw new AppError(
      'producer_signature_missing',
      'The package is not signed, and this repository takes signed packages only.',
      { part: 'signature header' },
    );
  }
  for (const signature of [first, ...others]) refuseUncounted(signature);
  if (needsWhole && !signatures.some(({ covers }) => covers === 'header and payload')) {
    throw new AppError(
      'producer_signature_bad',
      'The package has no digest of its payload, and its signatures cover the header alone.',
      { part: 'signature header' },
    );
  }
  return { sign: false, signedBy: first.signer };
}

function refuseUncounted({ signer, fault, keyId, fingerprint }: JudgedSignature): void {
  const place = { part: 'signature header' };
  if (signer === null) {
    const key = fingerprint ?? keyId ?? 'that the signature does not name';
    throw new AppError(
      'producer_key_unknown',
      `The package is signed by the key ${key}, which this repository does not know.`,
      place,
    );
  }
  if (fault !== null) throw new AppError('producer_signature_bad', fault, place);
}

/** The keys of the producers, armoured, as a repository's row has them. */
export function producerKeysOf({ producer_keys }: Pick<RepositoryRow, 'producer_keys'>): string[] {
  // Written by writeProducerKeys.
  return JSON.parse(producer_keys) as string[];
}

/** The same as keys. */
export const producersOf = (row: Pick<RepositoryRow, 'producer_keys'>): PublicKey[] =>
  producerKeysOf(row).map(readProducerKey);

/** The middle policies go by the keys of producers; the others need not look at signatures. */
export const goesByProducers = (policy: SigningPolicy): boolean =>
  policy === 'unsigned-only' || policy === 'require';

/**
 * Reads the keys that a repository is to know its producers by, reduced to what clients need, each once. `now` is
 * in seconds since 1970. Throws what `readProducerKey` throws, `key_expired` and `producer_keys_limit`.
 */
export function readProducerKeys(armored: readonly string[], now: number): PublicKey[] {
  const { keys, characters } = producerKeyLimits;
  if (armored.length > keys || armored.some((text) => text.length > characters)) {
    throw new AppError(
      'producer_keys_limit',
      `A repository has at most ${keys} keys of producers, each of at most ${characters} characters.`,
      { field: 'producerKeys' },
    );
  }
  const found = new Map<string, PublicKey>();
  for (const text of armored) {
    const key = readProducerKey(text);
    refuseExpired(key, now);
    found.set(key.fingerprint, key);
  }
  return [...found.values()];
}

export const writeProducerKeys = (keys: readonly PublicKey[]): string =>
  JSON.stringify(keys.map(({ armored }) => armored));
