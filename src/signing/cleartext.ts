/** The cleartext signature framework (RFC 4880 section 7), both directions, as strict as apt reads it. */
import { AppError } from '../errors.ts';
import { decodeArmor, encodeArmor } from './armor.ts';

const beginMessage = '-----BEGIN PGP SIGNED MESSAGE-----';
const beginSignature = '-----BEGIN PGP SIGNATURE-----';

/** gpgv reads lines of 19,995 bytes, with the dash escape, and cuts the rest off. */
const maxLineBytes = 19_990;

/**
 * The text as it is signed and served: lines end in LF, none has white space at its end, and the last one ends
 * too. RFC 4880 section 7.1 leaves white space at the end of lines out of the signature, so that anyone could
 * change it: none is written.
 */
export function canonicalText(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/[ \t\r]+$/, ''));
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `${line}\n`).join('');
}

/**
 * What a signature of type 0x01 covers: CRLF between the lines, and not the line end before the signature,
 * which belongs to the framing.
 */
export function signedOctets(canonical: string): Uint8Array {
  return Buffer.from(canonical.slice(0, -1).replaceAll('\n', '\r\n'), 'utf8');
}

/** Throws `text_unsignable` for a line that gpgv would cut, or text that has no bytes. */
export function encodeCleartext(canonical: string, signaturePackets: Uint8Array): string {
  const lines = canonical.split('\n').slice(0, -1);
  const tooLong = lines.findIndex((line) => Buffer.byteLength(line) > maxLineBytes);
  if (tooLong >= 0) {
    throw new AppError('text_unsignable', `Line ${tooLong + 1} is longer than ${maxLineBytes} bytes.`);
  }
  if (!canonical.isWellFormed() || canonical.includes('\0')) {
    throw new AppError('text_unsignable', 'The text holds a NUL or half a character.');
  }
  const escaped = lines.map((line) => (line.startsWith('-') ? `- ${line}\n` : `${line}\n`)).join('');
  const signature = encodeArmor('PGP SIGNATURE', signaturePackets);
  return `${beginMessage}\nHash: SHA256\n\n${escaped}${signature}`;
}

/**
 * Takes a document apart that has nothing but the message and its signatures. Refuses what apt refuses: text
 * outside the frame, another line that starts with a dash, a frame that is not closed (CVE-2013-1051); and
 * every line that is not in canonical form, since it could be changed under the signature.
 */
export function decodeCleartext(document: Uint8Array): { text: string; signaturePackets: Uint8Array } {
  const part = 'signed message';
  const fault = (what: string, line: number) =>
    new AppError('openpgp_malformed', `The signed message ${what}.`, { part, line });
  let decoded: string;
  try {
    decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(document);
  } catch (cause) {
    throw new AppError('openpgp_malformed', 'The signed message is not UTF-8.', { part }, { cause });
  }
  const lines = decoded.split('\n');
  if (lines[0] !== beginMessage) throw fault('does not start with its first armour line', 1);
  if (lines[1] !== 'Hash: SHA256') throw fault('does not name SHA256 as its hash', 2);
  if (lines[2] !== '') throw fault('has more than one armour header', 3);
  const end = lines.indexOf(beginSignature);
  if (end < 0) throw fault('has no signature', lines.length);

  const text = lines.slice(3, end).map((line, index) => {
    if (line !== line.replace(/[ \t\r]+$/, ''))
      throw fault('has white space at the end of a line', index + 4);
    if (!line.startsWith('-')) return `${line}\n`;
    if (!line.startsWith('- -')) throw fault('has a line that starts with a dash', index + 4);
    return `${line.slice(2)}\n`;
  });
  const signature = lines.slice(end).join('\n');
  if (!signature.endsWith('-----\n')) throw fault('does not end after its signature', lines.length);
  return { text: text.join(''), signaturePackets: decodeArmor('PGP SIGNATURE', signature) };
}
