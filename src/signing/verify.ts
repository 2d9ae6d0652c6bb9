/** Checks signatures: what this server has signed, and what producers signed before. Pure: no clock, no key store. */
import { AppError } from '../errors.ts';
import { decodeArmor } from './armor.ts';
import { decodeCleartext, signedOctets } from './cleartext.ts';
import type { Fingerprint } from './key-packet.ts';
import { decodePackets, malformed, packetTag } from './packets.ts';
import type { PublicKey } from './public-key.ts';
import { decodeSignature, signatureType, type HashName, type Signature } from './signature-packet.ts';
import { checkSignature, hashOf } from './signature.ts';
import { createHash, type Hash } from 'node:crypto';

export type VerifiedSignature = {
  readonly fingerprint: Fingerprint;
  /** Seconds since 1970. */
  readonly createdAt: number;
};

/** At least one, in the order in which they stand. */
export type VerifiedSignatures = readonly [VerifiedSignature, ...VerifiedSignature[]];

const part = 'signature';
/** Two during a rotation; the rest is room. Each costs a computation with a public key. */
const maxSignatures = 8;

/**
 * Checks an `InRelease` and gives the text back that was signed. All functions here throw `openpgp_malformed`,
 * `signature_bad`, or `signature_key_unknown` when none of the keys made a signature. Like apt, they want one
 * good signature and no bad one, and pass over those of other keys.
 */
export function verifyClearsigned(
  document: Uint8Array,
  keys: readonly PublicKey[],
): { readonly text: string; readonly signatures: VerifiedSignatures } {
  const { text, signaturePackets } = decodeCleartext(document);
  const hashContent = hashOf(signedOctets(text));
  return { text, signatures: verifyPackets(signaturePackets, signatureType.text, hashContent, keys) };
}

/** Checks an armoured signature beside its document: `Release.gpg`, `repomd.xml.asc`. */
export function verifyDetached(
  content: Uint8Array,
  armored: string,
  keys: readonly PublicKey[],
): VerifiedSignatures {
  const packets = decodeArmor('PGP SIGNATURE', armored);
  return verifyPackets(packets, signatureType.binary, hashOf(content), keys);
}

/** Checks the one binary packet of an rpm tag. `content` may come in pieces. */
export function verifyPacket(
  content: readonly Uint8Array[],
  packet: Uint8Array,
  keys: readonly PublicKey[],
): VerifiedSignature {
  const [signature, ...others] = verifyPackets(packet, signatureType.binary, hashOf(...content), keys);
  if (others.length > 0) throw malformed('There is more than one signature.', part);
  return signature;
}

/**
 * Checks a signature that someone else made: of any SHA-2, and with the key id where nothing covers it, as GnuPG
 * writes it. Throws `openpgp_malformed`, `signature_key_unknown`, and `signature_bad` also for what is made with
 * a hash that no longer shows anything.
 */
export async function verifyForeignPacket(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  packet: Uint8Array,
  keys: readonly PublicKey[],
): Promise<VerifiedSignature> {
  const [only, ...more] = decodePackets(packet, part);
  if (only?.tag !== packetTag.signature || more.length > 0)
    throw malformed('This is not one signature.', part);
  const signature = decodeSignature(only.body, part);
  if (signature.type !== signatureType.binary)
    throw malformed(`The signature has type ${signature.type}.`, part);
  const { issuerFingerprint, issuerKeyId, hash, createdAt } = signature;
  const key = keys.find((one) =>
    issuerFingerprint === null ? one.keyId === issuerKeyId : one.fingerprint === issuerFingerprint,
  );
  if (key === undefined) {
    const issuer = issuerFingerprint ?? issuerKeyId ?? 'unknown';
    throw new AppError('signature_key_unknown', `The signature is of the key ${issuer}.`);
  }
  const bad = (why: string): AppError =>
    new AppError('signature_bad', `The signature of the key ${key.fingerprint} ${why}.`);
  if (hash === null) throw bad('is made with MD5, SHA-1 or RIPEMD-160');
  const state = createHash(hash);
  for await (const chunk of content) state.update(chunk);
  if (!isGood(key, signature, () => state)) throw bad('does not match');
  return { fingerprint: key.fingerprint, createdAt };
}

function verifyPackets(
  bytes: Uint8Array,
  type: number,
  hashContent: (hash: HashName) => Hash,
  keys: readonly PublicKey[],
): VerifiedSignatures {
  const signatures = decodePackets(bytes, part).map((packet) => {
    if (packet.tag !== packetTag.signature) throw malformed('There is something besides signatures.', part);
    return decodeDocumentSignature(packet.body, type);
  });
  if (signatures.length > maxSignatures) {
    throw malformed(`There are more than ${maxSignatures} signatures.`, part);
  }
  const good = signatures.flatMap((signature): VerifiedSignature[] => {
    const key = keys.find(({ fingerprint }) => fingerprint === signature.issuerFingerprint);
    if (key === undefined) return [];
    if (!isGood(key, signature, hashContent)) {
      throw new AppError('signature_bad', `The signature of the key ${key.fingerprint} does not match.`);
    }
    return [{ fingerprint: key.fingerprint, createdAt: signature.createdAt }];
  });
  const [first, ...others] = good;
  if (first !== undefined) return [first, ...others];
  const issuers = signatures.map(({ issuerFingerprint }) => issuerFingerprint ?? 'unknown').join(', ');
  throw new AppError('signature_key_unknown', `The signature is of the key ${issuers}.`);
}

/** As strict as the writer: only what the signature covers, and all that it must say. */
function decodeDocumentSignature(body: Uint8Array, type: number): Signature {
  const signature = decodeSignature(body, part);
  if (signature.type !== type) throw malformed(`The signature has type ${signature.type}.`, part);
  if (signature.hash !== 'sha256') throw malformed('The signature has another hash than SHA-256.', part);
  if (!signature.isAllHashed) throw malformed('The signature has subpackets that it does not cover.', part);
  return signature;
}

function isGood(key: PublicKey, signature: Signature, hashContent: (hash: HashName) => Hash): boolean {
  const { createdAt } = signature;
  if (createdAt < key.createdAt || (key.expiresAt !== null && createdAt >= key.expiresAt)) return false;
  return checkSignature(key, signature, hashContent);
}
