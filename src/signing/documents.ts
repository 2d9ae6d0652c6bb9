/** What is published signed: InRelease, Release.gpg, repomd.xml.asc, and the signatures inside rpm packages. */
import { createHash } from 'node:crypto';
import { encodeArmor } from './armor.ts';
import { canonicalText, encodeCleartext, signedOctets } from './cleartext.ts';
import { concatBytes } from './packets.ts';
import { refuseExpired } from './public-key.ts';
import { signatureType } from './signature-packet.ts';
import { makeSignature, makeSignatureOfHash } from './make-signature.ts';
import type { Signer } from './signer.ts';

/** During a key rotation the old key and the new one sign; otherwise one. */
export type Signers = readonly [Signer, ...Signer[]];

/**
 * The text with its signatures around it, as `InRelease`. The text is brought into canonical form first;
 * `Release` has to be written in it (LF, no white space at the end of lines) to be the same text. `createdAt`
 * is in seconds since 1970. The same text, keys and time give the same bytes.
 */
export async function clearsign(text: string, signers: Signers, createdAt: number): Promise<string> {
  const canonical = canonicalText(text);
  const signatures = await signAll(signatureType.text, signedOctets(canonical), signers, createdAt);
  return encodeCleartext(canonical, signatures);
}

/**
 * An armoured signature beside the document, one packet for each signer. For `repomd.xml.asc` give one signer,
 * the primary key: the rpm backend of librepo fails on a second packet.
 */
export async function signDetached(
  content: Uint8Array,
  signers: Signers,
  createdAt: number,
): Promise<string> {
  return encodeArmor('PGP SIGNATURE', await signAll(signatureType.binary, content, signers, createdAt));
}

/**
 * One binary packet, as the rpm tags 267 and 268 hold it over the header, and 1002 and 1005 over header and
 * payload; what is too large for memory comes as a stream.
 */
export async function signPacket(
  content: Uint8Array | AsyncIterable<Uint8Array>,
  signer: Signer,
  createdAt: number,
): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return signAll(signatureType.binary, content, [signer], createdAt);
  refuseExpired(signer.key, createdAt);
  const hash = createHash('sha256');
  for await (const chunk of content) hash.update(chunk);
  return makeSignatureOfHash(signer, { type: signatureType.binary, createdAt }, hash);
}

async function signAll(
  type: number,
  content: Uint8Array,
  signers: Signers,
  createdAt: number,
): Promise<Uint8Array> {
  for (const { key } of signers) refuseExpired(key, createdAt);
  const packets = await Promise.all(
    signers.map((signer) => makeSignature(signer, { type, createdAt }, content)),
  );
  return concatBytes(...packets);
}
