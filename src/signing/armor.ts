/** ASCII armour, both directions (RFC 4880 section 6). */
import { AppError } from '../errors.ts';
import { malformed } from './packets.ts';

export type ArmorKind = 'PGP SIGNATURE' | 'PGP PUBLIC KEY BLOCK' | 'PGP PRIVATE KEY BLOCK';

/** A key with many foreign signatures is a few hundred KiB; what signs a repository is a few KiB. */
export const maxArmorLength = 1024 * 1024;

const lineLength = 64;
const base64Line = /^(?:[A-Za-z0-9+/]{4}){0,19}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const headerLine = /^[A-Za-z][A-Za-z0-9-]*:(?: |$)/;

/** RFC 4880 section 6.1. RFC 9580 makes it optional; the rpm of EL7 refuses a key without it. */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const octet of bytes) {
    crc ^= octet << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  return crc & 0xffffff;
}

function encodeChecksum(bytes: Uint8Array): string {
  const crc = crc24(bytes);
  return `=${Buffer.of(crc >>> 16, (crc >>> 8) & 0xff, crc & 0xff).toString('base64')}`;
}

/** Ends in a newline. A comment is one line for people who open the file. */
export function encodeArmor(kind: ArmorKind, bytes: Uint8Array, comment?: string): string {
  const text = Buffer.from(bytes).toString('base64');
  const lines = [`-----BEGIN ${kind}-----`];
  if (comment !== undefined) lines.push(`Comment: ${comment}`);
  lines.push('');
  for (let at = 0; at < text.length; at += lineLength) lines.push(text.slice(at, at + lineLength));
  lines.push(encodeChecksum(bytes), `-----END ${kind}-----`, '');
  return lines.join('\n');
}

/**
 * Reads one armoured block of one kind with nothing but white space around it: text beside a signature is text
 * that a reader may take for signed (CVE-2013-1051, CVE-2019-3462).
 */
export function decodeArmor(kind: ArmorKind, text: string): Uint8Array {
  const part = kind.replace(/^PGP /, '').toLowerCase();
  if (text.length > maxArmorLength) {
    throw malformed(`The ${part} is longer than ${maxArmorLength} characters.`, part);
  }
  const lines = text
    .trim()
    .split('\n')
    .map((line) => line.trimEnd());
  const fault = (what: string, index: number) =>
    new AppError('openpgp_malformed', `The ${part} ${what}.`, { part, line: index + 1 });

  const found = /^-----BEGIN ([A-Z ]+)-----$/.exec(lines[0] ?? '')?.[1];
  if (found === undefined) throw fault('does not start with an armour line', 0);
  if (found !== kind) throw fault(`is a "${found}", and a "${kind}" is needed here`, 0);
  if (lines.at(-1) !== `-----END ${kind}-----`)
    throw fault('does not end with its armour line', lines.length - 1);

  const blank = lines.indexOf('');
  if (blank < 0) throw fault('has no empty line after its armour headers', 0);
  const badHeader = lines.findIndex((line, index) => index > 0 && index < blank && !headerLine.test(line));
  if (badHeader >= 0) throw fault('has a line that is not an armour header', badHeader);

  const body = lines.slice(blank + 1, -1);
  const checksum = body.at(-1)?.startsWith('=') === true ? body.pop() : undefined;
  const badLine = body.findIndex(
    (line, index) => !base64Line.test(line) || (line.endsWith('=') && index < body.length - 1),
  );
  if (badLine >= 0) throw fault('has a line that is not base64', blank + 1 + badLine);
  const bytes = decodeBase64(body.join(''));
  if (bytes === null || bytes.length === 0) throw fault('has no base64 text that can be read', blank + 1);
  if (checksum !== undefined && checksum !== encodeChecksum(bytes)) {
    throw fault('does not match its own checksum', lines.length - 2);
  }
  return bytes;
}

/** `null` when the bits after the last octet are not zero: a second spelling of the same bytes. */
function decodeBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : null;
}
