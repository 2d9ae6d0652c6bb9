/** The payload: a compressed cpio archive, held against the file list of the header. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { AppError } from '../../errors.ts';
import { readCpio } from '../../archive/cpio.ts';
import type { CpioEntry } from '../../archive/cpio.ts';
import type { Compression } from '../../archive/decompress.ts';
import { fileKind, fileListLimits, ghostFlag } from './files.ts';
import type { FileList } from './files.ts';
import { numberIn, placeOf } from './header.ts';
import type { Header } from './header.ts';
import { textIn } from './text.ts';

const part = 'payload';

const compressions: ReadonlySet<string> = new Set<Compression>(['gzip', 'bzip2', 'lzma', 'xz', 'zstd']);

/**
 * How the payload is compressed. rpm takes a package that does not say for gzip, and zlib reads what is not
 * gzip as it stands: so do uncompressed payloads of rpm 4.16 and 6 install, and only their first bytes tell.
 */
export function compressionOf(header: Header<'main'>, start: Uint8Array): Compression {
  const said = textIn(header, 'PAYLOADCOMPRESSOR');
  if (said === undefined) return start[0] === 0x1f && start[1] === 0x8b ? 'gzip' : 'none';
  if (!compressions.has(said)) {
    const detail = `The payload is compressed by ${JSON.stringify(said.slice(0, 100))}, which rpm does not read.`;
    throw new AppError('rpm_unsupported', detail, placeOf(header, 'PAYLOADCOMPRESSOR'));
  }
  return said as Compression;
}

/** Throws `rpm_unsupported` unless the payload is a cpio archive: a delta rpm is no package. */
export function checkPayloadFormat(header: Header<'main'>): void {
  // Before rpm 4 there was but one format.
  const format = textIn(header, 'PAYLOADFORMAT') ?? 'cpio';
  if (format === 'cpio') return;
  const detail =
    format === 'drpm'
      ? 'This is a delta rpm: no client can install it as a package.'
      : `The payload has the format ${JSON.stringify(format.slice(0, 100))}; rpm reads cpio.`;
  throw new AppError('rpm_unsupported', detail, placeOf(header, 'PAYLOADFORMAT'));
}

/** Digest algorithms of files by their OpenPGP number, and their length in hexadecimal digits. */
const fileDigests: Readonly<Record<number, { readonly name: string; readonly digits: number }>> = {
  1: { name: 'md5', digits: 32 },
  2: { name: 'sha1', digits: 40 },
  8: { name: 'sha256', digits: 64 },
  9: { name: 'sha384', digits: 96 },
  10: { name: 'sha512', digits: 128 },
  11: { name: 'sha224', digits: 56 },
  12: { name: 'sha3-256', digits: 64 },
  14: { name: 'sha3-512', digits: 128 },
};

export type FileDigest = { readonly name: string; readonly digits: number };

/** The algorithm of the files' digests. Without the tag it is MD5. */
export function fileDigestOf(header: Header<'main'>): FileDigest {
  const number = numberIn(header, 'FILEDIGESTALGO') ?? 1;
  const digest = fileDigests[number];
  if (digest !== undefined) return digest;
  const detail = `The digests of the files are of algorithm ${number}, which rpm does not know.`;
  throw new AppError('rpm_unsupported', detail, placeOf(header, 'FILEDIGESTALGO'));
}

const mismatch = (detail: string, entry: string, offset?: number): AppError =>
  new AppError('rpm_payload_mismatch', detail, { part, entry, ...(offset === undefined ? {} : { offset }) });

/**
 * Walks the unpacked payload and compares it with the file list: every file there once, by name or by number,
 * with its kind, mode, size, content or target; nothing else. Returns the bytes of all content.
 *
 * rpm goes by the header alone where the two differ (`lib/rpmfi.cc`, `iterReadArchiveNext`) and other readers by
 * the archive: an attacker could show a scanner other files than are installed.
 */
export async function checkPayload(
  unpacked: AsyncIterable<Uint8Array>,
  files: FileList,
  digest: FileDigest,
): Promise<number> {
  const seen = new Uint8Array(files.count);
  let contentBytes = 0;
  const entries = readCpio(unpacked, part, {
    maxEntries: fileListLimits.files,
    strippedSize: (index) => (index < files.count ? payloadSize(files, index) : null),
  });
  for await (const entry of entries) {
    const name = entry.form === 'newc' ? Buffer.from(entry.nameBytes).toString('latin1') : '';
    const i = entry.form === 'newc' ? findFile(files, name) : entry.index;
    if (i === undefined) {
      throw mismatch('The payload has a file that the header does not list.', name, entry.offset);
    }
    const path = files.paths[i] ?? '';
    if (seen[i] === 1) throw mismatch('The payload has this file twice.', path, entry.offset);
    seen[i] = 1;
    if (((files.flags[i] ?? 0) & ghostFlag) !== 0) {
      // rpm before 4.11 packed some ghosts; every rpm leaves them out when it installs. Where files go by their
      // number, a ghost in the payload puts rpm 4.18 out of step.
      if (entry.form === 'newc') continue;
      throw mismatch('The payload has a file that is not to be installed, a ghost.', path, entry.offset);
    }
    checkHeader(entry, files, i);
    contentBytes += entry.sizeBytes;
    await checkContent(entry, files, i, digest);
  }
  files.flags.forEach((flags, i) => {
    if (seen[i] === 1 || (flags & ghostFlag) !== 0) return;
    throw mismatch('The header lists a file that the payload does not have.', files.paths[i] ?? '');
  });
  return contentBytes;
}

/** Payloads name files with `./`, with `/` or, in source packages, with neither (`rpmfnFindFN`). */
function findFile(files: FileList, name: string): number | undefined {
  const bare = name.replace(/^\.?\//, '');
  if (bare.startsWith('/')) return undefined;
  return files.indexOf.get(`/${bare}`) ?? files.indexOf.get(bare);
}

const kindOf = (files: FileList, i: number): number => (files.modes[i] ?? 0) & fileKind.mask;

/** How many bytes the payload holds of a file: of hard links only the last has content. */
function payloadSize(files: FileList, i: number): number {
  const kind = kindOf(files, i);
  if (kind === fileKind.symlink) return files.sizes[i] ?? 0;
  return kind === fileKind.regular && files.contentAt[i] === i ? (files.sizes[i] ?? 0) : 0;
}

function checkHeader(entry: CpioEntry, files: FileList, i: number): void {
  const path = files.paths[i] ?? '';
  const size = payloadSize(files, i);
  if (entry.sizeBytes !== size) {
    throw mismatch(
      `The payload has ${entry.sizeBytes} bytes of this file; the header says ${size}.`,
      path,
      entry.offset,
    );
  }
  const mode = files.modes[i] ?? 0;
  if (entry.form === 'newc' && entry.mode !== mode) {
    const [here, there] = [entry.mode, mode].map((value) => `0${value.toString(8)}`);
    throw mismatch(
      `The file has mode ${here ?? ''} in the payload and ${there ?? ''} in the header.`,
      path,
      entry.offset,
    );
  }
}

async function checkContent(entry: CpioEntry, files: FileList, i: number, digest: FileDigest): Promise<void> {
  const path = files.paths[i] ?? '';
  const kind = kindOf(files, i);
  if (kind === fileKind.symlink) {
    const chunks: Uint8Array[] = [];
    if (entry.sizeBytes > fileListLimits.pathBytes)
      throw mismatch('The symlink has no possible target.', path);
    for await (const chunk of entry.content()) chunks.push(chunk);
    if (Buffer.concat(chunks).toString('latin1') !== files.byteTargets[i]) {
      throw mismatch('The symlink has another target than the header says.', path, entry.offset);
    }
    return;
  }
  if (kind !== fileKind.regular || files.contentAt[i] !== i) return;
  const expected = files.digests[i] ?? '';
  const hash: Hash = createHash(digest.name);
  for await (const chunk of entry.content()) hash.update(chunk);
  if (hash.digest('hex') === expected.toLowerCase()) return;
  // Old packages have zeros, or nothing, for the MD5 of an empty file.
  if (entry.sizeBytes === 0 && digest.name === 'md5' && /^0*$/.test(expected)) return;
  throw mismatch(
    `The content of the file does not match its ${digest.name} in the header.`,
    path,
    entry.offset,
  );
}
