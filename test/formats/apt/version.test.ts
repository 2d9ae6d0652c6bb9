import fc from 'fast-check';
import t from 'tap';
import { execFileSync } from 'node:child_process';
import {
  compareVersions,
  parseVersion,
  versionFault,
  withoutEpoch,
  writeVersion,
} from '../../../src/formats/apt/version.ts';
import { unlessInstalled } from '../../clients.ts';

const sign = (order: number): string => (order < 0 ? 'lt' : order > 0 ? 'gt' : 'eq');

/** `dpkg --compare-versions` for many pairs, in one shell. */
function dpkgCompares(pairs: readonly (readonly [string, string])[]): string[] {
  const script =
    'while read -r a b; do for o in lt eq gt; do dpkg --compare-versions "$a" $o "$b" 2>/dev/null && echo $o; done; done';
  const input = pairs.map((pair) => pair.join(' ')).join('\n') + '\n';
  return execFileSync('sh', ['-c', script], { input, encoding: 'utf8' }).trim().split('\n');
}

t.test('the order is that of the text of policy and the known traps', (t) => {
  const sorted = [
    '0',
    '1.0~~alpha',
    '1.0~rc1-1~bpo12+1',
    '1.0~rc1-1',
    '1.0-1~',
    '1.0-1',
    '1.0-1+b1',
    '1.0-1.1',
    '1.0+dfsg-1',
    '1.0.1',
    '1.1-1.1',
    '1-1.1-1',
    '1.9',
    '1.10',
    '4.3.5a',
    '4.3.5-rc3-1',
    '20240101000000000000000',
    '20240101000000000000001',
    '1:0.1',
    '10:0',
  ];
  // By hand: `1-1.1-1` has the upstream version `1-1.1`, and 4.3.5a sorts behind 4.3.5-rc3 for aptly, not for dpkg.
  const exceptions = new Set(['1.0-1+b1', '1-1.1-1', '4.3.5-rc3-1']);
  const plain = sorted.filter((version) => !exceptions.has(version));
  for (const [at, version] of plain.entries())
    for (const later of plain.slice(at + 1)) {
      t.equal(sign(compareVersions(version, later)), 'lt', `${version} < ${later}`);
      t.equal(sign(compareVersions(later, version)), 'gt', `${later} > ${version}`);
    }
  t.equal(sign(compareVersions('4.3.5a', '4.3.5-rc3-1')), 'lt');
  t.equal(sign(compareVersions('1-1-1', '1-1.1')), 'gt');
  for (const [a, b] of [
    ['1.0', '0:1.0'],
    ['1.0', '1.0-0'],
    ['1.00', '1.0'],
    ['1.000010-01', '1.10-1'],
    ['1.0-0', '1.0-'],
  ] as const)
    t.equal(compareVersions(a, b), 0, `${a} = ${b}`);
  t.end();
});

const part = fc
  .array(fc.constantFrom('0', '1', '9', '00', '10', '099', 'a', 'Z', 'rc', '~', '~~', '.', '+', '-'), {
    maxLength: 6,
  })
  .map((items) => items.join(''));
const version = fc
  .tuple(
    fc.constantFrom('', '', '', '0:', '1:', '12:'),
    fc.constantFrom('0', '1', '07'),
    part,
    fc.option(part),
  )
  .map(([epoch, first, rest, revision]) => {
    const tail = revision === null ? '' : `-${revision.replaceAll('-', '')}`;
    return `${epoch}${first}${rest}${tail}`;
  })
  .filter((text) => versionFault(text) === null);

t.test(
  'property: the order is that of dpkg',
  { skip: unlessInstalled('dpkg-deb'), timeout: 120_000 },
  (t) => {
    const pairs = fc.sample(fc.tuple(version, version), { numRuns: 600, seed: 1 });
    const near = fc.sample(version, { numRuns: 100, seed: 2 }).map((text) => [text, `${text}~`] as const);
    const all = [...pairs, ...near];
    const theirs = dpkgCompares(all);
    const ours = all.map(([a, b]) => sign(compareVersions(a, b)));
    t.same(
      ours.map((order, at) => `${all[at]?.join(' ') ?? ''} ${order}`),
      theirs.map((order, at) => `${all[at]?.join(' ') ?? ''} ${order}`),
    );
    t.end();
  },
);

t.test('property: versions are the same after parsing and writing', (t) => {
  fc.assert(
    fc.property(version, version, (a, b) => {
      const parsed = parseVersion(a);
      const again = parseVersion(writeVersion(parsed));
      const order = compareVersions(a, b);
      return (
        again.epoch === parsed.epoch &&
        again.upstream === parsed.upstream &&
        again.revision === parsed.revision &&
        Math.sign(order) === -Math.sign(compareVersions(b, a))
      );
    }),
  );
  t.equal(writeVersion(parseVersion('0:1.0-1')), '1.0-1');
  t.equal(writeVersion(parseVersion('0:1:2')), '0:1:2');
  t.end();
});

t.test('faults are those of dpkg', { skip: unlessInstalled('dpkg-deb') }, (t) => {
  const texts = [
    '1',
    '0',
    '1.0-1',
    '1:1',
    '0:1:2-3-4',
    '2147483647:1',
    '1~',
    '1-1~',
    '1.0-',
    '-1',
    'a',
    '1_2',
    '1:',
    ':1',
    'a:1',
    '-1:1',
    '2147483648:1',
    '99999999999999999999:1',
    '1.0-1_2',
    '1.0/../x',
    '1.0é',
    '1:a',
    '1.0-1:2',
    '1:1.0-1:2',
  ];
  for (const text of texts) {
    // dpkg --validate-version is the strict parse of package fields.
    let valid = true;
    try {
      execFileSync('dpkg', ['--validate-version', text], { stdio: 'ignore' });
    } catch {
      valid = false;
    }
    t.equal(versionFault(text) === null, valid, `${text}: ${versionFault(text) ?? 'no fault'}`);
  }
  t.not(versionFault(''), null);
  t.not(versionFault('1 2'), null);
  t.equal(withoutEpoch('1:2:3-4'), '2:3-4');
  t.equal(withoutEpoch('3-4'), '3-4');
  t.end();
});
