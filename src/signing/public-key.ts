/**
 * The public key as clients get it: one primary key, one user id, its certification (a "transferable public
 * key", RFC 4880 section 11.1, at its smallest). Whatever else a key brings along, old user ids, encryption
 * subkeys or the signatures of others, can only make some client refuse it, and is left out.
 */
import { AppError } from '../errors.ts';
import { encodeArmor } from './armor.ts';
import { decodeKeyPacket, keyHashInput, type KeyMaterial } from './key-packet.ts';
import {
  ByteReader,
  concatBytes,
  decodePackets,
  encodePacket,
  malformed,
  packetTag,
  subpacketType,
  uint32,
  type Packet,
} from './packets.ts';
import { decodeSignature, signatureType, type Signature } from './signature-packet.ts';
import { checkSignature, hashOf } from './signature.ts';

export type PublicKey = KeyMaterial & {
  readonly userId: string;
  /** Seconds since 1970; `null` for a key that does not expire. */
  readonly expiresAt: number | null;
  readonly binary: Uint8Array;
  readonly armored: string;
};

const part = 'public key';
/** RFC 4880 section 5.2.3.21. */
export const keyFlags = { certify: 0x01, sign: 0x02 } as const;

/** What a certification of a user id covers after the key (RFC 4880 section 5.2.4). */
export function userIdHashInput(userId: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0xb4), uint32(userId.length), userId);
}

type SelfSignature = Signature & { readonly body: Uint8Array };
type Component = { readonly content: Packet | null; readonly signatures: readonly SelfSignature[] };

/**
 * Reads a public key and keeps what clients need of it. Throws `openpgp_malformed`, `key_algorithm`,
 * `key_self_signature`, `key_revoked` or `key_cannot_sign`. An expired key is read: `expiresAt` says so.
 * `minBits` is the least that an RSA key must have, 3072 if it is not given.
 */
export function decodePublicKey(bytes: Uint8Array, minBits?: number): PublicKey {
  const [primary, ...rest] = decodePackets(bytes, part);
  if (primary?.tag !== packetTag.publicKey) throw malformed('This is not a public key.', part);
  if (rest.some((packet) => packet.tag === packetTag.publicKey)) {
    throw malformed('There is more than one public key in one block.', part);
  }
  const key = decodeKeyPacket(primary.body, minBits);
  const components = groupComponents(key, rest);
  refuseRevoked(key, components);
  const direct = newest(validSignatures(key, components[0], [signatureType.directKey]));
  const { userId, certification } = chooseUserId(key, components.slice(1));
  const selfSignatures = direct === null ? [certification] : [certification, direct];
  if (!selfSignatures.some(maySign)) {
    throw new AppError(
      'key_cannot_sign',
      `The primary key ${key.fingerprint} is not meant for signing, or leaves that to a subkey.`,
    );
  }
  const binary = concatBytes(
    encodePacket(primary),
    ...(direct === null ? [] : [encodePacket({ tag: packetTag.signature, body: direct.body })]),
    encodePacket(userId),
    encodePacket({ tag: packetTag.signature, body: certification.body }),
  );
  const ends = selfSignatures.map((signature) => expiryOf(key, signature)).filter((end) => end !== null);
  return {
    ...key,
    userId: Buffer.from(userId.body).toString('utf8'),
    expiresAt: ends.length === 0 ? null : Math.min(...ends),
    binary,
    armored: encodeArmor('PGP PUBLIC KEY BLOCK', binary),
  };
}

/** The primary key's own signatures first, then each user id with its own; subkeys and the rest fall away. */
function groupComponents(key: KeyMaterial, packets: readonly Packet[]): Component[] {
  const components: { content: Packet | null; signatures: SelfSignature[] }[] = [
    { content: null, signatures: [] },
  ];
  for (const packet of packets) {
    if (packet.tag !== packetTag.signature) {
      components.push({ content: packet, signatures: [] });
      continue;
    }
    // Version 3 signatures are not ours to judge: nothing that signs a repository has made one since 1999.
    if (packet.body[0] !== 4) continue;
    const signature = { ...decodeSignature(packet.body, part), body: packet.body };
    if (isIssuedBy(key, signature)) components.at(-1)?.signatures.push(signature);
  }
  return components.filter(({ content }) => content === null || content.tag === packetTag.userId);
}

function isIssuedBy(key: KeyMaterial, { issuerFingerprint, issuerKeyId }: Signature): boolean {
  return issuerFingerprint === null ? issuerKeyId === key.keyId : issuerFingerprint === key.fingerprint;
}

function validSignatures(
  key: KeyMaterial,
  component: Component | undefined,
  types: readonly number[],
): SelfSignature[] {
  if (component === undefined) return [];
  const content = [keyHashInput(key.packetBody)];
  if (component.content !== null) content.push(userIdHashInput(component.content.body));
  return component.signatures.filter(
    (signature) =>
      types.includes(signature.type) &&
      !signature.subpackets.has(subpacketType.signatureExpires) &&
      checkSignature(key, signature, hashOf(...content)),
  );
}

function newest(signatures: readonly SelfSignature[]): SelfSignature | null {
  return signatures.reduce<SelfSignature | null>(
    (best, signature) => (best === null || signature.createdAt >= best.createdAt ? signature : best),
    null,
  );
}

function refuseRevoked(key: KeyMaterial, components: readonly Component[]): void {
  if (validSignatures(key, components[0], [signatureType.keyRevocation]).length > 0) {
    throw new AppError('key_revoked', `The key ${key.fingerprint} is revoked.`);
  }
}

/** 0x10 to 0x13 differ in how well a certifier knew the owner, which says nothing about oneself. */
const certificationTypes = [0x10, 0x11, 0x12, signatureType.certification];

/** The user id that says it is the primary one, else the one certified last. */
function chooseUserId(
  key: KeyMaterial,
  components: readonly Component[],
): { userId: Packet; certification: SelfSignature } {
  let best: { userId: Packet; certification: SelfSignature } | null = null;
  for (const component of components) {
    const userId = component.content;
    const certification = newest(validSignatures(key, component, certificationTypes));
    if (userId === null || certification === null) continue;
    const revoked = newest(validSignatures(key, component, [signatureType.certificationRevocation]));
    if (revoked !== null && revoked.createdAt >= certification.createdAt) continue;
    if (best === null || rankOf(certification) >= rankOf(best.certification))
      best = { userId, certification };
  }
  if (best !== null) return best;
  const isWeak = components.some(({ signatures }) => signatures.some(({ hash }) => hash === null));
  throw new AppError(
    'key_self_signature',
    isWeak
      ? `The user id of the key ${key.fingerprint} is certified with SHA-1 or MD5, which clients no longer accept.`
      : `No user id of the key ${key.fingerprint} is certified by the key itself.`,
  );
}

/** Times fit in 32 bits, so that the flag outweighs them all. */
function rankOf({ subpackets, createdAt }: Signature): number {
  return (subpackets.get(subpacketType.primaryUserId)?.[0] === 1 ? 2 ** 32 : 0) + createdAt;
}

/** Without key flags a key may do all that its algorithm can. */
function maySign({ subpackets }: Signature): boolean {
  const flags = subpackets.get(subpacketType.keyFlags);
  return flags === undefined || ((flags[0] ?? 0) & keyFlags.sign) !== 0;
}

/** RFC 4880 section 5.2.3.6: seconds after the key's creation, and 0 for never. */
function expiryOf(key: KeyMaterial, { subpackets }: Signature): number | null {
  const body = subpackets.get(subpacketType.keyExpires);
  const seconds = body === undefined ? 0 : new ByteReader(body, part).uint(4);
  return seconds === 0 ? null : key.createdAt + seconds;
}

/** Clients refuse all that an expired key signs, so that what is served already is better than that. */
export function refuseExpired({ fingerprint, expiresAt }: PublicKey, now: number): void {
  if (expiresAt === null || now < expiresAt) return;
  const date = new Date(expiresAt * 1000).toISOString();
  throw new AppError('key_expired', `The key ${fingerprint} expired on ${date}.`);
}
