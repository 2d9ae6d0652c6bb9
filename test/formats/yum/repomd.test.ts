import fc from 'fast-check';
import t from 'tap';
import {
  indexFoot,
  indexHead,
  packageDocuments,
  parseRepomd,
  writeRepomd,
} from '../../../src/formats/yum/repomd.ts';
import type { Repomd } from '../../../src/formats/yum/repomd.ts';
import { unlessInstalled } from '../../clients.ts';
import { xmlFaults } from './oracle.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);

const repomd: Repomd = {
  revision: 7,
  records: [
    {
      type: 'primary',
      sha256: a,
      openSha256: b,
      sizeBytes: 100,
      openSizeBytes: 1000,
      location: `repodata/${a}-primary.xml.gz`,
      timestamp: 1_700_000_000,
    },
    { type: 'group', sha256: b, sizeBytes: 5, location: `repodata/${b}-comps.xml`, timestamp: 1_700_000_001 },
  ],
};

void t.test('it is written as createrepo_c writes it', (t) => {
  t.equal(
    writeRepomd(repomd),
    `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>7</revision>
  <data type="primary">
    <checksum type="sha256">${a}</checksum>
    <open-checksum type="sha256">${b}</open-checksum>
    <location href="repodata/${a}-primary.xml.gz"/>
    <timestamp>1700000000</timestamp>
    <size>100</size>
    <open-size>1000</open-size>
  </data>
  <data type="group">
    <checksum type="sha256">${b}</checksum>
    <location href="repodata/${b}-comps.xml"/>
    <timestamp>1700000001</timestamp>
    <size>5</size>
  </data>
</repomd>
`,
  );
  t.end();
});

const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
const anyRepomd: fc.Arbitrary<Repomd> = fc.record({
  revision: fc.nat(),
  records: fc.array(
    fc
      .tuple(fc.stringMatching(/^[a-z_]{1,9}$/), digest, digest, fc.nat(), fc.nat(), fc.boolean())
      .map(([type, sha256, openSha256, sizeBytes, timestamp, compressed]) => ({
        type,
        sha256,
        sizeBytes,
        location: `repodata/${sha256}-${type}.xml.gz`,
        timestamp,
        ...(compressed ? { openSha256, openSizeBytes: sizeBytes * 2 } : {}),
      })),
    { maxLength: 5 },
  ),
});

void t.test('what was written is read again', (t) => {
  fc.assert(
    fc.property(anyRepomd, (repomd) => {
      t.same(parseRepomd(writeRepomd(repomd)), repomd);
    }),
    { seed: 11 },
  );
  t.end();
});

void t.test('anything else is a fault, with its line', (t) => {
  const text = writeRepomd(repomd);
  const cases: readonly (readonly [string, number])[] = [
    ['', 1],
    [text.replace('<revision>7</revision>', ''), 3],
    [text.replace('<revision>7<', '<revision>07<'), 3],
    [text.replace('<size>100<', '<size>0100<'), 9],
    [text.replace('<size>5</size>', '<size>5</size><size>6</size>'), 12],
    [text.replace('\n</repomd>', '\n<!-- -->\n</repomd>'), 18],
    [text.replace(`href="repodata/${b}`, `href="../${b}&amp;`), 12],
    [`${text}\n`, 20],
    [text.slice(0, -3), 18],
  ];
  for (const [damaged, line] of cases) {
    t.throws(
      () => parseRepomd(damaged),
      { code: 'repomd_malformed', place: { part: 'repomd.xml', line } },
      damaged,
    );
  }
  t.end();
});

void t.test('an index without packages is a document too', { skip: unlessInstalled('xmllint') }, (t) => {
  for (const kind of packageDocuments) t.equal(xmlFaults(indexHead(kind, 0) + indexFoot(kind)), '', kind);
  t.match(indexHead('primary', 3), / packages="3">\n$/);
  t.end();
});
