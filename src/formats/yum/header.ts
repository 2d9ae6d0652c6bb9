/**
 * The header structure of an rpm package: the signature header and the main header have it both
 * (`docs/manual/format_header.md`). Every rule of rpm's own reader is held (`lib/header.cc`:
 * `hdrblobVerifyLengths`, `hdrblobVerifyRegion`, `hdrblobVerifyInfo`), and some more where two readers could
 * see two packages in one file: no tag stands twice, and a v6 header is sorted (`format_v6.md`).
 */
import { AppError } from '../../errors.ts';
import { mainTags, mainTagsByNumber, signatureTags, signatureTagsByNumber } from './tags.ts';
import type { MainTag, SignatureTag, TagType } from './tags.ts';

export type HeaderKind = 'signature' | 'main';
export type Tag<Kind extends HeaderKind> = Kind extends 'main' ? MainTag : SignatureTag;

/** The on-disk types. INT8 and CHAR are bytes; a BIN is one blob. */
export const types = {
  char: 1,
  int8: 2,
  int16: 3,
  int32: 4,
  int64: 5,
  string: 6,
  binary: 7,
  stringArray: 8,
  i18nString: 9,
} as const;

/** One entry of the index, checked: its data lies in the store, and nowhere else's. */
export type Entry = {
  readonly tag: number;
  readonly type: number;
  /** From the start of the store. */
  readonly offset: number;
  readonly count: number;
  readonly length: number;
};

export type Header<Kind extends HeaderKind> = {
  readonly kind: Kind;
  /** All of it, from the magic to the end of the store. */
  readonly bytes: Buffer;
  /** Where the store starts in `bytes`. */
  readonly storeStart: number;
  /** In the order of the index, without the region's own entry. */
  readonly entries: ReadonlyMap<number, Entry>;
  /** False in packages older than rpm 4: no entry ties the header together. */
  readonly region: boolean;
};

export type AnyHeader = Header<'signature'> | Header<'main'>;

/** What stands in front of index and store. */
export const introBytes = 16;

/**
 * rpm reads up to 256 MiB of store and 65,535 entries; the largest header known, of a package with 300,000
 * files, has 60 MiB. A signature header holds at most 32 entries; its size is that of IMA signatures.
 */
export const headerLimits = {
  totalBytes: 64 * 1024 * 1024,
  mainEntries: 65_535,
  signatureEntries: 32,
  signatureBytes: 16 * 1024 * 1024,
  /** `HEADER_ARRAY_MAX` */
  arrayItems: 0xf_ffff,
} as const;

const magic = Buffer.from([0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0]);
const entryBytes = 16;
const regionTag = { signature: 62, main: 63 } as const;
/** Some packages of rpm 4.0 close the region of the signature header with this tag. */
const headerImageTag = 61;
const firstDataTag = 100;

const sizes: readonly number[] = [0, 1, 1, 2, 4, 8, 0, 1, 0, 0];

export const partOf = (kind: HeaderKind): string => `${kind} header`;

const malformed = (kind: HeaderKind, detail: string, offset: number, tag?: string): AppError =>
  new AppError(
    'rpm_header_malformed',
    `In the ${partOf(kind)}, ${detail}.`,
    tag === undefined ? { part: partOf(kind), offset } : { part: partOf(kind), offset, tag },
  );

/** A tag by name, or by number when it has none. */
export function tagLabel(kind: HeaderKind, tag: number): string {
  const table = kind === 'main' ? mainTagsByNumber : signatureTagsByNumber;
  return table.get(tag)?.name ?? String(tag);
}

/**
 * Reads the 16 bytes in front of a header and says how long it is, these 16 included. `before` is what other
 * headers of the file take already: an attacker who says 256 MiB gets no buffer of 256 MiB.
 */
export function headerLength(intro: Buffer, kind: HeaderKind, before = 0): number {
  if (!intro.subarray(0, magic.length).equals(magic)) {
    throw malformed(kind, 'the first eight bytes are not those of a header', 0);
  }
  const entries = intro.readUInt32BE(8);
  const store = intro.readUInt32BE(12);
  const mostEntries = kind === 'main' ? headerLimits.mainEntries : headerLimits.signatureEntries;
  if (entries > mostEntries || entries === 0) {
    throw malformed(kind, `the index has ${entries} entries; rpm reads 1 to ${mostEntries}`, 8);
  }
  const length = introBytes + entries * entryBytes + store;
  const most = kind === 'main' ? headerLimits.totalBytes - before : headerLimits.signatureBytes;
  if (length > most) {
    throw new AppError('rpm_limit', `The ${partOf(kind)} has ${length} bytes; the limit is ${most}.`, {
      part: partOf(kind),
      offset: 12,
    });
  }
  return length;
}

/** Reads a header from exactly its bytes, as `headerLength` counted them. */
export function decodeHeader<Kind extends HeaderKind>(bytes: Buffer, kind: Kind): Header<Kind> {
  const count = bytes.readUInt32BE(8);
  const storeStart = introBytes + count * entryBytes;
  const store = bytes.subarray(storeStart);
  const trailer = readRegion(bytes, store, count, kind);
  const entries = new Map<number, Entry>();
  let end = trailer === 0 ? entryBytes : 0;
  for (let i = trailer === null ? 0 : 1; i < count; i++) {
    const place = introBytes + i * entryBytes;
    const entry = readEntry(bytes, place, store, end, kind);
    const label = tagLabel(kind, entry.tag);
    if (trailer !== null && entry.offset < trailer + entryBytes && entry.offset + entry.length > trailer) {
      throw malformed(kind, `the data of ${label} overlaps the end of the region`, place, label);
    }
    // rpm adds the lengths up, and takes no header in which they are not all there is (`headerLoad`).
    if (entry.offset !== aligned(end, entry.type)) {
      throw malformed(kind, `there are unused bytes before the data of ${label}`, place, label);
    }
    end = entry.offset + entry.length;
    if (end === trailer) end += entryBytes;
    if (entries.has(entry.tag)) throw malformed(kind, `the tag ${label} stands twice`, place, label);
    entries.set(entry.tag, entry);
  }
  if (end !== store.length) throw malformed(kind, 'there are unused bytes at the end', storeStart + end);
  return { kind, bytes, storeStart, entries, region: trailer !== null };
}

/**
 * Checks the entry that ties the header together, and says where its trailer stands in the store: `null` when
 * there is none, as in packages older than rpm 4 (`hdrblobVerifyRegion`).
 */
function readRegion(bytes: Buffer, store: Buffer, count: number, kind: HeaderKind): number | null {
  if (bytes.readUInt32BE(introBytes) !== regionTag[kind]) return null;
  const bad = (detail: string): AppError => malformed(kind, `the region ${detail}`, introBytes);
  if (
    bytes.readUInt32BE(introBytes + 4) !== types.binary ||
    bytes.readUInt32BE(introBytes + 12) !== entryBytes
  ) {
    throw bad('entry is not 16 bytes of binary data');
  }
  const offset = bytes.readInt32BE(introBytes + 8);
  if (offset < 0 || offset + entryBytes > store.length) throw bad('ends outside of the data');
  const tag = store.readUInt32BE(offset);
  const tagIsRight = tag === regionTag[kind] || (kind === 'signature' && tag === headerImageTag);
  if (
    !tagIsRight ||
    store.readUInt32BE(offset + 4) !== types.binary ||
    store.readUInt32BE(offset + 12) !== entryBytes
  ) {
    throw bad('does not end in its own tag');
  }
  const indexBytes = -store.readInt32BE(offset + 8);
  if (indexBytes % entryBytes !== 0 || indexBytes < entryBytes || indexBytes > count * entryBytes) {
    throw bad('counts entries that are not there');
  }
  // What stands behind the region of a main header is covered by no signature: CVE-2021-20271 and its family.
  if (kind === 'main' && (indexBytes !== count * entryBytes || offset + entryBytes !== store.length)) {
    throw bad('does not cover the whole header');
  }
  return offset;
}

function readEntry(
  bytes: Buffer,
  place: number,
  store: Buffer,
  previousEnd: number,
  kind: HeaderKind,
): Entry {
  const tag = bytes.readUInt32BE(place);
  const type = bytes.readUInt32BE(place + 4);
  const offset = bytes.readInt32BE(place + 8);
  const count = bytes.readUInt32BE(place + 12);
  const label = tagLabel(kind, tag);
  const bad = (detail: string): AppError => malformed(kind, `${label} ${detail}`, place, label);
  if (tag < firstDataTag || tag > 0x7fff_ffff) throw bad('is no number for a tag');
  if (type < types.char || type > types.i18nString) throw bad(`has type ${type}; there are 1 to 9`);
  if (count < 1 || count > store.length) throw bad(`counts ${count} values`);
  if (type !== types.binary && count > headerLimits.arrayItems) throw bad(`counts ${count} values`);
  if (offset < previousEnd || offset > store.length) {
    throw bad(`has its data at ${offset}, which is outside of the data or another tag's`);
  }
  const size = sizes[type] ?? 0;
  if (size > 1 && offset % size !== 0)
    throw bad(`has its data at ${offset}, which is not a multiple of ${size}`);
  const length = size > 0 ? size * count : stringsLength(store, offset, type === types.string ? 1 : count);
  if (type === types.string && count !== 1) throw bad(`is one string and counts ${count}`);
  if (length < 0 || offset + length > store.length) throw bad('has data that runs over the end');
  checkType(kind, tag, type, place);
  return { tag, type, offset, count, length };
}

/** How many bytes `count` strings take with their NULs, or -1 when the store ends before. */
function stringsLength(store: Buffer, offset: number, count: number): number {
  let end = offset;
  for (let i = 0; i < count; i++) {
    const nul = store.indexOf(0, end);
    if (nul < 0) return -1;
    end = nul + 1;
  }
  return end - offset;
}

const typeNames = Object.entries(types);

const typesOfTags: Readonly<Record<TagType, readonly number[]>> = {
  char: [types.char],
  int16: [types.int16],
  int32: [types.int32],
  int64: [types.int64],
  string: [types.string],
  strings: [types.stringArray],
  translated: [types.i18nString, types.string],
  stringOrStrings: [types.stringArray, types.string],
  binary: [types.binary],
};

function checkType(kind: HeaderKind, tag: number, type: number, place: number): void {
  const known = (kind === 'main' ? mainTagsByNumber : signatureTagsByNumber).get(tag);
  if (known === undefined || typesOfTags[known.type].includes(type)) return;
  const [found = String(type)] = typeNames.find(([, number]) => number === type) ?? [];
  throw malformed(kind, `${known.name} has type ${found}, which it cannot have`, place, known.name);
}

const numberOf = (kind: HeaderKind, tag: string): number => {
  const table: Readonly<Record<string, readonly [number, TagType]>> =
    kind === 'main' ? mainTags : signatureTags;
  return table[tag]?.[0] ?? 0;
};

/** The entry of a tag, for its count and place. */
export function entryOf<Kind extends HeaderKind>(header: Header<Kind>, tag: Tag<Kind>): Entry | undefined {
  return header.entries.get(numberOf(header.kind, tag));
}

/** The data of a tag as it stands in the store. */
export function dataOf<Kind extends HeaderKind>(header: Header<Kind>, tag: Tag<Kind>): Buffer | undefined {
  const entry = entryOf(header, tag);
  return entry === undefined ? undefined : entryData(header, entry);
}

export function entryData(header: AnyHeader | Header<HeaderKind>, entry: Entry): Buffer {
  const start = header.storeStart + entry.offset;
  return header.bytes.subarray(start, start + entry.length);
}

/** Where a fault in a tag's data stands. */
export function placeOf<Kind extends HeaderKind>(
  header: Header<Kind>,
  tag: Tag<Kind>,
  within = 0,
): { part: string; tag: string; offset: number } {
  const entry = entryOf(header, tag);
  return { part: partOf(header.kind), tag, offset: header.storeStart + (entry?.offset ?? 0) + within };
}

/**
 * The numbers of a tag, or undefined when the package has none. Sizes over 2^53 exist in no file: who writes one
 * wants another reader to see a negative one.
 */
export function numbersOf<Kind extends HeaderKind>(
  header: Header<Kind>,
  tag: Tag<Kind>,
): readonly number[] | undefined {
  const entry = entryOf(header, tag);
  if (entry === undefined) return undefined;
  const data = entryData(header, entry);
  const size = sizes[entry.type] ?? 1;
  const numbers = new Array<number>(entry.count);
  for (let i = 0; i < entry.count; i++) {
    if (size === 2) numbers[i] = data.readUInt16BE(i * 2);
    else if (size === 4) numbers[i] = data.readUInt32BE(i * 4);
    else if (size === 8) {
      const value = data.readBigUInt64BE(i * 8);
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw new AppError(
          'rpm_tag_invalid',
          `${tag} holds the number ${value}.`,
          placeOf(header, tag, i * 8),
        );
      }
      numbers[i] = Number(value);
    } else numbers[i] = data.readUInt8(i);
  }
  return numbers;
}

/**
 * The number of a tag that has one. Of two numbers rpm shows the first and computes with zero
 * (`headerGetNumber`): refused.
 */
export function numberIn<Kind extends HeaderKind>(header: Header<Kind>, tag: Tag<Kind>): number | undefined {
  const numbers = numbersOf(header, tag);
  if (numbers === undefined) return undefined;
  const [first, ...more] = numbers;
  if (first === undefined || more.length > 0) {
    throw new AppError(
      'rpm_tag_invalid',
      `${tag} holds ${numbers.length} numbers, not one.`,
      placeOf(header, tag),
    );
  }
  return first;
}

/** An entry to be written: the bytes as they stand in a store, numbers big-endian, strings with their NULs. */
export type HeaderValue = {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly data: Buffer;
};

/** The entries of a header as values, in the order of the index. */
export function valuesOf(header: AnyHeader): HeaderValue[] {
  return Array.from(header.entries.values(), (entry) => ({
    tag: entry.tag,
    type: entry.type,
    count: entry.count,
    data: entryData(header, entry),
  }));
}

/** What `encodeHeader` will take for these values without a region: rpm's `headerSizeof`. */
export function encodedLength(values: readonly HeaderValue[]): number {
  const store = values.reduce((end, value) => aligned(end, value.type) + value.data.length, 0);
  return introBytes + values.length * entryBytes + store;
}

const aligned = (offset: number, type: number): number => {
  const size = sizes[type] ?? 0;
  return size > 1 ? Math.ceil(offset / size) * size : offset;
};

/**
 * Writes a header as rpm's `headerReload` and `headerWrite` do: sorted by tag, the data in the same order, one
 * region around all of it. With `region` false it is a v3 header.
 */
export function encodeHeader(values: readonly HeaderValue[], kind: HeaderKind, region = true): Buffer {
  const sorted = values.toSorted((a, b) => a.tag - b.tag);
  const extra = region ? 1 : 0;
  const count = sorted.length + extra;
  const dataLength = encodedLength(sorted) - introBytes - sorted.length * entryBytes;
  const storeStart = introBytes + count * entryBytes;
  const bytes = Buffer.alloc(storeStart + dataLength + extra * entryBytes);
  magic.copy(bytes);
  bytes.writeUInt32BE(count, 8);
  bytes.writeUInt32BE(bytes.length - storeStart, 12);
  let offset = 0;
  sorted.forEach((value, i) => {
    offset = aligned(offset, value.type);
    writeEntry(bytes, introBytes + (i + extra) * entryBytes, { ...value, offset });
    value.data.copy(bytes, storeStart + offset);
    offset += value.data.length;
  });
  if (region) {
    const frame = { tag: regionTag[kind], type: types.binary, count: entryBytes };
    writeEntry(bytes, introBytes, { ...frame, offset });
    writeEntry(bytes, storeStart + offset, { ...frame, offset: -entryBytes * count });
  }
  return bytes;
}

function writeEntry(bytes: Buffer, place: number, entry: Omit<Entry, 'length'>): void {
  bytes.writeUInt32BE(entry.tag, place);
  bytes.writeUInt32BE(entry.type, place + 4);
  bytes.writeInt32BE(entry.offset, place + 8);
  bytes.writeUInt32BE(entry.count, place + 12);
}
