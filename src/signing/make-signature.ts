/** One signature over some content, made with a signer. */
import type { Hash } from 'node:crypto';
import { AppError } from '../errors.ts';
import type { KeyMaterial } from './key-packet.ts';
import { concatBytes, type Subpacket } from './packets.ts';
import { sha256, verifyRaw } from './raw-signature.ts';
import { encodeHashedPart, encodeSignature, signatureTrailer } from './signature-packet.ts';
import type { Signer } from './signer.ts';

/** A signer whose key may not be certified yet. */
export type BareSigner = { readonly key: KeyMaterial } & Pick<Signer, 'sign'>;

export type Claims = {
  readonly type: number;
  /** Seconds since 1970, not before the key was made. */
  readonly createdAt: number;
  readonly subpackets?: readonly Subpacket[];
};

const maxTime = 0xffff_ffff;

function claimsOf(key: KeyMaterial, claims: Claims): Uint8Array {
  const { createdAt } = claims;
  if (!Number.isSafeInteger(createdAt) || createdAt < key.createdAt || createdAt > maxTime) {
    throw new AppError(
      'signing_time',
      `The key ${key.fingerprint} was made at ${key.createdAt} (seconds since 1970), and cannot sign at ${createdAt}.`,
    );
  }
  return encodeHashedPart({ ...claims, key });
}

/** The binary packet of a signature over the content. Throws `signing_time` or `signing_failed`. */
export async function makeSignature(
  signer: BareSigner,
  claims: Claims,
  content: Uint8Array,
): Promise<Uint8Array> {
  const hashedPart = claimsOf(signer.key, claims);
  const message = concatBytes(content, signatureTrailer(hashedPart));
  return wrap(signer.key, hashedPart, sha256(message), () => signer.sign(message));
}

/** The same over content that has gone through `contentHash` (SHA-256), which is used up. */
export async function makeSignatureOfHash(
  signer: Pick<Signer, 'key' | 'signDigest'>,
  claims: Claims,
  contentHash: Hash,
): Promise<Uint8Array> {
  const hashedPart = claimsOf(signer.key, claims);
  const digest = contentHash.update(signatureTrailer(hashedPart)).digest();
  return wrap(signer.key, hashedPart, digest, () => signer.signDigest(digest));
}

/**
 * Every signature is checked before anything is published with it: a signer elsewhere may hold another key than
 * the one it was set up with, and one flipped bit in an RSA computation gives the private key away.
 */
async function wrap(
  key: KeyMaterial,
  hashedPart: Uint8Array,
  digest: Uint8Array,
  sign: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  let raw: Uint8Array;
  try {
    raw = await sign();
  } catch (cause) {
    throw new AppError('signing_failed', `The key ${key.fingerprint} could not sign.`, undefined, { cause });
  }
  if (!verifyRaw(key.verifyingKey, 'sha256', digest, raw)) {
    throw new AppError(
      'signing_failed',
      `What signs for the key ${key.fingerprint} returned a wrong signature.`,
    );
  }
  return encodeSignature(key.algorithm, hashedPart, digest, raw);
}
