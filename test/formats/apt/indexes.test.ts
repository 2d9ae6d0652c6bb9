/** What is published: stanzas, Contents, Release, and the paths of them all. */
import fc from 'fast-check';
import t from 'tap';
import type { PackageFile } from '../../../src/formats/package.ts';
import { contentsOf, parseContents } from './contents-text.ts';
import { qualifiedName } from '../../../src/formats/apt/contents.ts';
import { writePackagesStanza } from '../../../src/formats/apt/packages.ts';
import {
  byHashPath,
  channelRoot,
  checkIdentity,
  compressedPath,
  contentsPath,
  filenameField,
  initialOf,
  isSourceName,
  packageFilename,
  packagesPath,
  poolKey,
  snapshotRoot,
  sourcesPath,
} from '../../../src/formats/apt/paths.ts';
import { writeSnapshotTime } from '../../../src/formats/snapshot-time.ts';
import {
  parseDate,
  parseRelease,
  type Release,
  writeDate,
  writeRelease,
} from '../../../src/formats/apt/release.ts';

t.test('a stanza has every field of the control file, and one answer to where the file is', (t) => {
  const control = [
    { name: 'Version', value: '1.0' },
    { name: 'X-Unknown', value: 'kept' },
    { name: 'package', value: 'sample' },
    { name: 'Description', value: 'short\n long' },
    { name: 'Filename', value: '../../../evil.deb' },
    { name: 'sha256', value: 'of something else' },
    { name: 'Description-md5', value: 'of something else' },
    { name: 'Section', value: '' },
    { name: 'Architecture', value: 'all' },
    { name: 'Another-Unknown', value: '\n of two\n lines' },
    { name: 'Tag', value: 'a::b' },
  ];
  const served = {
    key: 'apt/acme/pool/s/s/s_1_all.deb',
    distinct: undefined,
    sizeBytes: 7,
    sha256: 'aa',
    md5: 'bb',
  };
  t.equal(
    writePackagesStanza(control, served),
    [
      'package: sample',
      'Architecture: all',
      'Version: 1.0',
      'Filename: pool/s/s/s_1_all.deb',
      'Size: 7',
      'MD5sum: bb',
      'SHA256: aa',
      'Description: short\n long',
      'Tag: a::b',
      'X-Unknown: kept',
      'Another-Unknown:\n of two\n lines',
      '',
    ].join('\n'),
  );
  t.end();
});

const file = (path: string, type: PackageFile['type'] = 'file'): PackageFile => ({
  path,
  type,
  sizeBytes: 0,
  mode: 0o644,
});

t.test('Contents of a package are its paths but the folders, by bytes', (t) => {
  const files = [
    file('/usr', 'directory'),
    file('/usr/bin/z'),
    file('/usr/bin/a b'),
    file('/usr/\u{1f600}', 'symlink'),
    file('/usr/\uff5e', 'hardlink'),
    file('/usr/bin/x\nusr/bin/su admin/another'),
  ];
  t.equal(
    contentsOf(files, qualifiedName('sample', 'non-free/utils')),
    ['usr/bin/a b', 'usr/bin/z', 'usr/\uff5e', 'usr/\u{1f600}']
      .map((path) => `${path}\tnon-free/utils/sample\n`)
      .join(''),
  );
  t.equal(qualifiedName('sample', null), 'sample');
  t.equal(qualifiedName('sample', 'System Environment/Base'), 'sample');
  t.equal(qualifiedName('sample', 'utils,admin'), 'sample');
  t.end();
});

t.test('Contents are taken apart as they were written, in columns as in Debian too', (t) => {
  const files = [file('/a b  c'), file('/usr/bin/hello')];
  t.same(parseContents(contentsOf(files, 'x/a')), [
    { path: 'a b  c', packages: ['x/a'] },
    { path: 'usr/bin/hello', packages: ['x/a'] },
  ]);
  t.same(parseContents('bin/csh\t\t\t    csh\n'), [{ path: 'bin/csh', packages: ['csh'] }]);
  t.end();
});

const release: Release = {
  origin: 'Acme',
  label: 'Acme production',
  suite: 'production',
  codename: 'production',
  description: 'What Acme ships',
  date: 1_700_000_000,
  validUntil: 1_700_604_800,
  architectures: ['all', 'amd64'],
  components: ['main', 'non-free'],
  snapshots: 'https://packages.example.invalid/apt/acme/snapshots/@SNAPSHOTID@/',
  files: [
    { path: 'main/binary-amd64/Packages', sizeBytes: 1234, sha256: 'ab'.repeat(32) },
    { path: 'main/binary-amd64/Packages.gz', sizeBytes: 99, sha256: 'cd'.repeat(32) },
    { path: 'main/binary-all/Packages', sizeBytes: 0, sha256: 'ef'.repeat(32) },
  ],
};

t.test('Release has the fields that apt asks for', (t) => {
  t.equal(
    writeRelease(release),
    `Origin: Acme
Label: Acme production
Suite: production
Codename: production
Date: Tue, 14 Nov 2023 22:13:20 UTC
Valid-Until: Tue, 21 Nov 2023 22:13:20 UTC
Acquire-By-Hash: yes
No-Support-for-Architecture-all: Packages
Architectures: all amd64
Components: main non-free
Description: What Acme ships
Snapshots: https://packages.example.invalid/apt/acme/snapshots/@SNAPSHOTID@/
SHA256:
 ${'ef'.repeat(32)}    0 main/binary-all/Packages
 ${'ab'.repeat(32)} 1234 main/binary-amd64/Packages
 ${'cd'.repeat(32)}   99 main/binary-amd64/Packages.gz
`,
  );
  t.end();
});

t.test('Release is read again as it was written', (t) => {
  const sorted = { ...release, files: release.files.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
  t.same(parseRelease(writeRelease(release)), sorted);
  const { origin, label, suite, codename, date, architectures, components } = release;
  const least: Release = { origin, label, suite, codename, date, architectures, components, files: [] };
  t.same(parseRelease(writeRelease(least)), least);
  for (const text of [
    '',
    writeRelease(release).replace('Suite: production\n', ''),
    writeRelease(release).replace(' UTC', ' CET'),
    writeRelease(release).replace('ab', 'xy'),
    writeRelease(release).replace(' 1234 ', ' -1 '),
  ])
    t.throws(() => parseRelease(text), { code: 'release_malformed' });
  t.throws(() => writeRelease({ ...release, label: 'a\nValid-Until: never' }), { code: 'release_malformed' });
  const strange = [{ path: 'a b', sizeBytes: 1, sha256: 'ab'.repeat(32) }];
  t.throws(() => writeRelease({ ...release, files: strange }), { code: 'release_malformed' });
  t.end();
});

t.test('property: dates are RFC 1123 in UTC', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (time) => parseDate(writeDate(time)) === time),
  );
  t.equal(parseDate('Tue, 14 Nov 2023 22:13:20 +0000'), 1_700_000_000);
  t.equal(parseDate('Tue, 14 Nov 2023 22:13:20 GMT'), 1_700_000_000);
  for (const text of ['', '2023-11-14', 'Tue, 14 Nov 2023 22:13:20', 'Tue, 14 Nov 2023 22:13:20 CET'])
    t.equal(parseDate(text), null, text);
  t.end();
});

t.test('paths are those of the design', (t) => {
  const channel = { repository: 'acme', channel: 'production' };
  t.equal(channelRoot(channel), 'apt/acme/dists/production');
  t.equal(snapshotRoot(channel, '7'), 'apt/acme/snapshots/7/dists/production');
  t.equal(writeSnapshotTime(1_795_342_500), '20261122T101500Z');
  t.equal(compressedPath(packagesPath('main', 'amd64'), 'gzip'), 'main/binary-amd64/Packages.gz');
  t.equal(sourcesPath('main'), 'main/source/Sources');
  t.equal(contentsPath('main', 'all'), 'main/Contents-all');
  t.equal(byHashPath('main/binary-amd64/Packages.gz', 'aa'), 'main/binary-amd64/by-hash/SHA256/aa');
  t.equal(byHashPath('InRelease', 'aa'), 'by-hash/SHA256/aa');
  const filename = packageFilename({ name: 'libx+1', version: '2:1.0~rc1-1+b2', architecture: 'amd64' });
  t.equal(filename, 'libx+1_1.0~rc1-1+b2_amd64.deb');
  const key = poolKey({ repository: 'acme', distribution: '' }, 'libx', filename);
  t.equal(key, `apt/acme/pool/libx/libx/${filename}`);
  t.equal(filenameField(key), `pool/libx/libx/${filename}`);
  const apart = poolKey({ repository: 'acme', distribution: 'bookworm' }, 'x', filename, '0123456789ab');
  t.equal(apart, `apt/acme/pool/bookworm/x/x/0123456789ab/${filename}`);
  t.same(['lib', 'liba', 'libab', 'a', 'zlib'].map(initialOf), ['l', 'liba', 'liba', 'a', 'z']);
  t.end();
});

t.test('property: no accepted name leaves its place or meets another', (t) => {
  const plainPiece = fc.constantFrom('a', 'b', '0', '1.0', '-', '+', '.', '_');
  const oddPiece = fc.constantFrom('..', '/', 'A', '~', ':', '\\', '%2e', '\u0000', ' ', 'é');
  const piece = fc.oneof({ weight: 9, arbitrary: plainPiece }, { weight: 1, arbitrary: oddPiece });
  const text = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(''));
  const identity = fc.record({ name: text, version: text.map((rest) => `1${rest}`), architecture: text });
  const seen = new Map<string, string>();
  fc.assert(
    fc.property(identity, text, (found, source) => {
      try {
        checkIdentity(found, 'control');
      } catch {
        return true;
      }
      if (!isSourceName(source)) return true;
      const key = poolKey({ repository: 'r', distribution: '' }, source, packageFilename(found));
      const plain = key.split('/').every((step) => /^[A-Za-z0-9][A-Za-z0-9+._~:-]*$/.test(step));
      // Two identities share a key only if their epochs alone differ, and the registry parts those.
      const own = JSON.stringify([
        found.name,
        found.version.replace(/^\d+:/, ''),
        found.architecture,
        source,
      ]);
      const same = (seen.get(key) ?? own) === own;
      seen.set(key, own);
      return plain && same && key.split('/').length === 6;
    }),
    { numRuns: 5000, seed: 1 },
  );
  t.ok(seen.size > 20, `${seen.size} accepted`);
  t.end();
});

t.test('names that no client could use are refused, with the field', (t) => {
  const good = { name: 'sample', version: '1.0', architecture: 'all' };
  const cases: readonly (readonly [Partial<typeof good>, string])[] = [
    [{ name: 'Sample' }, 'Package'],
    [{ name: '-x' }, 'Package'],
    [{ name: '..' }, 'Package'],
    [{ name: 'a/b' }, 'Package'],
    [{ name: 'pаckage' }, 'Package'],
    [{ version: '1.0/../x' }, 'Version'],
    [{ version: '1_0' }, 'Version'],
    [{ version: '1'.repeat(250) }, 'Version'],
    [{ architecture: 'any' }, 'Architecture'],
    [{ architecture: 'linux-any' }, 'Architecture'],
    [{ architecture: 'source' }, 'Architecture'],
    [{ architecture: 'amd64 i386' }, 'Architecture'],
    [{ architecture: 'AMD64' }, 'Architecture'],
    [{ architecture: '../x' }, 'Architecture'],
  ];
  for (const [change, field] of cases)
    t.throws(() => checkIdentity({ ...good, ...change }, 'control'), {
      code: 'control_field',
      place: { part: 'control', field },
    });
  for (const architecture of ['all', 'amd64', 'amd64v3', 'hurd-i386', 'x32'])
    t.doesNotThrow(() => checkIdentity({ ...good, architecture }, 'control'));
  t.end();
});
