import fc from 'fast-check';
import t from 'tap';
import { readDependencies } from '../../../src/formats/yum/dependencies.ts';
import type { Dependency, DependencyKind } from '../../../src/formats/yum/dependencies.ts';
import { decodeHeader, encodeHeader, headerLength, introBytes } from '../../../src/formats/yum/header.ts';
import type { Header } from '../../../src/formats/yum/header.ts';
import { buildRpm, dependencyValues } from '../../build-rpm.ts';
import type { RpmSpec } from '../../build-rpm.ts';

/** The main header of a built package. */
function headerOf(spec: Omit<RpmSpec, 'name'>): Header<'main'> {
  const bytes = buildRpm({ name: 'sample', ...spec });
  const signature = headerLength(bytes.subarray(96, 96 + introBytes), 'signature');
  const start = 96 + Math.ceil(signature / 8) * 8;
  const length = headerLength(bytes.subarray(start, start + introBytes), 'main');
  return decodeHeader(bytes.subarray(start, start + length), 'main');
}

const read = (
  spec: Omit<RpmSpec, 'name'>,
  kind: DependencyKind,
  paths: string[] = [],
): readonly Dependency[] => readDependencies(headerOf(spec), paths).byKind[kind];
const names = (dependencies: readonly Dependency[]): string[] => dependencies.map(({ name }) => name);

/** Requires with flags of their own. */
const flagged = (...rows: readonly (readonly [string, number, string?])[]): Omit<RpmSpec, 'name'> => ({
  tags: {
    REQUIRENAME: rows.map(([name]) => name),
    REQUIREFLAGS: rows.map(([, flags]) => flags),
    REQUIREVERSION: rows.map(([, , evr = '']) => evr),
  },
});

void t.test('comparisons and versions are taken apart', (t) => {
  const requires = ['a', 'b = 1', 'c >= 2:1.0-3', 'd <= 1.0', 'e < 0:1-1', 'f > 1-2-3', 'g = :1', 'h = 1-'];
  t.same(read({ requires }, 'requires'), [
    { name: 'a', pre: false },
    { name: 'b', flags: 'EQ', epoch: '0', version: '1', pre: false },
    { name: 'c', flags: 'GE', epoch: '2', version: '1.0', release: '3', pre: false },
    { name: 'd', flags: 'LE', epoch: '0', version: '1.0', pre: false },
    { name: 'e', flags: 'LT', epoch: '0', version: '1', release: '1', pre: false },
    { name: 'f', flags: 'GT', epoch: '0', version: '1', release: '2-3', pre: false },
    { name: 'g', flags: 'EQ', epoch: '0', version: '1', pre: false },
    { name: 'h', flags: 'EQ', epoch: '0', version: '1', pre: false },
  ]);
  t.end();
});

void t.test('a version without a comparison is no version', (t) => {
  t.same(read(flagged(['a', 0, '1.0'], ['b', 6, '1.0'], ['c', 8]), 'requires'), [
    { name: 'a', pre: false },
    { name: 'b', pre: false },
    { name: 'c', flags: 'EQ', pre: false },
  ]);
  t.end();
});

void t.test('an epoch that is no number leaves the dependency out, and says so', (t) => {
  const found = readDependencies(headerOf({ requires: ['a = x:1', 'b = 1'] }), []);
  t.same(names(found.byKind.requires), ['b']);
  t.same(found.leftOut, ['a = x:1']);
  t.same(
    found.relations.filter(({ kind }) => kind === 'requires').map(({ text }) => text),
    ['a = x:1', 'b = 1'],
  );
  t.end();
});

void t.test('pre is for what the package needs before it is unpacked, and for requires alone', (t) => {
  const bits = [...Array(32).keys()];
  const requires = read(flagged(...bits.map((bit) => [`bit-${bit}`, 2 ** bit] as const)), 'requires');
  t.same(
    requires.filter(({ pre }) => pre).map(({ name }) => name),
    ['bit-5', 'bit-6', 'bit-7', 'bit-9', 'bit-10'],
  );
  const weak = read(flagged(['a', 2 ** 19 + 2 ** 9]), 'recommends');
  t.same(weak, [{ name: 'a', pre: false }]);
  t.end();
});

void t.test('what rpm itself, the package or another entry brings is left out of requires', (t) => {
  const paths = ['/usr/bin/own', '/usr/share/own', '/etc/own'];
  const requires = [
    'rpmlib(PayloadIsZstd) <= 5.4.18-1',
    '/usr/bin/own',
    '/usr/share/own',
    '/etc/own',
    'sample = 1.0-1',
    'sample = 1.0',
    'twice >= 1',
    'twice >= 1',
    'twice >= 2',
    'twice >= 1',
  ];
  const found = read({ requires }, 'requires', paths);
  t.same(
    found.map(({ name, version }) => [name, version]),
    [
      ['/usr/share/own', undefined],
      ['sample', '1.0'],
      ['twice', '1'],
      ['twice', '2'],
      // createrepo_c remembers the last of a name only.
      ['twice', '1'],
    ],
  );
  t.same(names(read({ conflicts: ['rpmlib(x)', 'sample = 1.0-1'] }, 'conflicts')), ['rpmlib(x)', 'sample']);
  t.end();
});

void t.test('a requirement with and one without pre are two', (t) => {
  const found = read(
    flagged(['/bin/sh', 0], ['/bin/sh', 2 ** 9], ['/bin/sh', 2 ** 10], ['/bin/sh', 2 ** 11]),
    'requires',
  );
  t.same(
    found.map(({ pre }) => pre),
    [false, true, false],
  );
  t.end();
});

void t.test('of the versions of libc the highest stays, at the end', (t) => {
  const requires = [
    'libc.so.6()(64bit)',
    'libc.so.6(GLIBC_2.3.4)(64bit)',
    'libc.so.6(GLIBC_2.14)(64bit)',
    'libc.so.6(GLIBC_2.4)(64bit)',
    'libm.so.6(GLIBC_2.2.5)(64bit)',
    'libc.so.6',
    'libc.so.6(GLIBC_PRIVATE)(64bit)',
    'libc.so.6(broken',
  ];
  t.same(names(read({ requires }, 'requires')), [
    'libm.so.6(GLIBC_2.2.5)(64bit)',
    'libc.so.6(GLIBC_2.14)(64bit)',
  ]);
  t.same(names(read({ requires: ['libc.so.6', 'z', 'libc.so.6()'] }, 'requires')), ['z', 'libc.so.6()']);
  t.same(names(read({ requires: ['libc.so.6(64bit)', 'libc.so.6()(64bit)'] }, 'requires')), [
    'libc.so.6(64bit)',
  ]);
  t.same(names(read({ provides: requires }, 'provides')).length, requires.length + 1);
  t.end();
});

void t.test('old weak dependencies become new ones', (t) => {
  const strong = 2 ** 27;
  const found = readDependencies(
    headerOf({
      tags: {
        ...flagged(['must', 0], ['may', 2 ** 19 + 8, '1']).tags,
        OLDSUGGESTSNAME: ['s', 'r'],
        OLDSUGGESTSFLAGS: [0, strong],
        OLDSUGGESTSVERSION: ['', ''],
        OLDENHANCESNAME: ['e', 'p'],
        OLDENHANCESFLAGS: [0, strong],
        OLDENHANCESVERSION: ['', ''],
      },
    }),
    [],
  ).byKind;
  t.same(names(found.requires), ['must']);
  t.same(names(found.recommends), ['may', 'r']);
  t.same(names(found.suggests), ['s']);
  t.same(names(found.enhances), ['e']);
  t.same(names(found.supplements), ['p']);
  t.end();
});

void t.test('rich dependencies pass as they are', (t) => {
  const rich = '((foo >= 1.0 with foo < 2) if (bar or baz(x86-64)) else qux)';
  t.same(read({ requires: [rich] }, 'requires'), [{ name: rich, pre: false }]);
  t.end();
});

void t.test('what clients could read in two ways is refused', (t) => {
  const refuse = (spec: Omit<RpmSpec, 'name'>, tag: string): void => {
    t.throws(() => readDependencies(headerOf(spec), []), {
      code: 'rpm_tag_invalid',
      place: { part: 'main header', tag },
    });
  };
  for (const name of [
    '',
    'a\nb',
    'a\tb',
    'a\rb',
    '(a',
    '(a))',
    '(a) or b)',
    `${'('.repeat(65)}${')'.repeat(65)}`,
  ]) {
    refuse({ tags: { ...dependencyValues('CONFLICT', ['x']), CONFLICTNAME: [name] } }, 'CONFLICTNAME');
  }
  refuse({ tags: { ...dependencyValues('CONFLICT', ['x']), CONFLICTVERSION: ['1\n'] } }, 'CONFLICTNAME');
  refuse({ tags: { CONFLICTFLAGS: [0] } }, 'CONFLICTFLAGS');
  refuse({ tags: { ...dependencyValues('REQUIRE', ['x']), REQUIREFLAGS: [0, 0] } }, 'REQUIRENAME');
  refuse({ tags: { ...dependencyValues('REQUIRE', ['x']), REQUIREVERSION: null } }, 'REQUIRENAME');
  const levels = `${'('.repeat(64)}a${')'.repeat(64)}`;
  t.equal(read({ requires: [levels] }, 'requires').length, 1);
  t.end();
});

void t.test('names alone are provides in binary packages of format 3, and nothing else anywhere', (t) => {
  const bare = headerOf({ format: 3, tags: { PROVIDEFLAGS: null, PROVIDEVERSION: null } });
  const self = { name: 'sample', evr: '1.0-1' };
  t.same(readDependencies(bare, [], self).byKind.provides, [
    { name: 'sample', pre: false },
    { name: 'sample', flags: 'EQ', epoch: '0', version: '1.0', release: '1', pre: false },
  ]);
  // Without a self it is a source package, or one of an rpm that knows better: createrepo_c sees no provides.
  t.throws(() => readDependencies(bare, []), { code: 'rpm_tag_invalid', place: { tag: 'PROVIDENAME' } });
  const other = headerOf({ format: 3, tags: { CONFLICTNAME: ['a'] } });
  t.throws(() => readDependencies(other, [], self), {
    code: 'rpm_tag_invalid',
    place: { tag: 'CONFLICTNAME' },
  });
  t.end();
});

void t.test('a package of format 3 provides itself, once', (t) => {
  const evr = { name: 'sample', evr: '2:1.0-1' };
  const bare = headerOf({ tags: { PROVIDENAME: null, PROVIDEFLAGS: null, PROVIDEVERSION: null } });
  const [self] = readDependencies(bare, [], evr).byKind.provides;
  t.same(self, { name: 'sample', flags: 'EQ', epoch: '2', version: '1.0', release: '1', pre: false });
  const there = headerOf({ epoch: 2 });
  t.equal(readDependencies(there, [], evr).byKind.provides.length, 1);
  t.end();
});

void t.test('a version of which the index would leave a byte out is refused', (t) => {
  const obsoletes = (...release: readonly [number, number]): Header<'main'> => {
    const inPlace = (header: Buffer): Buffer => {
      header.set(release, header.indexOf('é'));
      return header;
    };
    return headerOf({ obsoletes: ['elder <= 1:0-é'], patch: { header: inPlace } });
  };
  t.throws(() => readDependencies(obsoletes(0x93, 0x94), []), {
    code: 'rpm_text_invalid',
    place: { tag: 'OBSOLETEVERSION' },
  });
  const [kept] = readDependencies(obsoletes(0xe9, 0xe8), []).byKind.obsoletes;
  t.match(kept, { release: 'éè' }, 'letters of Latin-1 are letters');
  t.end();
});

void t.test('an epoch that is a number to createrepo_c alone is refused', (t) => {
  for (const evr of ['-1:2.0', '+1:2.0', ' 1:2.0', '  -0:1']) {
    const place = { tag: 'REQUIRENAME' };
    t.throws(() => read(flagged(['a', 8, evr]), 'requires'), { code: 'rpm_tag_invalid', place }, evr);
  }
  t.end();
});

void t.test('no dependency is lost or made up', (t) => {
  const requirement = fc.tuple(
    fc.constantFrom('a', 'b', '/usr/bin/own', 'libc.so.6(GLIBC_2.4)', 'rpmlib(x)', '(a or b)'),
    fc.nat(0xffff_ffff),
    fc.constantFrom('', '1', '2:1-1', 'x:1'),
  );
  fc.assert(
    fc.property(fc.array(requirement, { minLength: 1, maxLength: 20 }), (rows) => {
      const found = readDependencies(headerOf(flagged(...rows)), ['/usr/bin/own']);
      const kept = [...found.byKind.requires, ...found.byKind.recommends].map(({ name }) => name);
      for (const name of kept) t.ok(rows.some(([given]) => given === name));
      t.equal(found.relations.length, rows.length + 1);
      t.notOk(kept.includes('rpmlib(x)'));
    }),
    { numRuns: 200, seed: 6 },
  );
  t.end();
});

void t.test('a header without dependencies has none', (t) => {
  const empty = decodeHeader(encodeHeader([], 'main'), 'main');
  t.same(readDependencies(empty, []).relations, []);
  t.end();
});
