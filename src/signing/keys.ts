/** Keys: made, read, and checked before anything is signed with them. */
import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import {
  generateKey as generateOpenpgpKey,
  readPrivateKey as readOpenpgpKey,
  SecretKeyPacket,
  type PrivateKey as OpenpgpPrivateKey,
} from 'openpgp';
import { AppError } from '../errors.ts';
import { decodeArmor, encodeArmor } from './armor.ts';
import {
  base64url,
  decodeKeyPacket,
  keyHashInput,
  publicKeyAlgorithm,
  type KeyMaterial,
} from './key-packet.ts';
import { concatBytes, decodePackets, encodePacket, malformed, packetTag, subpacketType } from './packets.ts';
import { decodePublicKey, keyFlags, refuseExpired, userIdHashInput, type PublicKey } from './public-key.ts';
import { sha256, signRaw, signRawDigest, verifyRaw } from './raw-signature.ts';
import { signatureType } from './signature-packet.ts';
import { makeSignature } from './make-signature.ts';
import type { Signer } from './signer.ts';

export type PrivateKey = { readonly key: PublicKey; readonly signingKey: KeyObject };

export type NewKey = {
  /** What clients show: `Acme packages <packages@acme.example>`. */
  readonly userId: string;
  /** Seconds since 1970. Signatures cannot be older than the key. */
  readonly createdAt: number;
  readonly passphrase?: string | undefined;
  readonly bits?: number;
  /** A line for people who open the file. */
  readonly comment?: string;
};

const part = 'private key';

const maxUserIdBytes = 200;
/** RFC 4880 sections 9.2 to 9.4, best first. For a key that only signs they matter to few; GnuPG writes them. */
const preferences = [
  { type: subpacketType.preferredCiphers, body: Uint8Array.of(9, 7) },
  { type: subpacketType.preferredHashes, body: Uint8Array.of(10, 9, 8) },
  { type: subpacketType.preferredCompression, body: Uint8Array.of(0) },
  { type: subpacketType.features, body: Uint8Array.of(1) },
];

/**
 * Makes an RSA key that certifies and signs by itself: no subkeys, because the rpm of Fedora 43 does not find
 * them, and no expiry, because an expired key stops every machine at once. The certification is our own packet
 * and not openpgp.js', whose creation time is critical (rpm 4.17.0 refuses that). Takes 0.3 to 3 s of the
 * thread pool.
 */
export async function generateKey(newKey: NewKey): Promise<string> {
  const userId = encodeUserId(newKey.userId);
  refuseEmpty(newKey.passphrase);
  const { secretPacket, publicHalf } = halvesOf(await generateUncertified(newKey));
  const [publicPacket] = decodePackets(publicHalf, part);
  if (publicPacket === undefined) throw malformed('The new key is empty.', part);
  const material = decodeKeyPacket(publicPacket.body);
  const signingKey = signingKeyOf(secretPacket, material);
  const certification = await makeSignature(
    { key: material, sign: (message) => signRaw(signingKey, message) },
    {
      type: signatureType.certification,
      createdAt: newKey.createdAt,
      subpackets: [
        { type: subpacketType.keyFlags, body: Uint8Array.of(keyFlags.certify | keyFlags.sign) },
        ...preferences,
      ],
    },
    concatBytes(keyHashInput(material.packetBody), userIdHashInput(userId)),
  );
  if (newKey.passphrase !== undefined) await secretPacket.encrypt(newKey.passphrase);

  const identity = concatBytes(encodePacket({ tag: packetTag.userId, body: userId }), certification);
  const secret = encodePacket({ tag: packetTag.secretKey, body: secretPacket.write() });
  return encodeArmor('PGP PRIVATE KEY BLOCK', concatBytes(secret, identity), newKey.comment);
}

async function generateUncertified({ createdAt, bits = 4096 }: NewKey): Promise<OpenpgpPrivateKey> {
  const { privateKey } = await generateOpenpgpKey({
    type: 'rsa',
    rsaBits: bits,
    // openpgp.js wants a user id to certify; only the key itself is taken from what it makes.
    userIDs: [{ name: 'unused' }],
    subkeys: [],
    date: new Date(createdAt * 1000),
    format: 'object',
  });
  return privateKey;
}

function encodeUserId(userId: string): Uint8Array {
  const bytes = Buffer.from(userId, 'utf8');
  // A terminal that lists keys must not run what a user id says.
  if (
    !userId.isWellFormed() ||
    userId.trim() === '' ||
    /\p{Cc}/u.test(userId) ||
    bytes.length > maxUserIdBytes
  ) {
    throw new AppError(
      'key_user_id',
      `A user id is one line of at most ${maxUserIdBytes} bytes without control characters.`,
    );
  }
  return bytes;
}

function refuseEmpty(passphrase: string | undefined): void {
  if (passphrase === '') throw new AppError('key_passphrase', 'The passphrase is empty.');
}

/**
 * Reads an armoured private key and refuses what some client would refuse later. Throws `openpgp_malformed`,
 * `key_algorithm`, `key_self_signature`, `key_revoked`, `key_cannot_sign` or `key_passphrase`. An expired key
 * is read, since a server has to start with it; it does not sign.
 */
export async function readPrivateKey(armored: string, passphrase?: string): Promise<PrivateKey> {
  refuseEmpty(passphrase);
  const binary = decodeArmor('PGP PRIVATE KEY BLOCK', armored);
  const { secretPacket, publicHalf } = await readHalves(binary);
  const key = decodePublicKey(publicHalf);
  if (secretPacket.isMissingSecretKeyMaterial()) {
    throw new AppError(
      'key_cannot_sign',
      `The file holds the key ${key.fingerprint} without its private half, perhaps with that of its subkeys only.`,
    );
  }
  await unlock(secretPacket, passphrase);
  const signingKey = signingKeyOf(secretPacket, key);
  await proveMatch(key, signingKey);
  return { key, signingKey };
}

/** The same for a key that is new here, which must not have expired. `now` is in seconds since 1970. */
export async function importPrivateKey(
  armored: string,
  { passphrase, now }: { readonly passphrase?: string | undefined; readonly now: number },
): Promise<PrivateKey> {
  const privateKey = await readPrivateKey(armored, passphrase);
  refuseExpired(privateKey.key, now);
  return privateKey;
}

/** The binary form of an armoured public key, for keyrings. */
export function dearmorPublicKey(armored: string): Uint8Array {
  return decodeArmor('PGP PUBLIC KEY BLOCK', armored);
}

export function readPublicKey(armored: string): PublicKey {
  return decodePublicKey(dearmorPublicKey(armored));
}

/** Vendors sign with RSA keys of 2048 bits, which every client verifies. */
const producerMinBits = 2048;

/** The key of someone else, whose signatures in rpm packages are let through. Throws as `decodePublicKey` does. */
export function readProducerKey(armored: string): PublicKey {
  return decodePublicKey(dearmorPublicKey(armored), producerMinBits);
}

async function readHalves(binaryKey: Uint8Array): Promise<Halves> {
  const [primary] = decodePackets(binaryKey, part);
  // Before openpgp.js, whose messages for keys that it does not know say little.
  if (primary?.tag === packetTag.secretKey) refuseUnusable(primary.body);
  try {
    return halvesOf(await readOpenpgpKey({ binaryKey }));
  } catch (cause) {
    throw new AppError('openpgp_malformed', 'The private key cannot be read.', { part }, { cause });
  }
}

/** Version and algorithm stand at the same place as in the public packet (RFC 4880 section 5.5.3). */
function refuseUnusable(body: Uint8Array): void {
  const [version, algorithm] = [body[0], body[5]];
  const isUsable = version === 4 && Object.values<unknown>(publicKeyAlgorithm).includes(algorithm);
  if (!isUsable) decodeKeyPacket(body);
}

/** Only the primary key is opened: subkeys are not used, and may have a passphrase of their own. */
async function unlock(secretPacket: SecretKeyPacket, passphrase: string | undefined): Promise<void> {
  if (secretPacket.isDecrypted()) return;
  if (passphrase === undefined) {
    throw new AppError('key_passphrase', 'The private key is locked, and no passphrase is configured.');
  }
  try {
    await secretPacket.decrypt(passphrase);
  } catch (cause) {
    throw new AppError('key_passphrase', 'The passphrase does not open the private key.', undefined, {
      cause,
    });
  }
}

/** A private half that does not belong to the public one would otherwise be noticed by clients first. */
async function proveMatch(key: PublicKey, signingKey: KeyObject): Promise<void> {
  const message = Buffer.from(key.fingerprint);
  const raw = await signRaw(signingKey, message);
  if (verifyRaw(key.verifyingKey, 'sha256', sha256(message), raw)) return;
  throw malformed('The private half of the key does not match its public half.', part);
}

export function signerOf({ key, signingKey }: PrivateKey): Signer {
  return {
    key,
    sign: (message) => signRaw(signingKey, message),
    signDigest: (digest) => signRawDigest(signingKey, digest),
  };
}

// --- the boundary to openpgp.js, which types what a key packet holds as `object`

type Halves = { readonly secretPacket: SecretKeyPacket; readonly publicHalf: Uint8Array };

function halvesOf(key: OpenpgpPrivateKey): Halves {
  if (!(key.keyPacket instanceof SecretKeyPacket)) throw malformed('This is not a private key.', part);
  return { secretPacket: key.keyPacket, publicHalf: key.toPublic().write() };
}

function parameter(params: object, name: string): Uint8Array {
  const value: unknown = Object.entries(params).find(([key]) => key === name)?.[1];
  if (value instanceof Uint8Array) return value;
  throw malformed(`The private key has no parameter "${name}".`, part);
}

/** The unlocked key as Node takes it. */
function signingKeyOf(
  { privateParams }: SecretKeyPacket,
  { algorithm, verifyingKey }: KeyMaterial,
): KeyObject {
  if (privateParams === null) throw malformed('The private key is locked.', part);
  const publicJwk = verifyingKey.export({ format: 'jwk' });
  const secret =
    algorithm === 'rsa' ? rsaJwk(privateParams) : { d: base64url(parameter(privateParams, 'seed')) };
  try {
    return createPrivateKey({ key: { ...publicJwk, ...secret }, format: 'jwk' });
  } catch (cause) {
    throw new AppError('openpgp_malformed', 'The private key has impossible numbers.', { part }, { cause });
  }
}

/** OpenPGP keeps p⁻¹ mod q (RFC 4880 section 5.5.3), JWK q⁻¹ mod p (RFC 7518 section 6.3.2): p and q change places. */
function rsaJwk(params: object): JsonWebKey {
  const [d, p, q] = [parameter(params, 'd'), parameter(params, 'q'), parameter(params, 'p')];
  return {
    d: base64url(d),
    p: base64url(p),
    q: base64url(q),
    dp: base64url(remainder(d, p)),
    dq: base64url(remainder(d, q)),
    qi: base64url(parameter(params, 'u')),
  };
}

/** `d mod (prime - 1)`. */
function remainder(d: Uint8Array, prime: Uint8Array): Uint8Array {
  const hex = (toBigInt(d) % (toBigInt(prime) - 1n)).toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
