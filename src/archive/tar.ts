/**
 * tar as Debian packages carry it: v7, ustar with prefix, and GNU long names. The rest of the format is where
 * readers disagree (CVE-2025-62518, CVE-2026-53655): three of them meet here, GNU tar (dpkg-deb), dpkg's own
 * (lib/dpkg/tarfn.c, which installs) and apt-pkg's (extracttar.cc), and an entry passes when all three see the
 * same name, type, size and target.
 */
import { AppError, type Place } from '../errors.ts';
import { limits } from './limits.ts';
import { ByteReader } from './reader.ts';

const blockBytes = 512;
/** The first size that eleven octal digits cannot say. */
const maxOctalSize = 8 ** 11;

export type TarType =
  'file' | 'hardlink' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

const types: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

export type TarEntry = {
  /** As stored, decoded from UTF-8: `./usr/bin/hello`, `usr/`. No control characters; never empty. */
  readonly name: string;
  readonly type: TarType;
  readonly sizeBytes: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly time: number;
  /** Of symlinks and hard links, as stored. */
  readonly target?: string;
  /** Bytes from the start of the archive to the entry's first header. */
  readonly offset: number;
  /** The bytes of a file, to be read at most once and before the next entry is asked for. */
  readonly content: () => AsyncIterable<Uint8Array>;
};

export type TarOptions = {
  readonly maxEntries: number;
  /**
   * What to do with pax headers. dpkg installs no archive that holds one (`unsupported PAX tar header type`),
   * so they are refused in the archive of installed files. In a control archive GNU tar obeys them and apt
   * skips them: there they pass when they say nothing about name, size or target.
   */
  readonly pax: 'refuse' | 'harmless';
};

/** Names of pax records that change nothing a reader of the archive could act on. */
const harmlessPax = /^(?:[acm]time|comment|[ug]id|[ug]name|LIBARCHIVE\.creationtime)$/;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type Fault = (what: string) => AppError;

/** What stands before a NUL, or the whole field: names and targets may fill theirs. */
function untilNul(field: Uint8Array): Uint8Array {
  const end = field.indexOf(0);
  return end === -1 ? field : field.subarray(0, end);
}

/** Text that is UTF-8 (Debian policy 10.10) and holds no C0 control, DEL or line break of Unicode. */
function decodeText(bytes: Uint8Array, what: string, fault: Fault): string {
  if (bytes.length > limits.pathBytes) throw fault(`has a ${what} of more than ${limits.pathBytes} bytes`);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw fault(`has a ${what} that is not UTF-8`);
  }
  // Control characters in names attack terminals, logs and line-based indexes.
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text))
    throw fault(`has a control character in its ${what}`);
  return text;
}

/** Two's-complement base 256, as GNU tar writes what does not fit in octal. */
function decodeBase256(field: Uint8Array): number | null {
  let value = field[0] === 0xff ? -1n : 0n;
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : null;
}

/** A number field that may also be in base 256, marked by 0x80 or, when it is negative, 0xff. */
function decodeNumber(field: Uint8Array, what: string, fault: Fault): number | null {
  if (field[0] !== 0x80 && field[0] !== 0xff) return decodeOctal(field, what, fault);
  const value = decodeBase256(field);
  if (value === null) throw fault(`has a ${what} out of range`);
  return value;
}

/**
 * Octal between spaces or NULs. GNU tar also has a base-64 and a signed form; dpkg and apt do not. An empty
 * field, null, is 0 where no reader minds, as in the device numbers of v7 archives.
 */
function decodeOctal(field: Uint8Array, what: string, fault: Fault): number | null {
  let at = 0;
  while (field[at] === 0x20) at++;
  const first = at;
  let value = 0;
  for (; at < field.length; at++) {
    const digit = (field[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  const digits = at - first;
  for (; at < field.length; at++)
    if (field[at] !== 0 && field[at] !== 0x20) throw fault(`has a ${what} that is not octal`);
  return digits === 0 ? null : value;
}

function checksumMatches(block: Uint8Array, fault: Fault): boolean {
  const stored = decodeOctal(block.subarray(148, 156), 'checksum', fault);
  let sum = 8 * 0x20;
  for (let at = 0; at < 148; at++) sum += block[at] ?? 0;
  for (let at = 156; at < blockBytes; at++) sum += block[at] ?? 0;
  return sum === stored;
}

const zeros = new Uint8Array(64 * 1024);

/** Of at most 64 KiB. */
const isZero = (bytes: Uint8Array): boolean => Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0;

const ascii = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

type Header = {
  readonly flag: string;
  readonly name: Uint8Array;
  readonly prefix: Uint8Array;
  readonly target: Uint8Array;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly time: number;
};

function decodeHeader(block: Uint8Array, fault: Fault): Header {
  if (!checksumMatches(block, fault)) throw fault('has a wrong checksum');
  const magic = ascii(block.subarray(257, 263));
  if (magic !== 'ustar ' && magic !== 'ustar\0' && !isZero(block.subarray(257, 265)))
    throw fault('has an unknown tar format');
  const sizeBytes = decodeNumber(block.subarray(124, 136), 'size', fault);
  if (sizeBytes === null || sizeBytes < 0) throw fault('has no size');
  // apt takes bytes from 0x80 up for negative ones here: it passes only what octal cannot say.
  if (((block[124] ?? 0) & 0x80) !== 0 && sizeBytes < maxOctalSize)
    throw fault('has a size in base 256 that octal could say, which apt misreads');
  checkUnusedNumbers(block, fault);
  return {
    flag: String.fromCharCode(block[156] ?? 0),
    name: untilNul(block.subarray(0, 100)),
    // Only ustar has a prefix: in GNU tar's own format other fields stand there.
    prefix: magic === 'ustar\0' ? untilNul(block.subarray(345, 500)) : block.subarray(0, 0),
    target: untilNul(block.subarray(157, 257)),
    sizeBytes,
    mode: (decodeOctal(block.subarray(100, 108), 'mode', fault) ?? 0) & 0o7777,
    time: decodeNumber(block.subarray(136, 148), 'time', fault) ?? 0,
  };
}

/** Numbers that matter to nobody here, but that dpkg or apt refuse the archive for. */
function checkUnusedNumbers(block: Uint8Array, fault: Fault): void {
  for (const at of [108, 116]) {
    const owner = decodeNumber(block.subarray(at, at + 8), 'owner', fault) ?? 0;
    if (owner < 0 || owner >= 2 ** 32) throw fault('has an owner out of range');
  }
  for (const at of [329, 337]) decodeOctal(block.subarray(at, at + 8), 'device number', fault);
}

/** Headers that stand before the entry they belong to. */
type Ahead = { longName: Uint8Array | null; longTarget: Uint8Array | null; pax: boolean };

export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  part: string,
  options: TarOptions,
): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new ByteReader(source, part);
  try {
    if ((await reader.peek(blockBytes)).length < blockBytes)
      throw new AppError('tar_entry', `${part} is no tar archive: it is shorter than one header.`, { part });
    for (let entries = 0; ; entries++) {
      const entry = await readEntry(reader, options);
      if (entry === null) return;
      if (entries === options.maxEntries)
        throw new AppError('archive_limit', `${part} has more than ${options.maxEntries} entries.`, { part });
      const end = reader.offset + entry.sizeBytes;
      const padded = end + ((blockBytes - (entry.sizeBytes % blockBytes)) % blockBytes);
      const what = `the entry ${entry.name}`;
      yield { ...entry, content: () => reader.stream(end - reader.offset, what) };
      await reader.skip(padded - reader.offset, what);
    }
  } finally {
    await reader.close();
  }
}

/** The next entry, its content unread; null at the end of the archive, which has then been checked. */
async function readEntry(reader: ByteReader, options: TarOptions): Promise<Omit<TarEntry, 'content'> | null> {
  const offset = reader.offset;
  const ahead: Ahead = { longName: null, longTarget: null, pax: false };
  for (let headers = 0; ; headers++) {
    const start = reader.offset;
    const fault: Fault = (what) =>
      new AppError('tar_entry', `The tar header at byte ${start} of ${reader.part} ${what}.`, {
        part: reader.part,
        offset: start,
      });
    // Without a block of zeros apt reads on, into the header of the next ar member.
    if (await reader.atEnd()) throw fault('is missing: the archive has no end');
    const block = reader.tryRead(blockBytes) ?? (await reader.read(blockBytes, 'a tar header'));
    if (block[0] === 0 && isZero(block)) {
      if (headers > 0) throw fault('is missing after a header that announces it');
      await readEnd(reader);
      return null;
    }
    const header = decodeHeader(block, fault);
    // GNU tar keeps the last of several long names, apt appends them (CVE-2020-27350 and what came after).
    if (header.flag === 'L' || header.flag === 'K') await readLong(reader, header, ahead, fault);
    else if (header.flag === 'x' || header.flag === 'g') await readPax(reader, header, ahead, options, fault);
    else return makeEntry(header, ahead, offset, reader.part, fault);
  }
}

async function readLong(reader: ByteReader, header: Header, ahead: Ahead, fault: Fault): Promise<void> {
  const slot = header.flag === 'L' ? 'longName' : 'longTarget';
  if (ahead[slot] !== null) throw fault('repeats a long name');
  const size = header.sizeBytes;
  if (size === 0 || size > limits.pathBytes + 1) throw fault(`announces a name of ${size} bytes`);
  const padded = Math.ceil(size / blockBytes) * blockBytes;
  const bytes = await reader.read(padded, 'a long name');
  const text = untilNul(bytes.subarray(0, size));
  // apt takes everything up to the first NUL, past the announced size when there is none within it.
  if (text.length < size - 1 || !isZero(bytes.subarray(size)))
    throw fault('has a long name of doubtful length');
  ahead[slot] = Uint8Array.from(text);
}

async function readPax(
  reader: ByteReader,
  header: Header,
  ahead: Ahead,
  options: TarOptions,
  fault: Fault,
): Promise<void> {
  if (options.pax === 'refuse') throw fault('is a pax header, which dpkg cannot install');
  if (ahead.longName !== null || ahead.longTarget !== null || (ahead.pax && header.flag === 'x'))
    throw fault('is a second header for one entry');
  const size = header.sizeBytes;
  if (size > limits.paxHeaderBytes) throw fault(`is a pax header of ${size} bytes`);
  const padded = Math.ceil(size / blockBytes) * blockBytes;
  const bytes = await reader.read(padded, 'a pax header');
  for (const [key] of decodePax(bytes.subarray(0, size), fault))
    if (!harmlessPax.test(key)) throw fault(`has a pax record "${key}", which apt does not read`);
  if (header.flag === 'x') ahead.pax = true;
}

/** The records of a pax header: `length key=value\n`, the length counting the whole record in bytes. */
function decodePax(bytes: Uint8Array, fault: Fault): [string, string][] {
  const records: [string, string][] = [];
  const text = ascii(bytes);
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(' ', at);
    const digits = text.slice(at, space);
    if (space === -1 || !/^[1-9][0-9]{0,5}$/.test(digits)) throw fault('has a pax record without a length');
    const end = at + Number(digits);
    const record = text.slice(space + 1, end - 1);
    const equals = record.indexOf('=');
    if (end > text.length || text[end - 1] !== '\n' || equals < 1)
      throw fault('has a pax record whose length is wrong');
    records.push([record.slice(0, equals).replace(/[^ -~]/g, '?'), record.slice(equals + 1)]);
    at = end;
  }
  return records;
}

function makeEntry(
  header: Header,
  ahead: Ahead,
  offset: number,
  part: string,
  fault: Fault,
): Omit<TarEntry, 'content'> {
  const name = decodeText(fullName(header, ahead, fault), 'name', fault);
  if (name === '') throw fault('has no name');
  const place: Place = { part, offset, entry: name };
  const refuse: Fault = (what) => new AppError('tar_entry', `The entry "${name}" of ${part} ${what}.`, place);
  const stored = types[header.flag];
  if (stored === undefined) {
    const flag = /[!-~]/.test(header.flag)
      ? `"${header.flag}"`
      : `0x${header.flag.charCodeAt(0).toString(16)}`;
    throw refuse(`is of type ${flag}, which not every tool reads`);
  }
  // v7 had no type for directories: a slash at the end makes one (tarfn.c: "pre-ANSI ustar").
  const type = stored === 'file' && name.endsWith('/') ? 'directory' : stored;
  if (type !== 'file' && header.sizeBytes > 0) throw refuse(`is a ${type} with content`);
  if (header.sizeBytes > limits.fileBytes) throw refuse(`is larger than ${limits.fileBytes} bytes`);
  if (type !== 'directory' && name.endsWith('/')) throw refuse('has a name that ends in a slash');
  const base = { name, type, sizeBytes: header.sizeBytes, mode: header.mode, time: header.time, offset };
  if (type !== 'symlink' && type !== 'hardlink') {
    if (ahead.longTarget !== null) throw refuse('has a long link target but is no link');
    return base;
  }
  const target = decodeText(ahead.longTarget ?? header.target, 'link target', refuse);
  if (target === '') throw refuse('is a link to nothing');
  return { ...base, target };
}

function fullName(header: Header, ahead: Ahead, fault: Fault): Uint8Array {
  if (header.prefix.length === 0) return ahead.longName ?? header.name;
  if (ahead.longName !== null) throw fault('has both a long name and a prefix');
  return Buffer.concat([header.prefix, Buffer.from('/'), header.name]);
}

/** After the first block of zeros nothing but zeros may come: GNU tar and apt stop there, others read on. */
async function readEnd(reader: ByteReader): Promise<void> {
  for (;;) {
    const bytes = await reader.readUpTo(zeros.length);
    if (bytes.length === 0) return;
    if (!isZero(bytes))
      throw new AppError('tar_entry', `Data follows the end of the archive in ${reader.part}.`, {
        part: reader.part,
      });
  }
}
