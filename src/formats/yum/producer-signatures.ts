/** The OpenPGP signatures that a package came with: who signed it before us. */
import { AppError } from '../../errors.ts';
import { dataOf, placeOf } from './header.ts';
import type { Header } from './header.ts';
import { readSignaturePacket } from './signature-packet.ts';
import type { SignaturePacket } from './signature-packet.ts';
import type { SignatureTag } from './tags.ts';

export type ProducerSignature = SignaturePacket & {
  readonly tag: 'RSA' | 'DSA' | 'OPENPGP' | 'PGP' | 'GPG';
  readonly covers: 'header' | 'header and payload';
  /** The packet as it stands in the header, without base64. */
  readonly packet: Buffer;
};

/** A package is signed by its builder, a vendor and an archive: more are there to burn time. */
const mostSignatures = 16;

const covers = {
  DSA: 'header',
  RSA: 'header',
  PGP: 'header and payload',
  GPG: 'header and payload',
} as const;

/** Reads all signatures of a signature header. Throws for what is no OpenPGP signature. */
export function readProducerSignatures(header: Header<'signature'>): ProducerSignature[] {
  const found: ProducerSignature[] = [];
  for (const tag of ['DSA', 'RSA', 'PGP', 'GPG'] as const) {
    const data = dataOf(header, tag);
    if (data !== undefined) found.push({ tag, covers: covers[tag], ...read(header, tag, data) });
  }
  const texts = dataOf(header, 'OPENPGP');
  const lines = texts?.toString('latin1', 0, texts.length - 1).split('\0') ?? [];
  if (lines.length > mostSignatures) {
    const detail = `The package has ${lines.length} signatures; the limit is ${mostSignatures}.`;
    throw new AppError('rpm_limit', detail, placeOf(header, 'OPENPGP'));
  }
  for (const line of lines) {
    if (!/^[A-Za-z0-9+/\s]+=*\s*$/.test(line)) throw invalid(header, 'OPENPGP', 'is not in base64');
    found.push({ tag: 'OPENPGP', covers: 'header', ...read(header, 'OPENPGP', Buffer.from(line, 'base64')) });
  }
  return found;
}

function read(
  header: Header<'signature'>,
  tag: SignatureTag,
  bytes: Buffer,
): SignaturePacket & Pick<ProducerSignature, 'packet'> {
  const packet = readSignaturePacket(bytes);
  if ('fault' in packet) throw invalid(header, tag, packet.fault);
  return { ...packet, packet: bytes };
}

const invalid = (header: Header<'signature'>, tag: SignatureTag, fault: string): AppError =>
  new AppError('rpm_tag_invalid', `${tag} holds no OpenPGP signature: it ${fault}.`, placeOf(header, tag));
