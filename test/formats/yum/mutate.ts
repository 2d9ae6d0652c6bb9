/** Rpm packages made wrong at random, by a seed: the same number gives the same package for ever. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { introBytes } from '../../../src/formats/yum/header.ts';
import { parseRpm, type RpmPackage } from '../../../src/formats/yum/rpm.ts';
import { mainTags, signatureTags } from '../../../src/formats/yum/tags.ts';
import type { MainTag, SignatureTag } from '../../../src/formats/yum/tags.ts';
import { buildRpm, type RpmFile, type RpmSpec } from '../../build-rpm.ts';
import { damage, choicesFrom, splice, type Random } from '../../choices.ts';
import type { Subject } from '../examine.ts';

/** What to put into texts: each has parted some reader from another, or could. */
const tokens = [
  ...['\n', '\t', '\r', ' ', '  ', '\u0001', '\u007f', '\u0085', '\u00a0', '\u00e9', '\u2028', '\ufffe'],
  ...['<', '>', '&', '"', "'", ']]>', '<!--', '&amp;', '&#0;', '%', '%2B', '%{name}', '\\', '日本', '😀'],
  ...['/', '//', '/./', '/../', '../', '.', '..', '-', '_', '+', '~', '^', ':', '0:', '1:', '99999999999:'],
  ...['=', ' = ', ' >= 1', '(', ')', '(a or b)', '(a if', ' and ', 'rpmlib(', 'config(', ',', ';', '*'],
  ...['0', '00', '1', 'a', 'A', 'src', 'noarch', 'constructor', '__proto__', '.rpm', 'TRAILER!!!'],
];
/** No text in any encoding that we know: Latin-1, halves of characters. */
const rawTokens = [[0xe9], [0xff], [0xc3], [0x80], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf5, 0x80]].map(
  (bytes) => Buffer.from(bytes),
);

const token = (random: Random): Buffer =>
  random.next(8) === 0 ? random.pick(rawTokens) : Buffer.from(random.pick(tokens));

const baseFiles: readonly RpmFile[] = [
  { path: '/etc/sample.conf', content: 'a = b\n', flags: 1 },
  { path: '/usr/bin/sample', content: '#!/bin/sh\necho sample\n', mode: 0o755 },
  { path: '/usr/bin/same', target: 'sample' },
  { path: '/usr/share/sample', kind: 'directory' },
  { path: '/usr/share/sample/empty' },
  { path: '/var/log/sample', flags: 64 },
  { path: '/usr/share/sample/other', content: 'other\n' },
];

/** A package with some of everything. */
function wholeSpec(random: Random): RpmSpec {
  const some = <T>(items: readonly T[]): T[] => items.filter(() => random.next(2) === 0);
  const source = random.next(12) === 0;
  return {
    name: 'sample',
    version: random.pick(['1.0', '2.0~rc1', '1^git', '20240101']),
    release: random.pick(['1', '3.el9', '0.1']),
    ...(random.next(3) === 0 && { epoch: random.next(3) }),
    format: random.pick([3, 4, 4, 4, 4, 6, 6]),
    compression: random.pick(['gzip', 'zstd', 'none']),
    source,
    files: source ? [{ path: 'sample.spec', content: 'Name: sample\n' }] : some(baseFiles),
    requires: some(['/bin/sh', 'libsample >= 1:2.0', '(a or b)', 'config(sample) = 1', '/usr/bin/sample']),
    provides: some(['virtual', 'libsample = 2', 'sample(x86-64) = 1.0-1']),
    conflicts: some(['other < 2']),
    obsoletes: some(['elder <= 1:0-0']),
    recommends: some(['nice']),
    changelog: some([
      { time: 1_700_000_000, author: 'Ann <ann@example.org> - 1.0-1', text: '- Say' },
      { time: 1_700_000_000, author: 'Ben', text: '- Said & done\n- <twice>' },
      { time: 1_600_000_000, author: 'Cai ', text: '' },
    ]),
    ...(random.next(2) === 0 && { postinstall: 'echo installed' }),
    ...(random.next(2) === 0 && { reserve: random.pick([0, 16, 4128]) }),
  };
}

type Tags = NonNullable<RpmSpec['tags']>;

/** Tags of text with what they hold in whole packages. */
const texts: readonly (readonly [MainTag, string])[] = [
  ...([['NAME', 'sample'] as const, ['VERSION', '1.0'] as const, ['RELEASE', '1'] as const] as const),
  ...([['ARCH', 'noarch'] as const, ['OS', 'linux'] as const, ['LICENSE', 'MIT'] as const] as const),
  ...([
    ['URL', 'https://example.invalid/'],
    ['VENDOR', 'Acme'],
  ] as const),
  ...([
    ['PACKAGER', 'Ann <ann@example.org>'],
    ['BUILDHOST', 'build.example'],
  ] as const),
  ...([
    ['SOURCERPM', 'sample-1.0-1.src.rpm'],
    ['PAYLOADFORMAT', 'cpio'],
  ] as const),
  ...([
    ['SUMMARY', 'One line'],
    ['DESCRIPTION', 'Some\nlines.'],
    ['GROUP', 'Unspecified'],
  ] as const),
  ...([
    ['POSTIN', 'echo done'],
    ['PAYLOADFLAGS', '9'],
    ['RPMVERSION', '4.18.0'],
  ] as const),
  ...([
    ['ENCODING', 'utf-8'],
    ['DISTTAG', 'el9'],
    ['MODULARITYLABEL', 'a:b:1:c'],
  ] as const),
];

function strangeText(random: Random): Tags {
  const [tag, text] = random.pick(texts);
  let bytes: Buffer = Buffer.from(text);
  for (let left = 1 + random.next(2); left > 0; left--) bytes = splice(bytes, random, token(random));
  // A NUL would end the text, which the header's own checks see.
  const clean = bytes.filter((byte) => byte !== 0);
  return { [tag]: clean };
}

const arrays: readonly MainTag[] = [
  ...(['PROVIDENAME', 'PROVIDEVERSION', 'REQUIRENAME', 'REQUIREVERSION', 'CONFLICTNAME'] as const),
  ...(['CHANGELOGNAME', 'CHANGELOGTEXT', 'BASENAMES', 'DIRNAMES', 'FILELINKTOS', 'FILEUSERNAME'] as const),
  ...(['FILEDIGESTS', 'OLDFILENAMES', 'HEADERI18NTABLE', 'PREFIXES', 'FILELANGS', 'SUMMARY'] as const),
];
const numbers: readonly MainTag[] = [
  ...(['EPOCH', 'SIZE', 'LONGSIZE', 'BUILDTIME', 'SOURCEPACKAGE', 'RPMFORMAT', 'ARCHIVESIZE'] as const),
  ...(['FILESIZES', 'LONGFILESIZES', 'FILEMODES', 'FILEFLAGS', 'FILERDEVS', 'FILEINODES'] as const),
  ...(['FILEDEVICES', 'FILEDIGESTALGO', 'DIRINDEXES', 'PROVIDEFLAGS', 'REQUIREFLAGS'] as const),
  ...(['CHANGELOGTIME', 'CONFLICTFLAGS', 'PAYLOADSIZE', 'PAYLOADSIZEALT', 'PAYLOADSHA256ALGO'] as const),
  ...(['NOSOURCE', 'FILECOLORS', 'FILEMTIMES', 'FILEVERIFYFLAGS', 'POSTINFLAGS'] as const),
];
const strangeNumbers = [0, 1, 2, 4, 6, 8, 10, 12, 64, 0x1000, 0o40755, 0o100644, 0o120777, 0xffff];

function strangeTag(random: Random): Tags {
  const count = 1 + random.next(3);
  const many = <T>(make: () => T): T[] => Array.from({ length: count }, make);
  switch (random.next(5)) {
    case 0:
      return { [random.pick([...arrays, ...numbers, ...texts.map(([tag]) => tag)])]: null };
    case 1:
      return { [random.pick(arrays)]: many(() => random.pick(['', 'a', '/', '/usr/bin/', 'a b', '1:2-3'])) };
    case 2:
      return { [random.pick(numbers)]: random.pick(strangeNumbers) };
    default:
      return { [random.pick(numbers)]: many(() => random.pick(strangeNumbers)) };
  }
}

/** A whole package with a token in one of its names. */
function strangeName(random: Random, spec: RpmSpec): RpmSpec {
  const change = (text: string): string =>
    splice(Buffer.from(text), random, token(random)).toString('latin1');
  const at = random.next(8);
  const one = (items: readonly string[] = []): string[] =>
    items.map((item, i) => (i === at % Math.max(items.length, 1) ? change(item) : item));
  switch (random.next(5)) {
    case 0:
      return { ...spec, requires: one(spec.requires) };
    case 1:
      return { ...spec, provides: one(spec.provides) };
    case 2:
      return {
        ...spec,
        changelog: (spec.changelog ?? []).map((entry) => ({ ...entry, text: change(entry.text) })),
      };
    case 3:
      return { ...spec, name: change(spec.name) };
    default: {
      const files = (spec.files ?? []).map((file, i) =>
        i === at % (spec.files?.length ?? 1) ? { ...file, path: change(file.path) } : file,
      );
      return { ...spec, files };
    }
  }
}

const allTags = [...Object.values(mainTags), ...Object.values(signatureTags)].map(([tag]) => tag);

/** One number of the index, the end of the region, or a byte anywhere. */
function patchHeader(random: Random): (header: Buffer) => Buffer {
  const [kind, at, field, bit] = [random.next(4), random.next(2 ** 20), random.next(4), random.next(8)];
  const tag = random.pick(allTags);
  const step = random.pick([-16, -1, 1, 2, 16]);
  const large = random.pick([0, 1, 0x7fff_ffff, 0xffff_fff0, 0x1000_0000]);
  return (original) => {
    const header = Buffer.from(original);
    const count = header.readUInt32BE(8);
    if (kind === 0) {
      const byte = at % header.length;
      header[byte] = (header[byte] ?? 0) ^ (1 << bit);
      return header;
    }
    const place = introBytes + (at % count) * 16 + field * 4;
    const old = header.readUInt32BE(place);
    const value = kind === 1 ? large : field === 0 ? tag : field === 1 ? at % 11 : old + step;
    header.writeUInt32BE(value >>> 0, place);
    return header;
  };
}

/** One number of a cpio header, a byte, a name, or one entry twice or not at all. */
function patchArchive(random: Random): (archive: Buffer) => Buffer {
  const [kind, at, field, which] = [random.next(6), random.next(2 ** 20), random.next(13), random.next(8)];
  const value = random.pick(['00000000', '00000001', 'ffffffff', '000081a4', '000041ed', '0000000G']);
  const name = random.pick(['..', './', '/etc/x', 'x', 'TRAILER!!!']);
  const chance = random.next(2 ** 30);
  return (archive) => {
    const starts = [...archive.toString('latin1').matchAll(/07070[1X]/g)].map(({ index }) => index);
    const start = starts[which % starts.length] ?? 0;
    const end = starts.find((other) => other > start) ?? archive.length;
    const copy = Buffer.from(archive);
    switch (kind) {
      case 0:
        copy.write(value, start + 6 + field * 8, 'latin1');
        return copy;
      case 1:
        copy.write(name, Math.min(start + 110, copy.length - name.length), 'latin1');
        return copy;
      case 2:
        return Buffer.concat([copy.subarray(0, start), copy.subarray(end)]);
      case 3:
        return Buffer.concat([copy.subarray(0, end), copy.subarray(start)]);
      case 4:
        copy[at % copy.length] = at & 0xff;
        return copy;
      default:
        return damage(choicesFrom(chance), copy);
    }
  };
}

function patchPayload(random: Random): (payload: Buffer) => Buffer {
  const more = random.pick([Buffer.alloc(1), Buffer.alloc(512), Buffer.from('junk')]);
  const again = random.pick([gzipSync, zstdCompressSync])(more);
  const kind = random.next(4);
  const chance = random.next(2 ** 30);
  return (payload) => {
    if (kind === 0) return Buffer.concat([payload, more]);
    if (kind === 1) return Buffer.concat([payload, again]);
    if (kind === 2) return again;
    return damage(choicesFrom(chance), payload);
  };
}

const signatureNumbers: readonly SignatureTag[] = ['SIZE', 'PAYLOADSIZE', 'LONGSIZE', 'LONGARCHIVESIZE'];

function strangeSignature(random: Random): NonNullable<RpmSpec['signatureTags']> {
  switch (random.next(3)) {
    case 0:
      return { [random.pick(['SHA1', 'SHA256', 'MD5', 'SIZE', 'PAYLOADSIZE'] as const)]: null };
    case 1:
      return { [random.pick(signatureNumbers)]: random.pick([0, 1, 0x7fff_ffff, 0xffff_ffff]) };
    default:
      return {
        [random.pick(['RSA', 'DSA', 'PGP', 'GPG', 'PGP5', 'LEMD5_1', 'RESERVED'] as const)]: Buffer.from(
          random.pick(['', 'x', '\u0088\u001d\u0004\0', '\u0089']),
          'latin1',
        ),
      };
  }
}

/** The package with this number. Most are whole but for one thing. */
function mutant(seed: number): Buffer {
  const random = choicesFrom(seed);
  let spec = wholeSpec(random);
  const tags: Record<string, unknown> = {};
  for (let left = random.pick([0, 1, 1, 1, 1, 2]); left > 0; left--) {
    switch (random.next(9)) {
      case 0:
      case 1:
        Object.assign(tags, strangeText(random));
        break;
      case 2:
        Object.assign(tags, strangeTag(random));
        break;
      case 3:
        spec = { ...spec, patch: { ...spec.patch, header: patchHeader(random) } };
        break;
      case 4:
        spec = { ...spec, patch: { ...spec.patch, signature: patchHeader(random) } };
        break;
      case 5:
        spec = { ...spec, patch: { ...spec.patch, archive: patchArchive(random) } };
        break;
      case 6:
        spec = { ...spec, patch: { ...spec.patch, payload: patchPayload(random) } };
        break;
      case 7:
        spec = { ...spec, signatureTags: { ...spec.signatureTags, ...strangeSignature(random) } };
        break;
      default:
        spec = strangeName(random, spec);
    }
  }
  const whole = buildRpm({ ...spec, tags: tags });
  return random.next(12) === 0 ? damage(random, whole) : whole;
}

export const yumSubject: Subject<RpmPackage> = { extension: '.rpm', mutant, parse: parseRpm };
