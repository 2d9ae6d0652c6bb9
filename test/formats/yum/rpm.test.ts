import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { AppError } from '../../../src/errors.ts';
import type { ErrorCode, Place } from '../../../src/errors.ts';
import { decodeHeader } from '../../../src/formats/yum/header.ts';
import { parseRpm } from '../../../src/formats/yum/rpm.ts';
import type { RpmPackage } from '../../../src/formats/yum/rpm.ts';
import { buildRpm } from '../../build-rpm.ts';
import type { RpmSpec } from '../../build-rpm.ts';
import { corpusFiles, unlessCorpus } from '../../corpus.ts';
import { chunks } from './oracle.ts';

t.setTimeout(240_000);

const hello: RpmSpec = {
  name: 'hello',
  version: '2.12',
  release: '3.el9',
  arch: 'x86_64',
  files: [
    { path: '/etc/hello.conf', content: 'greeting = hello\n', flags: 1 },
    { path: '/usr/bin/hello', content: '#!/bin/sh\necho hello\n', mode: 0o755 },
    { path: '/usr/bin/hi', target: 'hello' },
    { path: '/usr/share/hello', kind: 'directory' },
    { path: '/usr/share/hello/empty' },
    { path: '/var/log/hello', kind: 'directory', flags: 64 },
    { path: '/var/log/hello/log', flags: 64 },
  ],
  requires: ['/bin/sh', 'libhello >= 1:2.0'],
  changelog: [{ time: 1_700_000_000, author: 'Ann <ann@example.org> - 2.12-3  ', text: '- Say hello' }],
  postinstall: 'echo installed',
};

const parse = (bytes: Uint8Array, size?: number): Promise<RpmPackage> => parseRpm(chunks(bytes, size));

void t.test('facts say what was built', async (t) => {
  const bytes = buildRpm(hello);
  const rpm = await parse(bytes);
  t.same(rpm.facts.identity, {
    format: 'yum',
    name: 'hello',
    version: '0:2.12-3.el9',
    architecture: 'x86_64',
  });
  t.equal(rpm.facts.filename, 'hello-2.12-3.el9.x86_64.rpm');
  t.same(rpm.facts.source, { name: 'hello', version: '2.12-3.el9' });
  t.same(rpm.facts.files, [
    { path: '/etc/hello.conf', type: 'file', sizeBytes: 17, mode: 0o644 },
    { path: '/usr/bin/hello', type: 'file', sizeBytes: 21, mode: 0o755 },
    { path: '/usr/bin/hi', type: 'symlink', sizeBytes: 5, mode: 0o777, target: 'hello' },
    { path: '/usr/share/hello', type: 'directory', sizeBytes: 4096, mode: 0o755 },
    { path: '/usr/share/hello/empty', type: 'file', sizeBytes: 0, mode: 0o644 },
    { path: '/var/log/hello', type: 'directory', sizeBytes: 4096, mode: 0o755 },
    { path: '/var/log/hello/log', type: 'ghost', sizeBytes: 0, mode: 0o644 },
  ]);
  t.same(rpm.facts.relations, [
    { kind: 'provides', text: 'hello = 2.12-3.el9' },
    { kind: 'requires', text: '/bin/sh' },
    { kind: 'requires', text: 'libhello >= 1:2.0' },
  ]);
  t.same(rpm.facts.scripts, [{ name: 'post', interpreter: '/bin/sh', text: 'echo installed' }]);
  t.same(rpm.facts.changelog, [
    { author: 'Ann <ann@example.org> - 2.12-3', time: 1_700_000_000, text: '- Say hello' },
  ]);
  t.same(rpm.facts.findings, []);
  t.equal(rpm.facts.buildHost, 'build.example');
  t.equal(rpm.sizeBytes, bytes.length);
});

void t.test('the uploaded file can be put together again', async (t) => {
  for (const format of [3, 4, 6] as const) {
    for (const compression of ['gzip', 'zstd', 'none'] as const) {
      const bytes = buildRpm({ ...hello, format, compression });
      const rpm = await parse(bytes);
      t.equal(rpm.format, format);
      t.equal(rpm.headerStart, rpm.leadAndSignature.length);
      const core = bytes.subarray(rpm.headerStart);
      t.ok(Buffer.concat([rpm.leadAndSignature, core]).equals(bytes));
      t.ok(core.subarray(0, rpm.payloadStart - rpm.headerStart).equals(rpm.header.bytes));
      t.equal(rpm.coreSha256, createHash('sha256').update(core).digest('hex'));
    }
  }
});

void t.test('source packages are src, or nosrc when they lack their sources', async (t) => {
  const files = [{ path: 'hello.spec', content: 'Name: hello\n' }];
  const source: RpmSpec = { ...hello, source: true, files };
  const rpm = await parse(buildRpm(source));
  t.equal(rpm.facts.identity.architecture, 'src');
  t.equal(rpm.facts.filename, 'hello-2.12-3.el9.src.rpm');
  t.equal(rpm.facts.source, null);
  t.equal(rpm.metadata.architecture, 'src');
  t.same(rpm.facts.files, [{ path: 'hello.spec', type: 'file', sizeBytes: 12, mode: 0o644 }]);
  const nosrc = await parse(buildRpm({ ...source, tags: { NOSOURCE: [0] } }));
  t.equal(nosrc.facts.filename, 'hello-2.12-3.el9.nosrc.rpm');
  t.equal(nosrc.metadata.architecture, 'src');
  const old = await parse(buildRpm({ ...source, tags: { SOURCEPACKAGE: null } }));
  t.equal(old.source, true, 'by its directory without a name');
});

void t.test('epochs are part of the version, not of the file name', async (t) => {
  const { facts } = await parse(buildRpm({ ...hello, epoch: 4_294_967_295 }));
  t.equal(facts.identity.version, '4294967295:2.12-3.el9');
  t.equal(facts.filename, 'hello-2.12-3.el9.x86_64.rpm');
});

void t.test('hard links have content once, behind the last of them', async (t) => {
  const content = 'the same';
  const digest = createHash('sha256').update(content).digest('hex');
  const linked: RpmSpec = {
    name: 'links',
    files: [{ path: '/a' }, { path: '/b' }, { path: '/c', content }],
    tags: {
      FILESIZES: [8, 8, 8],
      FILEINODES: [7, 7, 7],
      FILEDIGESTS: [digest, digest, digest],
    },
  };
  t.equal((await parse(buildRpm(linked))).facts.files.length, 3);
  const apart = buildRpm({ ...linked, tags: { ...linked.tags, FILEINODES: [7, 8, 8] } });
  await t.rejects(parse(apart), { code: 'rpm_payload_mismatch', place: { entry: '/a' } });
});

void t.test('findings name what will trouble clients', async (t) => {
  const codes = async (spec: Partial<RpmSpec>): Promise<string[]> =>
    (await parse(buildRpm({ ...hello, ...spec }))).facts.findings.map(({ code }) => code);
  t.same(await codes({ format: 3 }), ['v3_package', 'no_payload_digest', 'weak_digests', 'md5_file_digests']);
  t.same(await codes({ format: 6 }), []);
  t.same(await codes({ reserve: 9000 }), ['large_signature_header']);
  t.same(await codes({ requires: ['a = b:1'] }), ['dependency_left_out']);
  const noDigest = { PAYLOADSHA256: null, PAYLOADSHA256ALT: null, PAYLOADSHA256ALGO: null };
  t.same(await codes({ tags: noDigest }), ['no_payload_digest']);
});

/** A cpio archive of one regular file, with anything about it wrong. */
function cpioOf(
  name: string,
  content: string,
  { mode = 0o100644, size = content.length, end = true } = {},
): Buffer {
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  const entry = (path: string, fields: number[], data: string): Buffer => {
    const header = Buffer.from(`070701${[...fields, path.length + 1, 0].map(hex).join('')}${path}\0`);
    const pad = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
    return Buffer.concat([pad(header), pad(Buffer.from(data))]);
  };
  const file = entry(name, [1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0], content);
  return end ? Buffer.concat([file, entry('TRAILER!!!', [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], '')]) : file;
}

/** A package of one file, `/f` with content `x`, whose payload is this archive. The digests are right. */
function withArchive(archive: Buffer, spec: Partial<RpmSpec> = {}): Buffer {
  const payload = gzipSync(archive);
  const sizes = { PAYLOADSIZE: archive.length };
  return buildRpm({
    name: 'payload',
    files: [{ path: '/f', content: 'x' }],
    ...spec,
    payload,
    tags: { PAYLOADSHA256ALT: null, ...spec.tags },
    signatureTags: { ...sizes, ...spec.signatureTags },
  });
}

void t.test('the payload must be what the header says', async (t) => {
  const refuse = async (
    what: string,
    bytes: Buffer,
    code: ErrorCode = 'rpm_payload_mismatch',
  ): Promise<void> => {
    await t.rejects(parse(bytes), { code }, what);
  };
  t.ok(await parse(withArchive(cpioOf('./f', 'x'))));
  t.ok(await parse(withArchive(cpioOf('/f', 'x'))));
  t.ok(await parse(withArchive(cpioOf('f', 'x'))));
  await refuse('another name', withArchive(cpioOf('./g', 'x')));
  await refuse('a way out', withArchive(cpioOf('./../f', 'x')));
  await refuse('another content', withArchive(cpioOf('./f', 'y')));
  await refuse('another size', withArchive(cpioOf('./f', 'xx')));
  await refuse('another mode', withArchive(cpioOf('./f', 'x', { mode: 0o104755 })));
  await refuse('no end', withArchive(cpioOf('./f', 'x', { end: false })), 'archive_truncated');
  await refuse('a size over the end', withArchive(cpioOf('./f', 'x', { size: 0xffff_fff0 })));
  await refuse('nothing', withArchive(Buffer.alloc(0)), 'archive_truncated');
  const twice = Buffer.concat([cpioOf('./f', 'x', { end: false }), cpioOf('./f', 'x')]);
  await refuse('twice', withArchive(twice));
  await refuse(
    'more behind the end',
    withArchive(Buffer.concat([cpioOf('./f', 'x'), Buffer.from('more')])),
    'cpio_entry',
  );
  const end = cpioOf('TRAILER!!!', '');
  await refuse('a file too few', withArchive(end.subarray(0, end.length / 2)));
  const link = { files: [{ path: '/f', target: 'x' }] };
  t.ok(await parse(withArchive(cpioOf('./f', 'x', { mode: 0o120777 }), link)));
  await refuse('another target', withArchive(cpioOf('./f', 'y', { mode: 0o120777 }), link));
  await refuse(
    'another compression',
    withArchive(cpioOf('./f', 'x'), { tags: { PAYLOADCOMPRESSOR: 'xz' } }),
    'compressed_data',
  );
});

void t.test('sizes that the package says are computed again', async (t) => {
  const refuse = async (
    spec: Partial<RpmSpec>,
    tag: string,
    code: ErrorCode = 'rpm_digest_mismatch',
  ): Promise<void> => {
    await t.rejects(parse(buildRpm({ ...hello, ...spec })), { code, place: { tag } }, tag);
  };
  await refuse({ signatureTags: { SIZE: 1 } }, 'SIZE');
  await refuse({ signatureTags: { LONGSIZE: 1 } }, 'LONGSIZE');
  await refuse({ signatureTags: { PAYLOADSIZE: 1 } }, 'PAYLOADSIZE');
  await refuse({ signatureTags: { LONGARCHIVESIZE: 1 } }, 'LONGARCHIVESIZE');
  await refuse({ tags: { ARCHIVESIZE: 1 }, signatureTags: { PAYLOADSIZE: null } }, 'ARCHIVESIZE');
  await refuse({ tags: { ARCHIVESIZE: 1 } }, 'PAYLOADSIZE', 'rpm_tag_invalid');
  await refuse({ format: 6, tags: { PAYLOADSIZE: 1 } }, 'PAYLOADSIZE');
  await refuse({ format: 6, tags: { PAYLOADSIZEALT: 1 } }, 'PAYLOADSIZEALT');
  const content = 17 + 21 + 5;
  t.ok(await parse(buildRpm({ ...hello, signatureTags: { PAYLOADSIZE: content } })), 'as nfpm counts');
});

void t.test('digests that the package holds are computed again', async (t) => {
  const zeros = (digits: number): string => '0'.repeat(digits);
  const cases: readonly (readonly [Partial<RpmSpec>, string])[] = [
    [{ signatureTags: { SHA1: zeros(40) } }, 'SHA1'],
    [{ signatureTags: { SHA256: zeros(64) } }, 'SHA256'],
    [{ signatureTags: { SHA3_256: zeros(64) } }, 'SHA3_256'],
    [{ signatureTags: { MD5: Buffer.alloc(16) } }, 'MD5'],
    [{ signatureTags: { MD5: Buffer.alloc(15) } }, 'MD5'],
    [{ signatureTags: { SHA1: zeros(38) } }, 'SHA1'],
    [{ tags: { PAYLOADSHA256: [zeros(64)] } }, 'PAYLOADSHA256'],
    [{ tags: { PAYLOADSHA256ALT: [zeros(64)] } }, 'PAYLOADSHA256ALT'],
    [{ tags: { PAYLOADSHA512: zeros(128) } }, 'PAYLOADSHA512'],
    [{ tags: { PAYLOADSHA512ALT: zeros(128) } }, 'PAYLOADSHA512ALT'],
    [{ tags: { PAYLOADSHA3_256: zeros(64) } }, 'PAYLOADSHA3_256'],
    [{ tags: { PAYLOADSHA3_256ALT: zeros(64) } }, 'PAYLOADSHA3_256ALT'],
    [{ tags: { PAYLOADSHA256: [zeros(64), zeros(64)] } }, 'PAYLOADSHA256'],
  ];
  for (const [spec, tag] of cases) {
    await t.rejects(
      parse(buildRpm({ ...hello, ...spec })),
      { code: 'rpm_digest_mismatch', place: { tag } },
      tag,
    );
  }
  const none = { MD5: null, SHA1: null, SHA256: null };
  await t.rejects(
    parse(buildRpm({ ...hello, signatureTags: none })),
    { code: 'rpm_digest_mismatch' },
    'no header digest',
  );
  const alone = buildRpm({ ...hello, tags: { PAYLOADSHA256: null } });
  await t.rejects(parse(alone), { code: 'rpm_digest_mismatch' }, 'the alternative alone');
  const six = buildRpm({ ...hello, format: 6, tags: { PAYLOADSHA256: null } });
  await t.rejects(parse(six), { code: 'rpm_digest_mismatch' }, 'digests of rpm 6 alone');
  const tags = { PAYLOADSHA256: null, PAYLOADSHA256ALT: null, RPMFORMAT: 6 };
  await t.rejects(
    parse(buildRpm({ ...hello, tags })),
    { code: 'rpm_digest_mismatch' },
    'MD5 alone in format 6',
  );
  const noPayload = { PAYLOADSHA256: null, PAYLOADSHA256ALT: null };
  const bare = buildRpm({ ...hello, tags: noPayload, signatureTags: { MD5: null } });
  await t.rejects(parse(bare), { code: 'rpm_digest_mismatch' }, 'no payload digest');
});

void t.test('tags where they may not be are refused', async (t) => {
  const refuse = async (spec: Partial<RpmSpec>, tag: string, code: ErrorCode): Promise<void> => {
    await t.rejects(parse(buildRpm({ ...hello, ...spec })), { code, place: { tag } }, tag);
  };
  await refuse({ tags: { SOURCEPACKAGE: 1 } }, 'SOURCEPACKAGE', 'rpm_tag_invalid');
  await refuse({ tags: { EPOCH: [1, 2] } }, 'EPOCH', 'rpm_tag_invalid');
  await refuse({ tags: { NAME: ['a', 'b'] } }, 'NAME', 'rpm_header_malformed');
  await refuse({ tags: { DIRNAMES: '/etc/' } }, 'DIRNAMES', 'rpm_header_malformed');
  await refuse({ tags: { LONGSIZE: 2 ** 60 } }, 'LONGSIZE', 'rpm_tag_invalid');
  await refuse({ tags: { CHANGELOGTIME: [1, 2] } }, 'CHANGELOGNAME', 'rpm_tag_invalid');
  await refuse({ tags: { RPMFORMAT: 7 } }, 'RPMFORMAT', 'rpm_unsupported');
  await refuse({ tags: { FILEDIGESTALGO: 99 } }, 'FILEDIGESTALGO', 'rpm_unsupported');
  await refuse({ tags: { PAYLOADFORMAT: 'drpm' } }, 'PAYLOADFORMAT', 'rpm_unsupported');
  await refuse({ signatureTags: { RSA: Buffer.from('not a signature') } }, 'RSA', 'rpm_tag_invalid');
  await refuse({ signatureTags: { OPENPGP: ['!'] } }, 'OPENPGP', 'rpm_tag_invalid');
  await refuse({ tags: { SUMMARY: 'bell\u0007' } }, 'SUMMARY', 'rpm_text_invalid');
  await refuse({ arch: 'src' }, 'ARCH', 'rpm_identity_invalid');
  await refuse({ tags: { OS: null } }, 'OS', 'rpm_tag_invalid');
  await refuse({ tags: { ORIGBASENAMES: ['other'] } }, 'ORIGBASENAMES', 'rpm_tag_invalid');
  await refuse({ tags: { FILESTATES: Buffer.from([1]) } }, 'FILESTATES', 'rpm_header_malformed');
  await refuse({ tags: { INSTALLTIME: 1 } }, 'INSTALLTIME', 'rpm_tag_invalid');
  await refuse({ tags: { FILETRIGGERNAME: ['/usr'] } }, 'FILETRIGGERVERSION', 'rpm_tag_invalid');
  const trigger = { TRIGGERNAME: ['a'], TRIGGERVERSION: [''], TRIGGERFLAGS: [65_536], TRIGGERINDEX: [0] };
  await refuse({ tags: trigger }, 'TRIGGERINDEX', 'rpm_tag_invalid');
  const scripts = { TRIGGERSCRIPTS: ['true'], TRIGGERSCRIPTPROG: ['/bin/sh'] };
  t.ok(await parse(buildRpm({ ...hello, tags: { ...trigger, ...scripts } })));
  await refuse(
    { tags: { ...trigger, ...scripts, TRIGGERSCRIPTFLAGS: [0, 0] } },
    'TRIGGERSCRIPTS',
    'rpm_tag_invalid',
  );
});

void t.test('file lists that clients could read in two ways are refused', async (t) => {
  const base = { DIRNAMES: ['/d/'], DIRINDEXES: [0], BASENAMES: ['f'] };
  const refuse = async (
    tags: NonNullable<RpmSpec['tags']>,
    code: ErrorCode = 'rpm_tag_invalid',
  ): Promise<void> => {
    const bytes = buildRpm({ name: 'list', files: [{ path: '/d/f' }], tags: { ...base, ...tags } });
    await t.rejects(parse(bytes), { code }, JSON.stringify(tags).slice(0, 80));
  };
  for (const dir of ['', 'd/', '/d', '//', '/d//', '/../', '/d/./', '/./']) await refuse({ DIRNAMES: [dir] });
  for (const base of ['', '.', '..', 'a/b', '/']) await refuse({ BASENAMES: [base] });
  await refuse({ DIRINDEXES: [1] });
  await refuse({ DIRINDEXES: [0, 0] });
  await refuse({ DIRNAMES: ['/d/', '/e/'] });
  await refuse({ DIRNAMES: null });
  await refuse({ BASENAMES: null });
  await refuse({ OLDFILENAMES: ['/d/f'] });
  await refuse({ OLDFILENAMES: ['/d/f'], BASENAMES: null });
  for (const tag of [
    'FILEMODES',
    'FILEFLAGS',
    'FILESIZES',
    'FILEDIGESTS',
    'FILELINKTOS',
    'FILEUSERNAME',
  ] as const) {
    await refuse({ [tag]: null });
  }
  await refuse({ FILECAPS: ['', ''] });
  await refuse({ FILECOLORS: [0, 0] });
  await refuse({ LONGFILESIZES: [0] });
  await refuse({ FILEMODES: [0o644] });
  await refuse({ FILEMODES: [0xf000] });
  await refuse({ DIRNAMES: [`/${'d'.repeat(4095)}/`] }, 'rpm_limit');
  const root = await parse(buildRpm({ name: 'list', files: [{ path: '/', kind: 'directory' }] }));
  t.same(
    root.facts.files.map(({ path }) => path),
    ['/'],
  );
});

void t.test('a directory for every file cannot make gigabytes of a small package', async (t) => {
  const count = 20_000;
  const many = <V>(value: V): V[] => Array.from({ length: count }, () => value);
  const bytes = buildRpm({
    name: 'bomb',
    tags: {
      DIRNAMES: [`/${'d'.repeat(4000)}/`],
      DIRINDEXES: many(0),
      BASENAMES: many('f').map((name, i) => `${name}${i}`),
      FILEMODES: many(0o100644),
    },
  });
  t.ok(bytes.length < 600_000);
  await t.rejects(parse(bytes), { code: 'rpm_limit', status: 413 });
});

void t.test('text that would grow to a large document is refused', async (t) => {
  const refuse = (tags: NonNullable<RpmSpec['tags']>): Promise<void> =>
    t
      .rejects(parse(buildRpm({ name: 'large', tags })), { code: 'rpm_limit', status: 413 })
      .then(() => undefined);
  await refuse({ DESCRIPTION: [' '.repeat(300_000)] });
  await refuse({ CHANGELOGTIME: [1], CHANGELOGNAME: ['a'], CHANGELOGTEXT: ['&'.repeat(300_000)] });
  const names = Array.from({ length: 20_000 }, () => '"'.repeat(150));
  await refuse({
    CONFLICTNAME: names,
    CONFLICTFLAGS: names.map(() => 0),
    CONFLICTVERSION: names.map(() => ''),
  });
  const many = Array.from({ length: 200_001 }, () => 'a');
  await refuse({ CONFLICTNAME: many, CONFLICTFLAGS: many.map(() => 0), CONFLICTVERSION: many.map(() => '') });
});

void t.test('a payload that unpacks to much more than it is, is refused in time', async (t) => {
  const size = 256 * 1024 * 1024;
  const header = cpioOf('./f', '', { size, end: false });
  const archive = Buffer.concat([header, Buffer.alloc(size), cpioOf('TRAILER!!!', '', { end: false })]);
  const digest = createHash('sha256').update(Buffer.alloc(size)).digest('hex');
  for (const [compression, payload] of [
    ['gzip', gzipSync(archive)],
    ['zstd', zstdCompressSync(archive)],
  ] as const) {
    const bytes = buildRpm({
      name: 'bomb',
      compression,
      files: [{ path: '/f' }],
      payload,
      tags: { FILESIZES: [size], FILEDIGESTS: [digest], PAYLOADSHA256ALT: null },
    });
    const start = performance.now();
    await t.rejects(parse(bytes), { code: 'decompression_bomb' }, compression);
    t.ok(performance.now() - start < 2000, compression);
  }
});

/** What a parse comes to, as text. */
async function outcome(bytes: Uint8Array, size?: number): Promise<string> {
  try {
    return JSON.stringify(await parse(bytes, size));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const place: Place | undefined = error.place;
    return JSON.stringify([error.code, error.message, place]);
  }
}

void t.test('it makes no difference how the bytes come', async (t) => {
  for (const format of [3, 4, 6] as const) {
    for (const compression of ['gzip', 'zstd', 'none'] as const) {
      const bytes = buildRpm({ ...hello, format, compression });
      const whole = await outcome(bytes);
      for (const size of [1, 7, 97, 4096])
        t.equal(await outcome(bytes, size), whole, `${format} ${compression} ${size}`);
      for (const cut of [50, 96, 100, 120, 4400, bytes.length - 600, bytes.length - 1]) {
        const part = bytes.subarray(0, cut);
        t.equal(await outcome(part, 1), await outcome(part), `${format} ${compression} cut at ${cut}`);
      }
    }
  }
});

void t.test('nor with the packages of the corpus, good and bad', { skip: unlessCorpus }, async (t) => {
  const small = [...corpusFiles('rpm'), ...corpusFiles('bad')].filter(
    (path) => path.endsWith('rpm') && statSync(path).size < 20_000,
  );
  // One in twelve is enough to meet each builder, compression and fault.
  for (const path of small.filter((_, i) => i % 12 === 0)) {
    const bytes = readFileSync(path);
    t.equal(await outcome(bytes, 1), await outcome(bytes), basename(path));
  }
});

void t.test('damage anywhere gives an AppError or the same package', async () => {
  const originals = await Promise.all(
    ([3, 4, 6] as const).map(async (format) => {
      const bytes = buildRpm({ ...hello, format, reserve: 64 });
      return { bytes, core: (await parse(bytes)).coreSha256 };
    }),
  );
  const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      async ({ bytes, core }, changes, cut) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) damaged[Math.floor(at * damaged.length)] = value;
        const end = cut === null ? damaged.length : Math.floor(cut * damaged.length);
        try {
          const rpm = await parse(damaged.subarray(0, end));
          if (rpm.coreSha256 !== core) throw new Error('another package was accepted');
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      },
    ),
    { numRuns: 4000, seed: 7 },
  );
});

/** What random packages showed: rpm or createrepo_c refuse these, or read another package in them. */
void t.test('what fuzzing found is refused', async (t) => {
  const refuse = async (
    spec: Partial<RpmSpec>,
    code: ErrorCode,
    place: Place,
    what: string,
  ): Promise<void> => {
    await t.rejects(parse(buildRpm({ ...hello, ...spec })), { code, place }, what);
  };
  const gap = (header: Buffer): Buffer => {
    const found = decodeHeader(header, 'main').entries.get(1113);
    const place = 16 + [...decodeHeader(header, 'main').entries.keys()].indexOf(1113) * 16 + 16;
    header.writeInt32BE((found?.offset ?? 0) + 1, place + 8);
    return header;
  };
  // PROVIDEVERSION begins with an empty string here, so that it can begin one byte later.
  const provides = { PROVIDENAME: ['a', 'b'], PROVIDEFLAGS: [0, 0], PROVIDEVERSION: ['', ''] };
  await refuse(
    { tags: provides, patch: { header: gap } },
    'rpm_header_malformed',
    { part: 'main header', tag: 'PROVIDEVERSION' },
    'bytes between the values (rpm: hdr load: BAD)',
  );
  await refuse(
    { tags: { NAME: Buffer.from([0x68, 0x80, 0x69]) } },
    'rpm_identity_invalid',
    { tag: 'NAME' },
    'a name in Latin-1, of which the index would leave a byte out',
  );
  await refuse(
    { files: [], tags: { FILESIZES: [1, 2] } },
    'rpm_tag_invalid',
    { tag: 'FILESIZES' },
    'sizes without files',
  );
  await refuse(
    { files: [], tags: { SOURCERPM: null, SOURCEPACKAGE: [1, 1] } },
    'rpm_tag_invalid',
    { tag: 'SOURCEPACKAGE' },
    'a source package in two minds',
  );
  await refuse(
    { files: [], tags: { SOURCERPM: null, SOURCEPACKAGE: 0 } },
    'rpm_tag_invalid',
    { tag: 'SOURCEPACKAGE' },
    'a source package that says it is none',
  );
  await refuse(
    { format: 6, files: [{ path: '/a', content: 'a' }], tags: { FILEFLAGS: [64] } },
    'rpm_payload_mismatch',
    { entry: '/a' },
    'a ghost in the payload of format 6 (rpm2archive 4.18 crashes)',
  );
  const twoSlashes = (archive: Buffer): Buffer => {
    archive.write('//', archive.indexOf('./a'), 'latin1');
    return archive;
  };
  await refuse(
    { files: [{ path: '/ab', content: 'a' }], patch: { archive: twoSlashes } },
    'rpm_payload_mismatch',
    { entry: '//ab' },
    'a name with two slashes in the payload, which rpm does not find in the header',
  );
});
