/** The public-key packet (RFC 4880 section 5.5.2), and which keys may sign a repository. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { AppError } from '../errors.ts';
import { ByteReader, concatBytes, toHex, uint16 } from './packets.ts';

/** 40 upper-case hexadecimal digits, as GnuPG prints them and apt's `Signed-By` takes them. */
export type Fingerprint = string & { readonly __brand: 'Fingerprint' };

/** RFC 9580 section 9.1, by the names people know the rest by. */
const algorithmNames: Readonly<Record<number, string>> = {
  1: 'RSA',
  2: 'RSA (encrypt only)',
  3: 'RSA (sign only)',
  16: 'Elgamal',
  17: 'DSA',
  18: 'ECDH',
  19: 'ECDSA',
  22: 'EdDSA',
  25: 'X25519',
  26: 'X448',
  27: 'Ed25519 (RFC 9580)',
  28: 'Ed448 (RFC 9580)',
};

export const publicKeyAlgorithm = { rsa: 1, ed25519: 22 } as const;
export type KeyAlgorithm = keyof typeof publicKeyAlgorithm;

/** What a key packet alone says; a `PublicKey` is this with a user id and its certification. */
export type KeyMaterial = {
  readonly fingerprint: Fingerprint;
  /** The last 16 digits of the fingerprint. */
  readonly keyId: string;
  readonly algorithm: KeyAlgorithm;
  readonly bits: number;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** The packet's body, as it is hashed into fingerprint and certifications. */
  readonly packetBody: Uint8Array;
  readonly verifyingKey: KeyObject;
};

/** What this server signs with. */
export const minRsaBits = 3072;
const maxRsaBits = 8192;
/** 1.3.6.1.4.1.11591.15.1, RFC 9580 section 9.2. */
const ed25519Oid = '2B06010401DA470F01';

/** `sha1(0x99 ‖ length ‖ body)`, RFC 4880 section 12.2. SHA-1 here names a key and vouches for nothing. */
function fingerprintOf(body: Uint8Array): Fingerprint {
  return toHex(createHash('sha1').update(keyHashInput(body)).digest()) as Fingerprint;
}

/** A public key as signatures hash it (RFC 4880 section 5.2.4). */
export function keyHashInput(body: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0x99), uint16(body.length), body);
}

function refuseAlgorithm(detail: string): AppError {
  return new AppError('key_algorithm', detail, { part: 'public key' });
}

export function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/**
 * Reads a version 4 RSA or Ed25519 key. Others are refused as `key_algorithm`: RSA of 3072 bits or more is
 * what every apt, dnf, yum and zypper verifies; Ed25519 what all but EL8, EL9 and SLE 15 do.
 */
export function decodeKeyPacket(body: Uint8Array, minBits = minRsaBits): KeyMaterial {
  const reader = new ByteReader(body, 'public key');
  const version = reader.uint(1);
  if (version !== 4) {
    throw refuseAlgorithm(`The key has version ${version}; rpm and most apt clients read version 4 only.`);
  }
  const createdAt = reader.uint(4);
  const algorithm = reader.uint(1);
  const fingerprint = fingerprintOf(body);
  const common = { fingerprint, keyId: fingerprint.slice(-16), createdAt, packetBody: body };
  switch (algorithm) {
    case publicKeyAlgorithm.rsa:
      return { ...common, ...decodeRsa(reader, minBits), algorithm: 'rsa' };
    case publicKeyAlgorithm.ed25519:
      return { ...common, ...decodeEd25519(reader), algorithm: 'ed25519' };
    default: {
      const name = algorithmNames[algorithm] ?? `algorithm ${algorithm}`;
      throw refuseAlgorithm(`The algorithm of the key is ${name}.`);
    }
  }
}

function decodeRsa(reader: ByteReader, minBits: number): { bits: number; verifyingKey: KeyObject } {
  const modulus = reader.mpi();
  const exponent = reader.mpi();
  reader.end();
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (bits < minBits || bits > maxRsaBits) {
    throw refuseAlgorithm(
      `The key is an RSA key of ${bits} bits; it must have from ${minBits} to ${maxRsaBits}.`,
    );
  }
  const jwk = { kty: 'RSA', n: base64url(modulus), e: base64url(exponent) };
  return { bits, verifyingKey: createPublicKey({ key: jwk, format: 'jwk' }) };
}

function decodeEd25519(reader: ByteReader): { bits: number; verifyingKey: KeyObject } {
  const oid = toHex(reader.take(reader.uint(1)));
  if (oid !== ed25519Oid) throw refuseAlgorithm('The key is an EdDSA key of a curve other than Ed25519.');
  const point = reader.mpi();
  reader.end();
  // "0x40 ‖ native form", RFC 9580 section 11.2.
  if (point.length !== 33 || point[0] !== 0x40) throw reader.fault('has no Ed25519 point');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: base64url(point.subarray(1)) };
  return { bits: 256, verifyingKey: createPublicKey({ key: jwk, format: 'jwk' }) };
}
