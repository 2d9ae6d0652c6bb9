/**
 * Makes small rpm packages for tests: the same arguments give the same bytes, every digest is right, and rpm and
 * dnf install them. `tags` and `payload` replace what would be there, so that hostile packages are made as well,
 * with digests that are right all the same.
 */
import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { encodeHeader, types } from '../src/formats/yum/header.ts';
import type { HeaderValue } from '../src/formats/yum/header.ts';
import { encodeLead } from '../src/formats/yum/lead.ts';
import { mainTags, signatureTags } from '../src/formats/yum/tags.ts';
import type { MainTag, SignatureTag } from '../src/formats/yum/tags.ts';

export type RpmFile = {
  /** Absolute; a bare name in a source package. */
  readonly path: string;
  readonly content?: string | Buffer;
  /** Permission bits; 0o644, 0o755 for directories, 0o777 for symlinks. */
  readonly mode?: number;
  readonly kind?: 'file' | 'directory' | 'symlink';
  readonly target?: string;
  /** `RPMFILE_*` bits; ghosts are 64 and stay out of the payload. */
  readonly flags?: number;
};

export type RpmChange = { readonly time: number; readonly author: string; readonly text: string };

type Value = string | number | Buffer | readonly string[] | readonly number[] | null;

export type RpmSpec = {
  readonly name: string;
  readonly version?: string;
  readonly release?: string;
  readonly epoch?: number;
  readonly arch?: string;
  readonly source?: boolean;
  readonly summary?: string;
  readonly description?: string;
  readonly license?: string;
  readonly files?: readonly RpmFile[];
  /** `libfoo`, `libfoo >= 1:2.0-3`. A package provides itself without being told. */
  readonly provides?: readonly string[];
  readonly requires?: readonly string[];
  readonly conflicts?: readonly string[];
  readonly obsoletes?: readonly string[];
  readonly recommends?: readonly string[];
  readonly suggests?: readonly string[];
  readonly supplements?: readonly string[];
  readonly enhances?: readonly string[];
  /** Newest first. */
  readonly changelog?: readonly RpmChange[];
  readonly postinstall?: string;
  readonly buildTime?: number;
  readonly compression?: 'gzip' | 'zstd' | 'none';
  /** 3 has no regions, no payload digest and MD5 only, as rpm 3 made them. 6 is as rpm 6 makes them. */
  readonly format?: 3 | 4 | 6;
  /** Bytes of reserved space in the signature header; 0 for none. */
  readonly reserve?: number;
  /** Main header tags to set or, with null, to leave out. */
  readonly tags?: Readonly<Partial<Record<MainTag, Value>>>;
  readonly signatureTags?: Readonly<Partial<Record<SignatureTag, Value>>>;
  /** The payload, compressed already. */
  readonly payload?: Buffer;
  /** Changes to what has been made, each before the digests over it are taken. */
  readonly patch?: Readonly<
    Partial<Record<'archive' | 'payload' | 'header' | 'signature', (bytes: Buffer) => Buffer>>
  >;
};

const modes = { file: 0x8000, directory: 0x4000, symlink: 0xa000 } as const;
const permissions = { file: 0o644, directory: 0o755, symlink: 0o777 } as const;

/** The bytes of a package file. */
export function buildRpm(spec: RpmSpec): Buffer {
  const format = spec.format ?? 4;
  const files = (spec.files ?? []).map((file) => completeFile(file));
  const patched = (part: keyof NonNullable<RpmSpec['patch']>, bytes: Buffer): Buffer =>
    spec.patch?.[part]?.(bytes) ?? bytes;
  const archive = patched('archive', cpio(files, format === 6));
  const compression = spec.compression ?? 'gzip';
  const payload = patched('payload', spec.payload ?? compress(archive, compression));
  const tags: Partial<Record<MainTag, Value>> = {
    ...identityTags(spec),
    ...fileTags(files, format),
    ...dependencyTags(spec),
    ...changelogTags(spec.changelog ?? []),
    PAYLOADFORMAT: 'cpio',
    PAYLOADCOMPRESSOR: compression === 'none' ? null : compression,
    ...(format === 3 ? {} : payloadTags(payload, archive)),
    ...(format === 6 ? formatSixTags(spec, payload, archive) : {}),
    ...spec.tags,
  };
  const header = patched('header', encodeHeader(values(tags, mainTags), 'main', format !== 3));
  const signed = {
    ...digestTags(header, payload, archive, format),
    ...reserveTag(spec),
    ...spec.signatureTags,
  };
  const signature = patched(
    'signature',
    encodeHeader(values(signed, signatureTags), 'signature', format !== 3),
  );
  const lead = encodeLead({
    major: format === 6 ? 4 : 3,
    source: spec.source ?? false,
    name: `${spec.name}-${spec.version ?? '1.0'}-${spec.release ?? '1'}`,
  });
  return Buffer.concat([lead, signature, Buffer.alloc((8 - (signature.length % 8)) % 8), header, payload]);
}

type WholeFile = Required<Omit<RpmFile, 'content' | 'mode'>> & {
  readonly content: Buffer;
  readonly mode: number;
};

function completeFile(file: RpmFile): WholeFile {
  const kind = file.kind ?? (file.target === undefined ? 'file' : 'symlink');
  const target = file.target ?? '';
  const content = kind === 'symlink' ? Buffer.from(target) : Buffer.from(file.content ?? '');
  const mode = modes[kind] | (file.mode ?? permissions[kind]);
  return { path: file.path, kind, target, content, mode, flags: file.flags ?? 0 };
}

const hash = (algorithm: string, ...parts: Buffer[]): string => {
  const digest = createHash(algorithm);
  for (const part of parts) digest.update(part);
  return digest.digest('hex');
};

function compress(archive: Buffer, compression: 'gzip' | 'zstd' | 'none'): Buffer {
  if (compression === 'none') return archive;
  return compression === 'gzip' ? gzipSync(archive, { level: 9 }) : zstdCompressSync(archive);
}

/** A cpio archive as rpm writes it; stripped headers hold the number of the file alone. */
function cpio(files: readonly WholeFile[], stripped: boolean): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  const put = (bytes: Buffer): void => {
    const padding = Buffer.alloc((4 - ((length + bytes.length) % 4)) % 4);
    parts.push(bytes, padding);
    length += bytes.length + padding.length;
  };
  files.forEach((file, i) => {
    if ((file.flags & 64) !== 0) return;
    const content = file.kind === 'directory' ? Buffer.alloc(0) : file.content;
    const name = file.path.startsWith('/') ? `.${file.path}` : file.path;
    put(stripped ? Buffer.from(`07070X${hex(i)}`) : newc(name, file.mode, content.length, i + 1));
    put(content);
  });
  put(newc('TRAILER!!!', 0, 0, 0));
  return Buffer.concat(parts);
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');

function newc(name: string, mode: number, size: number, inode: number): Buffer {
  const fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0];
  return Buffer.from(`070701${fields.map(hex).join('')}${name}\0`);
}

function identityTags(spec: RpmSpec): Partial<Record<MainTag, Value>> {
  const version = spec.version ?? '1.0';
  const release = spec.release ?? '1';
  return {
    HEADERI18NTABLE: ['C'],
    NAME: spec.name,
    VERSION: version,
    RELEASE: release,
    EPOCH: spec.epoch ?? null,
    SUMMARY: [spec.summary ?? `The ${spec.name} package`],
    DESCRIPTION: [spec.description ?? `The ${spec.name} package, made for tests.`],
    BUILDTIME: spec.buildTime ?? 1_700_000_000,
    BUILDHOST: 'build.example',
    SIZE: (spec.files ?? []).reduce((total, file) => total + Buffer.byteLength(file.content ?? ''), 0),
    LICENSE: spec.license ?? 'MIT',
    GROUP: ['Unspecified'],
    OS: 'linux',
    ARCH: spec.arch ?? 'noarch',
    SOURCERPM: spec.source === true ? null : `${spec.name}-${version}-${release}.src.rpm`,
    SOURCEPACKAGE: spec.source === true ? 1 : null,
    RPMVERSION: '4.18.0',
    ENCODING: 'utf-8',
    POSTIN: spec.postinstall ?? null,
    POSTINPROG: spec.postinstall === undefined ? null : ['/bin/sh'],
  };
}

function fileTags(files: readonly WholeFile[], format: 3 | 4 | 6): Partial<Record<MainTag, Value>> {
  if (files.length === 0) return {};
  const split = files.map(({ path }) => ({
    dir: path.slice(0, path.lastIndexOf('/') + 1),
    base: path.slice(path.lastIndexOf('/') + 1),
  }));
  const dirs = [...new Set(split.map(({ dir }) => dir))];
  const names: Partial<Record<MainTag, Value>> =
    format === 3
      ? { OLDFILENAMES: files.map(({ path }) => path) }
      : {
          DIRNAMES: dirs,
          DIRINDEXES: split.map(({ dir }) => dirs.indexOf(dir)),
          BASENAMES: split.map(({ base }) => base),
        };
  const sizes = files.map(({ kind, content }) => (kind === 'directory' ? 4096 : content.length));
  const algorithm = format === 3 ? 'md5' : 'sha256';
  return {
    ...names,
    FILESIZES: format === 6 ? null : sizes,
    LONGFILESIZES: format === 6 ? sizes : null,
    FILEMODES: files.map(({ mode }) => mode),
    FILERDEVS: files.map(() => 0),
    FILEMTIMES: files.map(() => 1_700_000_000),
    FILEDIGESTS: files.map(({ kind, content, flags }) =>
      kind === 'file' && (flags & 64) === 0 ? hash(algorithm, content) : '',
    ),
    FILEDIGESTALGO: format === 3 ? null : 8,
    FILELINKTOS: files.map(({ target }) => target),
    FILEFLAGS: files.map(({ flags }) => flags),
    FILEUSERNAME: files.map(() => 'root'),
    FILEGROUPNAME: files.map(() => 'root'),
    FILEVERIFYFLAGS: files.map(() => 0xffff_ffff),
    FILEDEVICES: files.map(() => 1),
    FILEINODES: files.map((_, i) => i + 1),
    FILELANGS: files.map(() => ''),
  };
}

const senses: Readonly<Record<string, number>> = { '<': 2, '>': 4, '=': 8, '<=': 10, '>=': 12 };

/** The three tags of one kind of dependency. */
export function dependencyValues(
  kind: 'PROVIDE' | 'REQUIRE' | 'CONFLICT' | 'OBSOLETE' | 'RECOMMEND' | 'SUGGEST' | 'SUPPLEMENT' | 'ENHANCE',
  texts: readonly string[],
): Partial<Record<MainTag, Value>> {
  if (texts.length === 0) return {};
  const split = texts.map((text) => (text.startsWith('(') ? [text] : text.split(' ')));
  return {
    [`${kind}NAME`]: split.map(([name = '']) => name),
    [`${kind}FLAGS`]: split.map(([, operator = '']) => senses[operator] ?? 0),
    [`${kind}VERSION`]: split.map(([, , evr = '']) => evr),
  };
}

function dependencyTags(spec: RpmSpec): Partial<Record<MainTag, Value>> {
  const epoch = spec.epoch === undefined ? '' : `${spec.epoch}:`;
  const self = `${spec.name} = ${epoch}${spec.version ?? '1.0'}-${spec.release ?? '1'}`;
  return {
    ...dependencyValues('PROVIDE', spec.source === true ? [] : [self, ...(spec.provides ?? [])]),
    ...dependencyValues('REQUIRE', spec.requires ?? []),
    ...dependencyValues('CONFLICT', spec.conflicts ?? []),
    ...dependencyValues('OBSOLETE', spec.obsoletes ?? []),
    ...dependencyValues('RECOMMEND', spec.recommends ?? []),
    ...dependencyValues('SUGGEST', spec.suggests ?? []),
    ...dependencyValues('SUPPLEMENT', spec.supplements ?? []),
    ...dependencyValues('ENHANCE', spec.enhances ?? []),
  };
}

function changelogTags(changelog: readonly RpmChange[]): Partial<Record<MainTag, Value>> {
  if (changelog.length === 0) return {};
  return {
    CHANGELOGTIME: changelog.map(({ time }) => time),
    CHANGELOGNAME: changelog.map(({ author }) => author),
    CHANGELOGTEXT: changelog.map(({ text }) => text),
  };
}

const payloadTags = (payload: Buffer, archive: Buffer): Partial<Record<MainTag, Value>> => ({
  PAYLOADSHA256: [hash('sha256', payload)],
  PAYLOADSHA256ALGO: 8,
  PAYLOADSHA256ALT: [hash('sha256', archive)],
});

const formatSixTags = (spec: RpmSpec, payload: Buffer, archive: Buffer): Partial<Record<MainTag, Value>> => ({
  RPMFORMAT: 6,
  SIZE: null,
  LONGSIZE: (spec.files ?? []).reduce((total, file) => total + Buffer.byteLength(file.content ?? ''), 0),
  SOURCENEVR: spec.source === true ? null : `${spec.name}-${spec.version ?? '1.0'}-${spec.release ?? '1'}`,
  PAYLOADSHA256ALGO: null,
  PAYLOADSIZE: payload.length,
  PAYLOADSIZEALT: archive.length,
  PAYLOADSHA512: hash('sha512', payload),
  PAYLOADSHA512ALT: hash('sha512', archive),
  PAYLOADSHA3_256: hash('sha3-256', payload),
  PAYLOADSHA3_256ALT: hash('sha3-256', archive),
});

function digestTags(
  header: Buffer,
  payload: Buffer,
  archive: Buffer,
  format: 3 | 4 | 6,
): Partial<Record<SignatureTag, Value>> {
  if (format === 6) return { SHA256: hash('sha256', header), SHA3_256: hash('sha3-256', header) };
  return {
    SIZE: header.length + payload.length,
    MD5: createHash('md5').update(header).update(payload).digest(),
    PAYLOADSIZE: archive.length,
    ...(format === 3 ? {} : { SHA1: hash('sha1', header), SHA256: hash('sha256', header) }),
  };
}

function reserveTag(spec: RpmSpec): Partial<Record<SignatureTag, Value>> {
  const reserve = spec.reserve ?? (spec.format === 3 ? 0 : 4128);
  if (reserve === 0) return {};
  return { [spec.format === 6 ? 'RESERVED' : 'RESERVEDSPACE']: Buffer.alloc(reserve) };
}

function values(
  tags: Readonly<Record<string, Value | undefined>>,
  table: Readonly<Record<string, readonly [number, string]>>,
): HeaderValue[] {
  return Object.entries(tags).flatMap(([name, value]) => {
    if (value === null || value === undefined) return [];
    const [tag, type] = table[name] ?? [0, ''];
    return [{ tag, ...encodeValue(type, value) }];
  });
}

function encodeValue(type: string, value: Exclude<Value, null>): Omit<HeaderValue, 'tag'> {
  if (Buffer.isBuffer(value)) {
    if (type === 'binary') return { type: types.binary, count: value.length, data: value };
    return { type: types.string, count: 1, data: Buffer.concat([value, Buffer.alloc(1)]) };
  }
  if (type === 'string' || type === 'strings' || type === 'translated' || type === 'stringOrStrings') {
    const texts = Array.isArray(value) ? (value as readonly string[]) : [String(value)];
    const data = Buffer.from(texts.map((text) => `${text}\0`).join(''));
    if (!Array.isArray(value)) return { type: types.string, count: 1, data };
    return { type: type === 'translated' ? types.i18nString : types.stringArray, count: texts.length, data };
  }
  const numbers = (Array.isArray(value) ? value : [value]) as readonly number[];
  const size = type === 'int16' ? 2 : type === 'int64' ? 8 : 4;
  const data = Buffer.alloc(size * numbers.length);
  numbers.forEach((number, i) => {
    if (size === 8) data.writeBigUInt64BE(BigInt(number), i * 8);
    else data.writeUIntBE(number, i * size, size);
  });
  return {
    type: type === 'int16' ? types.int16 : size === 8 ? types.int64 : types.int32,
    count: numbers.length,
    data,
  };
}
