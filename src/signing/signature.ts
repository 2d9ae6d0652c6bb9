/** One signature over some content, checked with a public key. */
import { createHash, type Hash } from 'node:crypto';
import { publicKeyAlgorithm, type KeyMaterial } from './key-packet.ts';
import { verifyRaw } from './raw-signature.ts';
import { rawSignature, signatureTrailer, type HashName, type Signature } from './signature-packet.ts';

/**
 * Whether the signature is this key's over the content that `hashContent` has hashed. Throws
 * `openpgp_malformed` for numbers that are not well formed.
 */
export function checkSignature(
  key: KeyMaterial,
  signature: Signature,
  hashContent: (hash: HashName) => Hash,
): boolean {
  const { hash, hashedPart, digestStart } = signature;
  if (hash === null || signature.hasUnknownCritical) return false;
  if (signature.algorithm !== publicKeyAlgorithm[key.algorithm]) return false;
  const digest = hashContent(hash).update(signatureTrailer(hashedPart)).digest();
  if (Buffer.compare(digest.subarray(0, 2), digestStart) !== 0) return false;
  const raw = rawSignature(signature, key, 'signature');
  return raw !== null && verifyRaw(key.verifyingKey, hash, digest, raw);
}

export function hashOf(...content: readonly Uint8Array[]): (hash: HashName) => Hash {
  return (hash) => content.reduce((state, part) => state.update(part), createHash(hash));
}
