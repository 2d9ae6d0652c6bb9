/** Bare signatures over a SHA-256 digest, made and checked; what OpenPGP wraps in a packet. */
import {
  constants,
  createHash,
  privateEncrypt,
  publicDecrypt,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { concatBytes } from './packets.ts';
import type { HashName } from './signature-packet.ts';

/** The DER before the digest in PKCS#1 v1.5 (RFC 8017 section 9.2, note 1). */
const digestInfo: Readonly<Record<HashName, Uint8Array>> = {
  sha224: Buffer.from('302d300d06096086480165030402040500041c', 'hex'),
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
};

export function sha256(content: Uint8Array): Uint8Array {
  return createHash('sha256').update(content).digest();
}

/**
 * Signs SHA-256 of the message, in libuv's thread pool: 1.5 ms of RSA-4096 that the event loop does not stand
 * still for. OpenPGP signs the digest with Ed25519 as if it were the message (RFC 9580 section 5.2.3.3.3).
 */
export function signRaw(key: KeyObject, message: Uint8Array): Promise<Uint8Array> {
  const isRsa = key.asymmetricKeyType === 'rsa';
  return signInThreadPool(isRsa ? 'sha256' : null, isRsa ? message : sha256(message), key);
}

/**
 * Signs a digest whose message is too large to hold. Node signs no RSA digest in its thread pool, so this one
 * blocks for 1.5 ms; only old rpm packages, without a payload digest, need it.
 */
export function signRawDigest(key: KeyObject, digest: Uint8Array): Promise<Uint8Array> {
  if (key.asymmetricKeyType !== 'rsa') return signInThreadPool(null, digest, key);
  const encoded = concatBytes(digestInfo.sha256, digest);
  return Promise.resolve(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, encoded));
}

function signInThreadPool(hash: string | null, message: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    sign(hash, message, key, (error, signature) => {
      if (error) reject(error);
      else resolve(signature);
    });
  });
}

/** Whether `raw` is this key's signature over the digest. */
export function verifyRaw(key: KeyObject, hash: HashName, digest: Uint8Array, raw: Uint8Array): boolean {
  if (key.asymmetricKeyType !== 'rsa') return verify(null, digest, key, raw);
  let opened: Uint8Array;
  try {
    opened = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, raw);
  } catch {
    // OpenSSL says by an exception that the padding is wrong, or the number not smaller than the modulus.
    return false;
  }
  // Comparing all of it leaves no room for what CVE-2006-4339 hid behind the digest.
  return Buffer.compare(opened, concatBytes(digestInfo[hash], digest)) === 0;
}
