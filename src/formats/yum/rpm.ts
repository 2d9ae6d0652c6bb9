/** Reading an rpm package, once, from its first byte to its last. */
import { AppError } from '../../errors.ts';
import { decompress } from '../../archive/decompress.ts';
import { contentBudget } from '../../archive/limits.ts';
import { ByteReader } from '../../archive/reader.ts';
import type { PackageFacts } from '../package.ts';
import { checkTables } from './columns.ts';
import { checkSizes, Digests, expectedDigests } from './digests.ts';
import { readFileList } from './files.ts';
import { findingsOf } from './findings.ts';
import {
  decodeHeader,
  entryOf,
  headerLength,
  introBytes,
  numberIn,
  partOf,
  placeOf,
  tagLabel,
} from './header.ts';
import type { Header, HeaderKind } from './header.ts';
import { decodeLead, leadBytes } from './lead.ts';
import { describePackage, isSourcePackage } from './metadata.ts';
import type { Metadata } from './metadata.ts';
import { checkPayload, checkPayloadFormat, compressionOf, fileDigestOf } from './payload.ts';
import { readProducerSignatures } from './producer-signatures.ts';
import type { ProducerSignature } from './producer-signatures.ts';
import { signatureTagsByNumber } from './tags.ts';

/** A package that has been read: every digest of it is right, and its payload is what its header says. */
export type RpmPackage = {
  readonly facts: PackageFacts;
  /** SHA-256 of the file from the main header on, which signing never changes. */
  readonly coreSha256: string;
  /** 3: no immutable region. 6: RPMFORMAT says so. */
  readonly format: 3 | 4 | 6;
  readonly source: boolean;
  /** The uploaded file up to its main header, kept so that it can be put together again bit for bit. */
  readonly leadAndSignature: Buffer;
  readonly signatureHeader: Header<'signature'>;
  readonly header: Header<'main'>;
  /** Bytes from the start of the file to the main header. */
  readonly headerStart: number;
  /** Bytes from the start of the file to the payload. */
  readonly payloadStart: number;
  readonly sizeBytes: number;
  /** Whether the header has a digest of the payload, so that a signature of the header is enough. */
  readonly payloadDigest: boolean;
  readonly metadata: Metadata;
  /** The OpenPGP signatures that the file came with. They were read, not verified. */
  readonly signatures: readonly ProducerSignature[];
};

type Frame = Pick<
  RpmPackage,
  'format' | 'source' | 'leadAndSignature' | 'signatureHeader' | 'header' | 'headerStart' | 'payloadStart'
>;

/**
 * Reads a package. What it returns or throws depends on the bytes alone, not on how they come in chunks; it
 * throws nothing but `AppError`, and memory is bounded by `headerLimits` and `fileListLimits`.
 */
export async function parseRpm(source: AsyncIterable<Uint8Array>): Promise<RpmPackage> {
  const reader = new ByteReader(source, 'file');
  try {
    const frame = await readFrame(reader);
    const { header, signatureHeader } = frame;
    const digests = new Digests(expectedDigests(signatureHeader, header));
    digests.header(header.bytes);
    digests.check('header');
    checkTags(frame);
    checkTables(header);
    const signatures = readProducerSignatures(signatureHeader);
    const files = readFileList(header, frame.source);
    const archiveSize = declaredArchiveSize(frame);
    const described = describePackage(header, frame.source, files, archiveSize ?? 0);
    checkPayloadFormat(header);
    const measured = await readPayload(reader, frame, digests, (unpacked) =>
      checkPayload(unpacked, files, fileDigestOf(header)),
    );
    checkSizes(signatureHeader, header, measured);
    const metadata = { ...described.metadata, archiveSizeBytes: archiveSize ?? measured.unpacked };
    const payloadDigest = entryOf(header, 'PAYLOADSHA256') !== undefined;
    const read = {
      ...frame,
      metadata,
      signatures,
      payloadDigest,
      coreSha256: digests.core(),
      sizeBytes: reader.offset,
    };
    return { ...read, facts: { ...described.facts, findings: findingsOf(read, described.leftOut) } };
  } finally {
    await reader.close();
  }
}

/** Lead, signature header and padding: all that stands before the main header. */
async function readStart(reader: ByteReader) {
  const leadData = view(await reader.readUpTo(leadBytes));
  const lead = decodeLead(leadData);
  const signatureData = await readHeaderBytes(reader, 'signature', 0);
  const signatureHeader = decodeHeader(signatureData, 'signature');
  const padding = view(await reader.read((8 - (reader.offset % 8)) % 8, partOf('signature')));
  if (padding.some((byte) => byte !== 0)) {
    const place = { part: partOf('signature'), offset: signatureData.length };
    throw new AppError('rpm_header_malformed', 'The padding of the signature header is not zero.', place);
  }
  return { lead, signatureHeader, leadAndSignature: Buffer.concat([leadData, signatureData, padding]) };
}

/** Everything before the payload. */
async function readFrame(reader: ByteReader): Promise<Frame> {
  const { lead, signatureHeader, leadAndSignature } = await readStart(reader);
  const headerStart = reader.offset;
  const before = signatureHeader.bytes.length;
  const header = decodeHeader(await readHeaderBytes(reader, 'main', before), 'main');
  const source = isSourcePackage(header);
  if (source !== lead.source) {
    const [said, is] = source ? ['binary', 'source'] : ['source', 'binary'];
    const detail = `The lead says that this is a ${said} package; by its header it is a ${is} one.`;
    throw new AppError('rpm_header_malformed', detail, { part: 'lead', offset: 6 });
  }
  return {
    format: formatOf(header),
    source,
    leadAndSignature,
    signatureHeader,
    header,
    headerStart,
    payloadStart: reader.offset,
  };
}

/**
 * The bytes of a package from its main header on, which signing never changes: behind the lead and signature
 * header of the file as it was uploaded they make that file again. Throws as `parseRpm` does.
 */
export async function* coreOf(file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(file, 'file');
  try {
    await readStart(reader);
    while (!(await reader.atEnd())) yield await reader.readUpTo(readBytes);
  } finally {
    await reader.close();
  }
}

async function readHeaderBytes(reader: ByteReader, kind: HeaderKind, before: number): Promise<Buffer> {
  const intro = view(await reader.peek(introBytes));
  const whole = intro.length === introBytes ? headerLength(intro, kind, before) : introBytes;
  return view(await reader.read(whole, `the ${partOf(kind)}`));
}

/** The same bytes: a header may have 60 MiB, and is kept once. */
const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

function formatOf(header: Header<'main'>): 3 | 4 | 6 {
  if (!header.region) return 3;
  const format = numberIn(header, 'RPMFORMAT') ?? 4;
  if (format === 4 || format === 6) return format;
  throw new AppError('rpm_unsupported', `The package has format ${format}.`, placeOf(header, 'RPMFORMAT'));
}

/**
 * Tags where they may not be. rpm merges the two headers when it reads a package: a tag of the one in the other
 * could stand for what no digest covers (CVE-2021-20271; `lib/package.cc`, `headerMergeLegacySigs`).
 */
function checkTags({ format, header, signatureHeader }: Frame): void {
  const refuse = (where: Header<HeaderKind>, tag: number, why: string): never => {
    const label = tagLabel(where.kind, tag);
    const place = { part: partOf(where.kind), tag: label };
    throw new AppError('rpm_tag_invalid', `The ${partOf(where.kind)} holds ${label}, which ${why}.`, place);
  };
  for (const tag of header.entries.keys()) {
    if (tag > 100 && tag < 1000) refuse(header, tag, 'belongs into the signature header');
  }
  for (const tag of signatureHeader.entries.keys()) {
    if (tag < 1000) continue;
    if (!signatureTagsByNumber.has(tag)) refuse(signatureHeader, tag, 'belongs into the main header');
  }
  for (const [ours, theirs] of [
    ['FILESIGNATURES', 274],
    ['ARCHIVESIZE', 1007],
  ] as const) {
    const twice = entryOf(header, ours) !== undefined && signatureHeader.entries.has(theirs);
    if (twice) refuse(signatureHeader, theirs, 'the main header holds too');
  }
  if (format === 6) {
    checkSorted(signatureHeader);
    checkSorted(header);
  }
}

/** `docs/manual/format_v6.md`: strict tag sorting is required. */
function checkSorted(header: Header<HeaderKind>): void {
  let previous = 0;
  for (const tag of header.entries.keys()) {
    if (tag < previous) {
      const label = tagLabel(header.kind, tag);
      const detail = `${label} is out of order in the ${partOf(header.kind)} of a package of format 6.`;
      throw new AppError('rpm_header_malformed', detail, { part: partOf(header.kind), tag: label });
    }
    previous = tag;
  }
}

/** The size of the unpacked payload as the package says it, wherever its format has that. */
const declaredArchiveSize = ({ signatureHeader, header }: Frame): number | undefined =>
  numberIn(signatureHeader, 'LONGARCHIVESIZE') ??
  numberIn(signatureHeader, 'PAYLOADSIZE') ??
  numberIn(header, 'ARCHIVESIZE') ??
  numberIn(header, 'PAYLOADSIZEALT');

/**
 * Unpacks the payload for `check` while it counts and hashes what goes by. When the payload turns out wrong, the
 * rest of the file is read all the same: if it does not match its digests it was damaged on its way, and that
 * says more than what the damage looks like from inside.
 */
async function readPayload(
  reader: ByteReader,
  frame: Frame,
  digests: Digests,
  check: (unpacked: AsyncIterable<Uint8Array>) => Promise<number>,
): Promise<{ headerAndPayload: number; payload: number; unpacked: number; content: number }> {
  let unpackedBytes = 0;
  const next = async (): Promise<Uint8Array> => {
    const bytes = await reader.readUpTo(readBytes);
    digests.payload(bytes);
    return bytes;
  };
  async function* packed(): AsyncGenerator<Uint8Array, void, undefined> {
    while (!(await reader.atEnd())) yield await next();
  }
  async function* counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const bytes of source) {
      unpackedBytes += bytes.length;
      digests.unpacked(bytes);
      yield bytes;
    }
  }
  const finish = async (): Promise<void> => {
    while (!(await reader.atEnd())) await next();
    digests.check('payload', 'header and payload');
  };
  let content: number;
  try {
    const compression = compressionOf(frame.header, await reader.peek(2));
    content = await check(counted(decompress(compression, packed(), contentBudget, 'payload')));
  } catch (error) {
    await finish();
    throw error;
  }
  await finish();
  digests.check('unpacked payload');
  const payload = reader.offset - frame.payloadStart;
  return { headerAndPayload: reader.offset - frame.headerStart, payload, unpacked: unpackedBytes, content };
}

const readBytes = 64 * 1024;
