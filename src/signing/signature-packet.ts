/** The version 4 signature packet, both directions (RFC 4880 section 5.2.3). */
import { publicKeyAlgorithm, type Fingerprint, type KeyAlgorithm, type KeyMaterial } from './key-packet.ts';
import {
  ByteReader,
  concatBytes,
  decodeSubpackets,
  encodeMpi,
  encodePacket,
  encodeSubpackets,
  packetTag,
  subpacketType,
  toHex,
  uint16,
  uint32,
  type Subpacket,
} from './packets.ts';

/** RFC 4880 section 5.2.1. */
export const signatureType = {
  binary: 0x00,
  text: 0x01,
  certification: 0x13,
  directKey: 0x1f,
  keyRevocation: 0x20,
  certificationRevocation: 0x30,
} as const;

export type HashName = 'sha224' | 'sha256' | 'sha384' | 'sha512';

/** RFC 4880 section 9.4 without MD5, SHA-1 and RIPEMD-160, which clients stopped to trust. */
const hashNames: Readonly<Record<number, HashName>> = {
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
};
const sha256Id = 8;

export type SignatureClaims = {
  readonly type: number;
  readonly key: Pick<KeyMaterial, 'algorithm' | 'fingerprint' | 'keyId'>;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** What else a certification says. */
  readonly subpackets?: readonly Subpacket[];
};

/**
 * The part of the packet that the signature covers. The order is GnuPG's. The key id (16) repeats the end of
 * the fingerprint, because the rpm of EL6 to EL8 looks keys up by it alone; it stands in the hashed area, so
 * that the unhashed area, which anyone can change, is empty.
 */
export function encodeHashedPart({ type, key, createdAt, subpackets = [] }: SignatureClaims): Uint8Array {
  const area = encodeSubpackets([
    {
      type: subpacketType.issuerFingerprint,
      body: concatBytes(Uint8Array.of(4), Buffer.from(key.fingerprint, 'hex')),
    },
    { type: subpacketType.creationTime, body: uint32(createdAt) },
    { type: subpacketType.issuerKeyId, body: Buffer.from(key.keyId, 'hex') },
    ...subpackets,
  ]);
  const head = Uint8Array.of(4, type, publicKeyAlgorithm[key.algorithm], sha256Id);
  return concatBytes(head, uint16(area.length), area);
}

/** What is hashed after the content: the hashed part and the trailer of RFC 4880 section 5.2.4. */
export function signatureTrailer(hashedPart: Uint8Array): Uint8Array {
  return concatBytes(hashedPart, Uint8Array.of(4, 0xff), uint32(hashedPart.length));
}

/** The whole packet. `raw` is the bare signature as a `Signer` returns it. */
export function encodeSignature(
  algorithm: KeyAlgorithm,
  hashedPart: Uint8Array,
  digest: Uint8Array,
  raw: Uint8Array,
): Uint8Array {
  const numbers = algorithm === 'rsa' ? [raw] : [raw.subarray(0, 32), raw.subarray(32)];
  const body = concatBytes(hashedPart, uint16(0), digest.subarray(0, 2), ...numbers.map(encodeMpi));
  return encodePacket({ tag: packetTag.signature, body });
}

export type Signature = {
  readonly type: number;
  /** The number of RFC 4880 section 9.1. */
  readonly algorithm: number;
  /** `null` for a hash that nothing may be signed with. */
  readonly hash: HashName | null;
  /** Seconds since 1970. */
  readonly createdAt: number;
  readonly issuerFingerprint: Fingerprint | null;
  readonly issuerKeyId: string | null;
  /** The hashed subpackets by type. */
  readonly subpackets: ReadonlyMap<number, Uint8Array>;
  /** Demands something that this reader does not know, and so counts as no signature at all. */
  readonly hasUnknownCritical: boolean;
  readonly hashedPart: Uint8Array;
  readonly digestStart: Uint8Array;
  /** Whether nothing stands where the signature does not reach. */
  readonly isAllHashed: boolean;
  /** The algorithm's numbers, still encoded. */
  readonly numbers: Uint8Array;
};

/** 20 is left out: a critical notation is known only to who knows its name. */
const knownCritical: ReadonlySet<number> = new Set(
  Object.values(subpacketType).filter((type) => type !== subpacketType.notation),
);

/** Throws `openpgp_malformed`. A signature by an algorithm or hash that we do not use can be read, not checked. */
export function decodeSignature(body: Uint8Array, part: string): Signature {
  const reader = new ByteReader(body, part);
  if (reader.uint(1) !== 4) throw reader.fault('is not of version 4');
  const type = reader.uint(1);
  const algorithm = reader.uint(1);
  const hash = hashNames[reader.uint(1)] ?? null;
  const hashedArea = reader.take(reader.uint(2));
  const hashedPart = body.subarray(0, reader.offset);
  const unhashedArea = reader.take(reader.uint(2));
  const digestStart = reader.take(2);
  const numbers = reader.rest();

  const hashed = decodeSubpackets(hashedArea, part);
  const unhashed = decodeSubpackets(unhashedArea, part);
  const time = hashed.values.get(subpacketType.creationTime);
  if (time?.length !== 4) throw reader.fault('does not say when it was made');
  // Which key to try may come from the unhashed area: GnuPG before 2.1.16 put it only there. The key decides.
  const issuer =
    hashed.values.get(subpacketType.issuerFingerprint) ??
    unhashed.values.get(subpacketType.issuerFingerprint);
  const keyId =
    hashed.values.get(subpacketType.issuerKeyId) ?? unhashed.values.get(subpacketType.issuerKeyId);
  return {
    type,
    algorithm,
    hash,
    createdAt: new ByteReader(time, part).uint(4),
    issuerFingerprint:
      issuer?.length === 21 && issuer[0] === 4 ? (toHex(issuer.subarray(1)) as Fingerprint) : null,
    issuerKeyId: keyId?.length === 8 ? toHex(keyId) : null,
    subpackets: hashed.values,
    hasUnknownCritical: [...hashed.critical].some((critical) => !knownCritical.has(critical)),
    hashedPart,
    digestStart,
    isAllHashed: unhashedArea.length === 0,
    numbers,
  };
}

/** The bare signature as a `Signer` returns it, or `null` when the numbers are too large for the key. */
export function rawSignature(signature: Signature, key: KeyMaterial, part: string): Uint8Array | null {
  const reader = new ByteReader(signature.numbers, part);
  const width = key.algorithm === 'rsa' ? Math.ceil(key.bits / 8) : 32;
  const numbers = key.algorithm === 'rsa' ? [reader.mpi()] : [reader.mpi(), reader.mpi()];
  reader.end();
  if (numbers.some((number) => number.length > width)) return null;
  return concatBytes(...numbers.map((number) => concatBytes(new Uint8Array(width - number.length), number)));
}
