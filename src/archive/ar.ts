/** The ar archive of a Debian package (deb(5), ar(5)): the plain common format and nothing beyond it. */
import { AppError } from '../errors.ts';
import { limits } from './limits.ts';
import type { ByteReader } from './reader.ts';

export const arMagic = '!<arch>\n';
const headerBytes = 60;

export type ArMember = {
  /** As stored, without padding and without the slash that GNU ar ends names with. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Seconds since 1970; null when the field is blank. */
  readonly time: number | null;
  /** Bytes from the start of the archive to the member's header. */
  readonly offset: number;
  /** The member's bytes, to be read at most once and before the next member is asked for. */
  readonly content: () => AsyncIterable<Uint8Array>;
};

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** A number as dpkg and apt both read it: digits, then spaces. No sign, no leading blank (CVE-2020-27350). */
function number(field: string, radix: 8 | 10): number | null {
  const text = field.replace(/ +$/, '');
  if (!(radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text)) return null;
  return parseInt(text, radix);
}

function decodeName(field: string): string | null {
  const text = field.replace(/ +$/, '');
  const name = text.endsWith('/') ? text.slice(0, -1) : text;
  // A slash elsewhere is the BSD (`#1/20`) or GNU (`/15`, `//`) long-name form: apt reads the one, dpkg
  // neither. The rest of the class keeps blanks, control bytes and what a terminal would obey out of messages.
  return /^[A-Za-z0-9._+~-]+$/.test(name) ? name : null;
}

type Header = { readonly name: string; readonly sizeBytes: number; readonly time: number | null };

function decodeHeader(bytes: Uint8Array, reader: ByteReader, offset: number): Header {
  const text = latin1(bytes);
  const fault = (what: string): AppError =>
    new AppError('ar_header', `The ar header at byte ${offset} ${what}.`, { part: reader.part, offset });
  if (text.slice(58) !== '`\n') throw fault('does not end in the ar magic');
  const name = decodeName(text.slice(0, 16));
  if (name === null) throw fault('has a member name that dpkg and apt do not read alike');
  const sizeBytes = number(text.slice(48, 58), 10);
  if (sizeBytes === null) throw fault(`has a size that is not a plain number (member ${name})`);
  // dpkg ignores these four; apt refuses the archive when one is no number.
  const [time, uid, gid] = [text.slice(16, 28), text.slice(28, 34), text.slice(34, 40)];
  for (const field of [time, uid, gid])
    if (field.trim() !== '' && number(field, 10) === null)
      throw fault(`has an owner or time that is not a plain number (member ${name})`);
  const mode = text.slice(40, 48);
  if (mode.trim() !== '' && number(mode, 8) === null)
    throw fault(`has a mode that is not octal (member ${name})`);
  return { name, sizeBytes, time: number(time, 10) };
}

/**
 * The members of an ar archive, in order. Throws `ar_header`, `archive_truncated` and `archive_limit`.
 * The archive must end after its last member: what follows, apt refuses and dpkg never sees.
 */
export async function* readAr(reader: ByteReader): AsyncGenerator<ArMember, void, undefined> {
  const { part } = reader;
  try {
    const start = latin1(await reader.readUpTo(arMagic.length));
    if (start !== arMagic)
      throw new AppError('ar_header', `${part} does not start with the ar magic.`, { part, offset: 0 });
    for (let members = 0; !(await reader.atEnd()); members++) {
      if (members === limits.arMembers)
        throw new AppError('archive_limit', `${part} has more than ${limits.arMembers} ar members.`, {
          part,
        });
      const offset = reader.offset;
      const header = decodeHeader(await reader.read(headerBytes, 'an ar header'), reader, offset);
      const end = reader.offset + header.sizeBytes;
      const what = `ar member ${header.name}`;
      yield { ...header, offset, content: () => reader.stream(end - reader.offset, what) };
      await reader.skip(end - reader.offset, what);
      if (header.sizeBytes % 2 === 1) await readPadding(reader, what);
    }
  } finally {
    await reader.close();
  }
}

async function readPadding(reader: ByteReader, what: string): Promise<void> {
  const [byte] = await reader.read(1, `the padding of ${what}`);
  // ar(5) pads with a newline; some writers use NUL. Anything else is a header read one byte too late.
  if (byte !== 0x0a && byte !== 0x00)
    throw new AppError('ar_header', `The odd-sized ${what} is not padded.`, reader.place());
}
