import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { compareEvr, compareVersions, parseEvr, writeEvr } from '../../../src/formats/yum/evr.ts';
import { unlessInstalled } from '../../clients.ts';

/** Versions as people write them, and strings of all that means something. */
const version = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.stringMatching(/^[0-9]{1,3}(\.[0-9]{1,3}){0,3}([~^+_.](rc|git|a|b)?[0-9]{0,3}){0,2}$/),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.constantFrom('0', '1', '9', '00', '10', 'a', 'B', 'z', '.', '_', '+', '-', '~', '^'), {
        maxLength: 8,
      })
      .map((parts) => parts.join('')),
  },
);

void t.test('versions are ordered as rpm orders them', { skip: unlessInstalled('rpm') }, (t) => {
  const pairs = fc.sample(fc.tuple(version, version), { numRuns: 20_000, seed: 3 });
  const near = fc
    .sample(fc.tuple(version, fc.constantFrom('', '0', '.', '~', '^', '~1', '^1', 'a', '.0', '-1')), {
      numRuns: 5000,
      seed: 4,
    })
    .map(([one, end]): [string, string] => [one, one + end]);
  // With a hyphen it is a version and a release; rpm.vercmp counts a release that the other side lacks.
  const complete = /^[^-].*[^-]$|^[^-]$/;
  const all = [...pairs, ...near].filter(
    ([a, b]) => complete.test(a) && complete.test(b) && a.includes('-') === b.includes('-'),
  );
  const script = join(t.testdir(), 'compare.lua');
  writeFileSync(script, all.map(([a, b]) => `print(rpm.vercmp("${a}","${b}") .. " ")`).join('\n'));
  const expected = execFileSync('rpm', ['--eval', `%{lua: dofile("${script}")}`], { maxBuffer: 1 << 26 })
    .toString()
    .trim()
    .split(/\s+/)
    .map(Number);
  t.equal(expected.length, all.length);
  const wrong = all.flatMap(([a, b], i) => {
    // rpm takes what follows the last hyphen for a release.
    const order = compareEvr(parseEvr(a), parseEvr(b));
    const mirrored = compareEvr(parseEvr(b), parseEvr(a));
    return order === expected[i] && mirrored === -order + 0
      ? []
      : [{ a, b, order, mirrored, rpm: expected[i] }];
  });
  t.same(wrong.slice(0, 5), []);
  t.end();
});

void t.test('tildes come before the end, carets after it', (t) => {
  const ascending = [
    '1.0~rc1',
    '1.0~rc1^git1',
    '1.0',
    '1.0^',
    '1.0^20240101',
    '1.0a',
    '1.0.1',
    '1.1',
    '1.10',
    '2',
  ];
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries())
      t.equal(compareVersions(a, b), Math.sign(i - j) + 0, `${a} ${b}`);
  }
  t.end();
});

void t.test('epochs come first, releases last and only when both have one', (t) => {
  const compare = (a: string, b: string): number => Math.sign(compareEvr(parseEvr(a), parseEvr(b))) + 0;
  t.equal(compare('1:1.0-1', '2.0-1'), 1);
  t.equal(compare('0:1.0-1', '1.0-1'), 0);
  t.equal(compare('1.0-1', '1.0-2'), -1);
  t.equal(compare('1.0', '1.0-2'), 0);
  t.equal(compare('4294967295:1-1', '4294967294:1-1'), 1);
  t.end();
});

void t.test('a written version is read again', (t) => {
  t.same(parseEvr('2:1.0~rc1-3.el9'), { epoch: 2, version: '1.0~rc1', release: '3.el9' });
  t.same(parseEvr(':1.0'), { epoch: 0, version: '1.0' });
  t.same(parseEvr('a:1'), { epoch: 0, version: 'a:1' });
  const evr = fc.record({
    epoch: fc.nat(),
    version: fc.stringMatching(/^[a-z0-9.+~^_]+$/),
    release: fc.stringMatching(/^[a-z0-9.+~^_]+$/),
  });
  fc.assert(
    fc.property(evr, (evr) => {
      t.same(parseEvr(writeEvr(evr)), evr);
    }),
    { seed: 5 },
  );
  t.end();
});
