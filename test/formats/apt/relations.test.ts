import t from 'tap';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fieldsOf } from '../../../src/formats/apt/control.ts';
import { parseRelations, readRelations, writeClause } from '../../../src/formats/apt/relations.ts';
import { buildDeb } from '../../build-deb.ts';
import { unlessInstalled } from '../../clients.ts';

const read = (fields: Readonly<Record<string, string>>): ReturnType<typeof readRelations> =>
  readRelations(fieldsOf(Object.entries(fields).map(([name, value]) => ({ name, value }))), 'control');

t.test('relations are listed by kind, in one form', (t) => {
  const { relations, findings } = read({
    Depends: 'libc6(>=2.36),a|b:any ( << 1:2-3 )\t| c,\n perl,  d (1.0), e (<2), f (> 3)',
    'Pre-Depends': 'dpkg (>= 1.15.6~)',
    Provides: 'mta, httpd (= 2)',
    Conflicts: 'x (<< 1)',
    'Built-Using': 'gcc-12 (= 12.2.0-14),\n  linux (= 6.1)',
    Suggests: '',
  });
  t.same(
    relations.map(({ kind, text }) => `${kind}: ${text}`),
    [
      'pre-depends: dpkg (>= 1.15.6~)',
      'depends: libc6 (>= 2.36)',
      'depends: a | b:any (<< 1:2-3) | c',
      'depends: perl',
      'depends: d (= 1.0)',
      'depends: e (<= 2)',
      'depends: f (>= 3)',
      'conflicts: x (<< 1)',
      'provides: mta',
      'provides: httpd (= 2)',
      'built-using: gcc-12 (= 12.2.0-14)',
      'built-using: linux (= 6.1)',
    ],
  );
  t.same(findings, []);
  t.end();
});

t.test('what apt does not act on is a finding', (t) => {
  t.match(read({ Provides: 'a (>= 1)' }).findings, [{ code: 'provides_inexact' }]);
  t.match(read({ Depends: 'Foo' }).findings, [{ code: 'relation_case' }]);
  t.end();
});

/** Values of Depends, of which dpkg is the judge. */
const values = [
  'a',
  'a, b',
  'a,b',
  'a | b',
  'a|b,c',
  'a (>= 1)',
  'a(>= 1)',
  'a (>=1)',
  'a ( >= 1 )',
  'a (= 1:1.0-1)',
  'a (<< 1), b (>> 2)',
  'a (< 1)',
  'a (> 1)',
  'a (1)',
  'a:any',
  'a:amd64 (>= 1)',
  'a:kfreebsd-i386',
  'a\n , b',
  '\n a, b',
  'A',
  'a_b',
  '0a',
  'a+b.c-d',
  'a,',
  ',a',
  'a,,b',
  'a |',
  '| a',
  'a || b',
  'a b',
  'a (>= 1',
  'a >= 1)',
  'a ()',
  'a (>= )',
  'a (>= 1) (<= 2)',
  'a (>= 1 2)',
  'a (=> 1)',
  'a (== 1)',
  'a (<> 1)',
  'a (<<= 1)',
  'a (>= 1_0)',
  'a (>= x)',
  'a (>= 1-)',
  'a [amd64]',
  'a <!nocheck>',
  'a:',
  'a: any',
  'a :any',
  'a:any:any',
  'a:_x',
  '-a',
  '.a',
  'a/b',
  'é',
  'a\u00a0',
  '${misc:Depends}',
];

t.test('what is accepted is what dpkg accepts', { skip: unlessInstalled('dpkg-deb') }, (t) => {
  const dir = t.testdir({});
  for (const value of values) {
    writeFileSync(`${dir}/x.deb`, buildDeb({ control: { Depends: value } }));
    let theirs: string | null = null;
    try {
      theirs = execFileSync('dpkg-deb', ['-f', `${dir}/x.deb`, 'Depends'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .toString()
        .trim();
    } catch {
      theirs = null;
    }
    let ours: string | null = null;
    try {
      ours = parseRelations(value, true, (what) => new Error(what))
        .map(writeClause)
        .join(', ');
    } catch {
      ours = null;
    }
    // dpkg folds capitals; we list them as they stand, with a finding.
    t.equal(ours?.toLowerCase() ?? null, theirs, JSON.stringify(value));
  }
  t.end();
});

t.test('alternatives stand only where dpkg lets them', (t) => {
  for (const field of ['Conflicts', 'Breaks', 'Replaces', 'Provides'])
    t.throws(() => read({ [field]: 'a | b' }), { code: 'control_field', place: { part: 'control', field } });
  for (const field of ['Pre-Depends', 'Depends', 'Recommends', 'Suggests', 'Enhances'])
    t.equal(read({ [field]: 'a | b' }).relations[0]?.text, 'a | b');
  t.end();
});

t.test('the number of packages is bounded, and their reading is linear', (t) => {
  t.throws(() => read({ Depends: 'a,'.repeat(100_001) }), { code: 'archive_limit' });
  const start = performance.now();
  t.equal(read({ Depends: Array.from({ length: 50_000 }, () => 'a').join(' | ') }).relations.length, 1);
  t.throws(() => read({ Depends: `a (${' '.repeat(900_000)}x` }), { code: 'control_field' });
  t.throws(() => read({ Depends: `${' '.repeat(900_000)}(` }), { code: 'control_field' });
  t.ok(performance.now() - start < 1500);
  t.end();
});
