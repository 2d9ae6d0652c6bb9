import t from 'tap';
import { gzipSync } from 'node:zlib';
import { parseDeb, type DebPackage } from '../../../src/formats/apt/deb.ts';
import { normalisePath } from '../../../src/formats/apt/data-archive.ts';
import {
  buildAr,
  buildDeb,
  buildTar,
  controlText,
  type DebCompression,
  debOf,
  inChunks,
  type TarPart,
} from '../../build-deb.ts';
import { unlessInstalled } from '../../clients.ts';

const parse = (bytes: Buffer): Promise<DebPackage> => parseDeb(inChunks(bytes, [70_000]));
const root: TarPart = { name: './', type: '5' };
const control: readonly TarPart[] = [root, { name: './control', data: controlText() }];

t.test('a package is read with all that it says of itself', async (t) => {
  const bytes = buildDeb({
    control: {
      Package: 'hello-dev',
      Version: '1:2.10-3',
      Architecture: 'amd64',
      Source: 'hello (2.10-2)',
      Section: 'devel',
      Depends: 'libc6 (>= 2.36), a | b',
      'Installed-Size': '279',
      Homepage: 'https://example.invalid/hello',
      License: 'GPL-3+',
      Description: 'an example\n The first paragraph.\n .\n  verbatim',
    },
    files: [
      { path: '/usr/bin/hello', data: 'an elf', mode: 0o755 },
      { path: '/etc/hello.conf', data: 'a=b\n' },
    ],
    scripts: { postinst: '#!/bin/sh -e\ntrue\n', config: 'no interpreter', conffiles: '/etc/hello.conf\n' },
  });
  const { facts, control: stanza, conffiles, coreSha256 } = await parse(bytes);
  t.same(facts, {
    identity: { format: 'apt', name: 'hello-dev', version: '1:2.10-3', architecture: 'amd64' },
    filename: 'hello-dev_2.10-3_amd64.deb',
    source: { name: 'hello', version: '2.10-2' },
    summary: 'an example',
    description: 'The first paragraph.\n\n verbatim',
    maintainer: 'A Maintainer <maintainer@example.invalid>',
    homepage: 'https://example.invalid/hello',
    license: 'GPL-3+',
    section: 'devel',
    buildTime: 1_700_000_000,
    buildHost: null,
    installedSizeBytes: 279 * 1024,
    relations: [
      { kind: 'depends', text: 'libc6 (>= 2.36)' },
      { kind: 'depends', text: 'a | b' },
    ],
    files: [
      { path: '/', type: 'directory', sizeBytes: 0, mode: 0o755 },
      { path: '/etc', type: 'directory', sizeBytes: 0, mode: 0o755 },
      { path: '/usr', type: 'directory', sizeBytes: 0, mode: 0o755 },
      { path: '/usr/bin', type: 'directory', sizeBytes: 0, mode: 0o755 },
      { path: '/usr/bin/hello', type: 'file', sizeBytes: 6, mode: 0o755 },
      { path: '/etc/hello.conf', type: 'file', sizeBytes: 4, mode: 0o644 },
    ],
    scripts: [
      { name: 'postinst', interpreter: '/bin/sh', text: '#!/bin/sh -e\ntrue\n' },
      { name: 'config', text: 'no interpreter' },
    ],
    changelog: [],
    findings: [],
  });
  t.same(conffiles, ['/etc/hello.conf']);
  t.equal(stanza[0]?.name, 'Package');
  t.match(coreSha256, /^[0-9a-f]{64}$/);
});

t.test('every compression that dpkg reads', { skip: unlessInstalled('xz', 'bzip2') }, async (t) => {
  const files = [{ path: 'usr/share/doc/x', data: 'text\n'.repeat(30_000) }];
  const names = ['none', 'gzip', 'xz', 'zstd', 'bzip2', 'lzma'] as const satisfies DebCompression[];
  for (const compression of names) {
    const { facts } = await parse(buildDeb({ files, compression }));
    t.equal(facts.files.at(-1)?.sizeBytes, 150_000, `data.tar: ${compression}`);
    const old = compression === 'bzip2' || compression === 'lzma';
    t.same(
      facts.findings.map(({ code }) => code),
      old ? ['data_compression'] : [],
    );
    const packed = parse(buildDeb({ files, controlCompression: compression }));
    if (old) await t.rejects(packed, { code: 'deb_member' }, `control.tar: ${compression}`);
    else t.equal((await packed).facts.files.length, 5, `control.tar: ${compression}`);
  }
});

t.test('the members stand in the order of deb(5)', async (t) => {
  const parts = {
    binary: { name: 'debian-binary', data: '2.0\n' },
    control: { name: 'control.tar', data: buildTar(control) },
    data: { name: 'data.tar', data: buildTar([root]) },
    own: { name: '_gpgorigin', data: 'odd' },
    other: { name: 'other', data: '' },
  } as const;
  const { binary, control: ctl, data, own, other } = parts;
  for (const members of [
    [binary, ctl, data],
    [binary, own, ctl, own, data, own],
    [binary, ctl, data, other],
    [{ ...binary, data: '2.999\nfor readers to come\n' }, ctl, data],
    [
      { ...binary, name: 'debian-binary/' },
      { ...ctl, name: 'control.tar/' },
      { ...data, name: 'data.tar/' },
    ],
  ])
    t.equal((await parse(buildAr(members))).facts.identity.name, 'sample');
  const cases: readonly (readonly [string, readonly (typeof binary | typeof ctl | typeof own)[], string])[] =
    [
      ['nothing', [], 'deb_member'],
      ['no debian-binary', [ctl, data], 'deb_member'],
      ['debian-binary later', [own, binary, ctl, data], 'deb_member'],
      ['no control', [binary, data], 'deb_member'],
      ['no data', [binary, ctl], 'deb_member'],
      ['data first', [binary, data, ctl], 'deb_member'],
      ['something before control', [binary, other, ctl, data], 'deb_member'],
      ['something before data', [binary, ctl, other, data], 'deb_member'],
      ['two controls', [binary, ctl, { ...ctl, name: 'control.tar.gz' }, data], 'deb_member'],
      ['a control behind', [binary, ctl, data, ctl], 'deb_member'],
      ['two archives of files', [binary, ctl, data, { ...data, name: 'data.tar.gz' }], 'deb_member'],
      ['debian-binary again', [binary, ctl, data, binary], 'deb_member'],
      ['an unknown compression', [binary, ctl, { ...data, name: 'data.tar.br' }], 'deb_member'],
      ['a name that only starts right', [binary, { ...ctl, name: 'control.tarx' }, data], 'deb_member'],
      ['format 3', [{ ...binary, data: '3.0\n' }, ctl, data], 'deb_unsupported'],
      ['a format without a newline', [{ ...binary, data: '2.0' }, ctl, data], 'deb_member'],
      ['a format that is negative', [{ ...binary, data: '2.-1\n' }, ctl, data], 'deb_member'],
      ['a format of a kilobyte', [{ ...binary, data: `2.0\n${'x'.repeat(1024)}` }, ctl, data], 'deb_member'],
    ] as never;
  for (const [name, members, code] of cases) await t.rejects(parse(buildAr(members)), { code }, name);
});

t.test('what is no package at all is told so', async (t) => {
  const cases: readonly (readonly [string | Buffer, string, RegExp])[] = [
    ['', 'not_a_deb', /empty/],
    [Buffer.from('edabeedb03000000', 'hex'), 'not_a_deb', /rpm/],
    ['<!DOCTYPE html><html>', 'not_a_deb', /web page/],
    ['version https://git-lfs.github.com/spec/v1\n', 'not_a_deb', /git-lfs/],
    ['PK\x03\x04', 'not_a_deb', /does not start/],
    ['0.939000\n52\n', 'deb_unsupported', /1995/],
  ];
  for (const [bytes, code, message] of cases) await t.rejects(parse(Buffer.from(bytes)), { code, message });
});

t.test('the control archive holds plain files, each once', async (t) => {
  const text: TarPart = { name: './control', data: controlText() };
  for (const parts of [
    [text],
    [{ ...text, name: 'control' }],
    [{ name: '.', type: '5' }, text],
    [root, { name: './postinst', data: '#!/bin/sh\n' }, { name: './templates', data: '' }, text],
  ])
    t.ok(await parse(debOf(parts)), parts.map(({ name }) => String(name)).join());
  const cases: Readonly<Record<string, readonly TarPart[]>> = {
    'no control': [root],
    'control in a folder': [
      { name: './x/', type: '5' },
      { ...text, name: './x/control' },
    ],
    'a symlink': [{ name: './control', type: '2', target: '/etc/passwd' }],
    'a hard link': [{ name: './control', type: '1', target: '/etc/passwd' }],
    'a fifo': [{ name: './control', type: '6' }],
    'a folder': [{ name: './control/', type: '5' }],
    'a folder beside': [text, { name: './x/', type: '5' }],
    'two of them': [text, text],
    'two spellings': [text, { ...text, name: 'control' }],
    'a third spelling': [{ ...text, name: './/control' }, text],
    'an absolute name': [{ ...text, name: '/control' }],
    'other letters': [text, { ...text, name: './Control' }],
    'a way out': [text, { name: './../x', data: '' }],
    'a hidden file': [text, { name: './.x', data: '' }],
    'an option': [text, { name: './-x', data: '' }],
    'a long name': [text, { name: `./${'x'.repeat(101)}`, data: '' }],
  };
  for (const [name, parts] of Object.entries(cases))
    await t.rejects(parse(debOf(parts)), { code: 'control_archive' }, name);
  const many = Array.from({ length: 70 }, (_, at) => ({ name: `./f${at}`, data: '' }));
  await t.rejects(parse(debOf([text, ...many])), { code: 'archive_limit' }, 'too many');
  const large = { name: './x', data: Buffer.alloc(4 * 2 ** 20 + 1) };
  await t.rejects(parse(debOf([text, large])), { code: 'archive_limit' }, 'too large');
});

t.test('installed files stay below the root and are what they seem', async (t) => {
  const good: readonly (readonly TarPart[])[] = [
    [root, { name: 'usr/', type: '5' }, { name: '/usr/x', data: '' }],
    [root, root, { name: './a/', type: '5' }, { name: './a', type: '5' }],
    [{ name: './a', type: '2', target: '../../etc/passwd' }],
    [
      { name: './a', data: 'x' },
      { name: './b', type: '1', target: 'a' },
      { name: './c', type: '1', target: '/b' },
    ],
    [
      { name: './a', data: '' },
      { name: './a-b/', type: '5' },
      { name: './a-b/c', data: '' },
    ],
    [
      { name: './dev/', type: '5' },
      { name: './dev/null', type: '3' },
      { name: './dev/log', type: '6' },
    ],
  ];
  for (const parts of good) t.ok(await parse(debOf(control, parts)));
  const cases: Readonly<Record<string, readonly TarPart[]>> = {
    'a way out': [{ name: '../x', data: '' }],
    'a way out inside': [{ name: './usr/../../x', data: '' }],
    'two dots at the end': [{ name: './usr/..', type: '5' }],
    'one dot inside': [{ name: './usr/./x', data: '' }],
    'two slashes': [{ name: './usr//x', data: '' }],
    'two slashes in front': [{ name: '//x', data: '' }],
    'a root that is a file': [{ name: '.', data: '' }],
    'a long component': [{ name: `./${'é'.repeat(130)}`, data: '' }],
    'a file twice': [
      { name: './a', data: '' },
      { name: './a', data: '' },
    ],
    'a file twice in two spellings': [
      { name: './a', data: '' },
      { name: 'a', data: '' },
    ],
    'a folder over a file': [
      { name: './a', data: '' },
      { name: './a/', type: '5' },
    ],
    'a file over a folder': [
      { name: './a/', type: '5' },
      { name: './a', data: '' },
    ],
    'a path through a symlink': [
      { name: './d', type: '2', target: '/etc' },
      { name: './d/passwd', data: '' },
    ],
    'a path through a symlink that comes later': [
      { name: './d/x/passwd', data: '' },
      { name: './d', type: '2', target: '/etc' },
    ],
    'a hard link out': [{ name: './a', type: '1', target: '/etc/shadow' }],
    'a hard link to what comes later': [
      { name: './b', type: '1', target: './a' },
      { name: './a', data: '' },
    ],
    'a hard link to a symlink': [
      { name: './a', type: '2', target: '/etc/shadow' },
      { name: './b', type: '1', target: './a' },
    ],
    'a hard link that sets the user': [
      { name: './a', data: '' },
      { name: './b', type: '1', target: './a', mode: 0o4755 },
    ],
  };
  for (const [name, parts] of Object.entries(cases))
    await t.rejects(parse(debOf(control, parts)), { code: 'data_entry' }, name);
  t.equal(normalisePath('./'), '/');
  t.equal(normalisePath('.a'), '/.a');
  t.equal(normalisePath('..'), null);
});

t.test('md5sums are held against the files', async (t) => {
  const sum = 'b1946ac92492d2347c6235b4d2611184';
  const files: readonly TarPart[] = [
    { name: './a', data: 'hello\n' },
    { name: './b', type: '1', target: './a' },
  ];
  const withSums = (text: string): Promise<DebPackage> =>
    parse(debOf([...control, { name: './md5sums', data: text }], files));
  t.same((await withSums(`${sum}  a\n${sum.toUpperCase()}  ./b\n`)).facts.findings, []);
  t.match((await withSums(`${sum}  a\n${sum}  gone\n`)).facts.findings, [{ code: 'md5sums_unmatched' }]);
  t.match((await withSums(`${sum}  a\nnot a sum\n`)).facts.findings, [{ code: 'md5sums_malformed' }]);
  const wrong = { code: 'md5sums_mismatch', place: { part: 'data.tar', entry: './a' } };
  await t.rejects(withSums(`${'0'.repeat(32)}  a\n`), wrong);
  await t.rejects(
    withSums(`${sum}  a\n${'0'.repeat(32)}  b\n`),
    { code: 'md5sums_mismatch' },
    'by a hard link too',
  );
});

t.test('the fields are those of a package that can be installed', async (t) => {
  const fields = (change: Readonly<Record<string, string | null>>): Promise<DebPackage> =>
    parse(buildDeb({ control: change }));
  const refused: readonly (readonly [Record<string, string | null>, string])[] = [
    [{ Package: null }, 'Package'],
    [{ Package: '' }, 'Package'],
    [{ Version: null }, 'Version'],
    [{ Architecture: null }, 'Architecture'],
    [{ Architecture: 'amd64\n all' }, 'Architecture'],
    [{ Version: '1.0\n 2' }, 'Version'],
    [{ Package_Revision: '1' }, 'Package_Revision'],
    [{ Class: 'extra' }, 'Class'],
    [{ Status: 'install ok installed' }, 'Status'],
    [{ Conffiles: '/etc/x' }, 'Conffiles'],
    [{ Essential: 'maybe' }, 'Essential'],
    [{ 'Multi-Arch': 'maybe' }, 'Multi-Arch'],
    [{ 'Multi-Arch': 'same' }, 'Multi-Arch'],
    [{ Priority: 'optional; junk' }, 'Priority'],
    [{ Section: '../../non-free' }, 'Section'],
    [{ Section: '/utils' }, 'Section'],
    [{ Depends: 'a [amd64]' }, 'Depends'],
  ];
  for (const [change, field] of refused)
    await t.rejects(fields(change), {
      code: 'control_field',
      place: { part: 'control.tar.gz/control', field },
    });
  await t.rejects(fields({ 'X-Last': '' }), { code: 'control_syntax' }, 'dpkg misses a newline then');
  t.ok(await fields({ 'X-Empty': '', 'X-Last': 'x' }));
  await t.rejects(fields({ 'Package-Type': 'udeb' }), { code: 'deb_unsupported' });
  await t.rejects(fields({ Section: 'non-free/debian-installer' }), { code: 'deb_unsupported' });

  const found: readonly (readonly [Record<string, string | null>, string])[] = [
    [{ Maintainer: null }, 'field_missing'],
    [{ Description: null }, 'field_missing'],
    [{ Package: 'a_b' }, 'name_underscore'],
    [{ Source: '../x (1)' }, 'source_unusual'],
    [{ Source: 'x (1_)' }, 'source_unusual'],
    [{ 'Installed-Size': 'many' }, 'installed_size'],
    [{ 'Installed-Size': '99999999999999999999' }, 'installed_size'],
    [{ Homepage: 'javascript:alert(1)' }, 'homepage'],
    [{ Section: 'System Environment/Base' }, 'section_blank'],
    [{ Filename: '../x', MD5sum: 'x' }, 'index_fields'],
  ];
  for (const [change, code] of found) t.match((await fields(change)).facts.findings, [{ code }]);

  const source = (text: string): Promise<unknown> =>
    fields({ Source: text }).then(({ facts }) => facts.source);
  t.same(await source('Other'), { name: 'Other', version: '1.0-1' });
  t.same(await source('other (2:3)'), { name: 'other', version: '2:3' });
  t.same(await source('../x (1)'), { name: 'sample', version: '1.0-1' }, 'no path is made of it');
  t.equal((await fields({ 'Package-Type': 'ddeb' })).facts.filename, 'sample_1.0-1_all.deb');
});

t.test('scripts may be programs, and conffiles may be gone', async (t) => {
  const { facts, conffiles } = await parse(
    buildDeb({
      scripts: { preinst: '\x7fELF\0\0\x01', conffiles: 'remove-on-upgrade /etc/old\nrelative\n/etc/a \n\n' },
    }),
  );
  t.match(facts.scripts, [{ name: 'preinst', text: /^\(a program of 7 bytes, SHA-256 [0-9a-f]{64}\)$/ }]);
  t.same(conffiles, ['/etc/a']);
  t.match(facts.findings, [{ code: 'conffiles_malformed' }]);
});

t.test('lists of files are bounded', async (t) => {
  const header = buildTar([{ name: './x', data: '' }], 0);
  const entries = Array.from({ length: 150_000 }, (_, at) => {
    const copy = Buffer.from(header);
    copy.write(at.toString(36).padStart(5, '0'), 2);
    copy.fill(' ', 148, 156);
    copy.write(
      `${copy
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    return copy;
  });
  const bomb = buildAr([
    { name: 'debian-binary', data: '2.0\n' },
    { name: 'control.tar', data: buildTar(control) },
    { name: 'data.tar.gz', data: gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]), { level: 9 }) },
  ]);
  const { facts } = await parse(bomb);
  t.equal(facts.files.length, 150_000, 'a long list is legal while its archive is not thin');
});
