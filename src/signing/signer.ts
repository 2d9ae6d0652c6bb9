import type { PublicKey } from './public-key.ts';

/**
 * Something that holds a private key and signs with it: a key file here, an HSM or a key service elsewhere.
 * It knows no OpenPGP: packets, armour and times are made around it.
 */
export interface Signer {
  /** The public half, with everything that clients and packets need. */
  readonly key: PublicKey;
  /**
   * The bare signature over SHA-256 of the message: for RSA PKCS#1 v1.5, as long as the modulus; for Ed25519
   * the 64 octets R ‖ S over the digest. The same message gives the same signature. Must not block the event
   * loop.
   */
  sign(message: Uint8Array): Promise<Uint8Array>;
  /** The same for a message that only its SHA-256 digest is known of. */
  signDigest(sha256: Uint8Array): Promise<Uint8Array>;
}
