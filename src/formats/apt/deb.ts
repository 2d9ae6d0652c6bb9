/** Reading a Debian binary package, deb(5), once, from its first byte to its last. */
import { createHash } from 'node:crypto';
import { arMagic, type ArMember, readAr } from '../../archive/ar.ts';
import { type Compression, decompress } from '../../archive/decompress.ts';
import { contentBudget, controlBudget } from '../../archive/limits.ts';
import { ByteReader } from '../../archive/reader.ts';
import { AppError, type ErrorCode } from '../../errors.ts';
import type { ParsedPackage } from '../format.ts';
import type { Finding, Script } from '../package.ts';
import { type ControlMembers, readControlArchive } from './control-archive.ts';
import { parseStanza, type Stanza } from './control.ts';
import { type DataArchive, type Md5sums, normalisePath, readDataArchive } from './data-archive.ts';
import { type ControlFacts, isInstallerPackage, readControlFacts } from './facts.ts';

export type DebPackage = ParsedPackage & {
  /** The fields of the control file, as they stand and in their order. */
  readonly control: Stanza;
  /** Absolute paths of the files that dpkg asks about before it replaces them. */
  readonly conffiles: readonly string[];
};

/** What the whole file is called in the places of errors. */
const container = 'file';

/** deb(5) names the extensions; dpkg reads no other compression in `control.tar`, apt none in either. */
const controlKinds: ReadonlyMap<string, Compression> = new Map([
  ['control.tar', 'none'],
  ['control.tar.gz', 'gzip'],
  ['control.tar.xz', 'xz'],
  ['control.tar.zst', 'zstd'],
]);
const dataKinds: ReadonlyMap<string, Compression> = new Map([
  ['data.tar', 'none'],
  ['data.tar.gz', 'gzip'],
  ['data.tar.xz', 'xz'],
  ['data.tar.zst', 'zstd'],
  ['data.tar.bz2', 'bzip2'],
  ['data.tar.lzma', 'lzma'],
]);

/**
 * Reads a package. What it returns or throws depends on the bytes alone, not on how they come in chunks; it
 * throws nothing but `AppError`, and memory is bounded by the limits of `archive/limits.ts`.
 */
export async function parseDeb(source: AsyncIterable<Uint8Array>): Promise<DebPackage> {
  const hash = createHash('sha256');
  const reader = new ByteReader(
    tap(source, (bytes) => hash.update(bytes)),
    container,
  );
  try {
    await checkKind(reader);
    const read = await readMembers(reader);
    return assemble(read, hash.digest('hex'));
  } finally {
    await reader.close();
  }
}

async function* tap(
  source: AsyncIterable<Uint8Array>,
  see: (bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const bytes of source) {
    see(bytes);
    yield bytes;
  }
}

/** Says in a word what was uploaded instead of a package, where that is plain. */
async function checkKind(reader: ByteReader): Promise<void> {
  const start = Buffer.from(await reader.peek(arMagic.length)).toString('latin1');
  if (start === arMagic) return;
  if (start.startsWith('0.93'))
    throw new AppError('deb_unsupported', 'The package is in the format of 1995, which apt does not read.', {
      part: container,
      offset: 0,
    });
  const kinds: readonly (readonly [RegExp, string])[] = [
    [/^$/, 'The file is empty'],
    [/^\xed\xab\xee\xdb/, 'The file is an rpm package'],
    [/^\s*<(!|html)/i, 'The file is a web page'],
    [/^version /, 'The file is a pointer of git-lfs'],
  ];
  const what = kinds.find(([pattern]) => pattern.test(start))?.[1] ?? 'The file does not start as one';
  throw new AppError('not_a_deb', `${what}, not a Debian package.`, { part: container, offset: 0 });
}

type Control = {
  readonly members: ControlMembers;
  readonly stanza: Stanza;
  readonly facts: ControlFacts;
  readonly sums: ReturnType<typeof parseMd5sums>;
};

type Read = {
  readonly control: Control;
  readonly data: DataArchive;
  readonly dataKind: Compression;
  readonly time: number | null;
};

function memberFault(member: ArMember, what: string, code: ErrorCode = 'deb_member'): AppError {
  return new AppError(code, `The ar member ${member.name} ${what}.`, {
    part: container,
    offset: member.offset,
    entry: member.name,
  });
}

/**
 * The members in dpkg's order (src/deb/extract.c): debian-binary, control.tar, data.tar, and anything after.
 * Members that start with `_` may stand anywhere behind the first. apt takes members by name and, of two with
 * one name, the last: so each may be there once, in the tail as well.
 */
async function readMembers(reader: ByteReader): Promise<Read> {
  let time: number | null = null;
  let versioned = false;
  let control: Control | null = null;
  let data: { data: DataArchive; dataKind: Compression } | null = null;
  for await (const member of readAr(reader)) {
    const { name } = member;
    if (!versioned) {
      await checkFormat(member);
      versioned = true;
      time = member.time;
    } else if (name.startsWith('_')) {
      continue;
    } else if (name === 'debian-binary') {
      throw memberFault(member, 'is there twice');
    } else if (name.startsWith('control.tar')) {
      if (control !== null) throw memberFault(member, 'is a second control archive');
      control = await readControl(member);
    } else if (control === null) {
      throw memberFault(member, 'stands before control.tar');
    } else if (name.startsWith('data.tar')) {
      if (data !== null) throw memberFault(member, 'is a second archive of files');
      const dataKind = kindOf(member, dataKinds);
      data = { data: await readData(member, dataKind, control.sums.sums), dataKind };
    } else if (data === null) {
      throw memberFault(member, 'stands before data.tar');
    }
  }
  if (control === null || data === null) {
    const missing = !versioned ? 'debian-binary' : control === null ? 'control.tar' : 'data.tar';
    throw new AppError('deb_member', `The package has no ${missing}.`, { part: container });
  }
  return { control, ...data, time };
}

/** `2.0` and a newline; minor versions and lines after the first are for readers to ignore (deb(5)). */
async function checkFormat(member: ArMember): Promise<void> {
  if (member.name !== 'debian-binary') throw memberFault(member, 'stands where debian-binary must be');
  const maxBytes = 1024;
  if (member.sizeBytes > maxBytes) throw memberFault(member, `is larger than ${maxBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const bytes of member.content()) chunks.push(bytes);
  const text = Buffer.concat(chunks).toString('latin1');
  const [, major] = /^([0-9]{1,3})\.[0-9]{1,9}\n/.exec(text) ?? [];
  if (major === undefined) throw memberFault(member, 'does not hold a format version');
  if (major !== '2')
    throw memberFault(member, `says format ${major}, and 2 is the only one`, 'deb_unsupported');
}

function kindOf(member: ArMember, kinds: ReadonlyMap<string, Compression>): Compression {
  const kind = kinds.get(member.name);
  if (kind === undefined) throw memberFault(member, 'is of a compression that dpkg does not read there');
  return kind;
}

async function readControl(member: ArMember): Promise<Control> {
  const part = member.name;
  const budget = { ...controlBudget, inputBytes: member.sizeBytes };
  const unpacked = decompress(kindOf(member, controlKinds), member.content(), budget, part);
  const members = await readControlArchive(unpacked, part);
  const text = members.get('control');
  if (text === undefined)
    throw new AppError('control_archive', `${part} has no control file.`, { part, entry: 'control' });
  const stanza = parseStanza(text, `${part}/control`);
  checkEnd(stanza, text, `${part}/control`);
  if (isInstallerPackage(stanza))
    throw new AppError(
      'deb_unsupported',
      'The package is a udeb, for the Debian installer; channels hold packages for installed machines.',
      { part: `${part}/control`, field: 'Package-Type' },
    );
  const facts = readControlFacts(stanza, `${part}/control`);
  return { members, stanza, facts, sums: parseMd5sums(members.get('md5sums')) };
}

/** dpkg 1.21 takes the newline behind a last field without a value for the value, and misses the newline. */
function checkEnd(stanza: Stanza, text: Uint8Array, part: string): void {
  const last = stanza.at(-1);
  if (last === undefined || last.value !== '' || text.at(-2) === 0x0a) return;
  const detail = `The last field of ${part}, ${last.name}, has no value.`;
  throw new AppError('control_syntax', detail, { part, field: last.name });
}

function readData(member: ArMember, kind: Compression, sums: Md5sums): Promise<DataArchive> {
  const budget = { ...contentBudget, inputBytes: member.sizeBytes };
  return readDataArchive(decompress(kind, member.content(), budget, member.name), member.name, sums);
}

/** deb-md5sums(5): a digest, two spaces, and a path from the root without the slash. */
function parseMd5sums(bytes: Uint8Array | undefined): { sums: Md5sums; malformedLines: number } {
  const sums = new Map<string, string>();
  let malformedLines = 0;
  for (const line of textOf(bytes).split('\n')) {
    if (line === '') continue;
    const [, digest = '', name = ''] = /^([0-9a-fA-F]{32}) [ *](.+)$/.exec(line) ?? [];
    const path = normalisePath(name);
    if (path === null || path === '/') malformedLines++;
    else sums.set(path, digest.toLowerCase());
  }
  return { sums, malformedLines };
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
}

/** What dpkg and debconf run as root. */
const scriptNames = ['preinst', 'postinst', 'prerm', 'postrm', 'config'];

function readScripts(members: ControlMembers): Script[] {
  return scriptNames.flatMap((name) => {
    const bytes = members.get(name);
    if (bytes === undefined) return [];
    // bash and libc6 have had compiled programs here.
    if (bytes.includes(0)) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return [{ name, text: `(a program of ${bytes.length} bytes, SHA-256 ${sha256})` }];
    }
    const text = textOf(bytes);
    const [, interpreter] = /^#![ \t]*([^\s]+)/.exec(text) ?? [];
    return [{ name, ...(interpreter !== undefined && { interpreter }), text }];
  });
}

/** deb-conffiles(5): one absolute path a line; `remove-on-upgrade` may stand before a path that is gone. */
function readConffiles(members: ControlMembers): { paths: string[]; malformedLines: number } {
  const lines = textOf(members.get('conffiles'))
    .split('\n')
    .map((line) => line.trimEnd());
  const named = lines.filter((line) => line !== '' && !line.startsWith('remove-on-upgrade '));
  const paths = named.filter((line) => line.startsWith('/') && normalisePath(line) !== null);
  return { paths, malformedLines: named.length - paths.length };
}

function findings(read: Read, malformedConffiles: number): Finding[] {
  const found: Finding[] = [];
  const add = (code: string, message: string): void => void found.push({ code, message });
  const { sums } = read.control;
  if (sums.malformedLines > 0)
    add('md5sums_malformed', `md5sums has ${sums.malformedLines} lines that dpkg --verify cannot read.`);
  if (read.data.unmatchedSums > 0)
    add(
      'md5sums_unmatched',
      `md5sums lists ${read.data.unmatchedSums} paths that the package does not have.`,
    );
  if (malformedConffiles > 0)
    add('conffiles_malformed', `conffiles has ${malformedConffiles} lines that are no absolute path.`);
  if (read.dataKind === 'bzip2' || read.dataKind === 'lzma')
    add('data_compression', `data.tar is compressed with ${read.dataKind}, which dpkg is giving up.`);
  return found;
}

function assemble(read: Read, coreSha256: string): DebPackage {
  const { members, stanza, facts } = read.control;
  const conffiles = readConffiles(members);
  return {
    coreSha256,
    control: stanza,
    conffiles: conffiles.paths,
    facts: {
      ...facts,
      // Tools that want the same bytes each time write 0, which is no date.
      buildTime: read.time === 0 ? null : read.time,
      files: read.data.files,
      scripts: readScripts(members),
      findings: [...facts.findings, ...findings(read, conffiles.malformedLines)],
    },
  };
}
