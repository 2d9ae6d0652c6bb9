/** Every hostile package of the corpus: refused with its code, or read as dpkg-deb and apt-ftparchive read it. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ErrorCode } from '../../../src/errors.ts';
import { parseDeb } from '../../../src/formats/apt/deb.ts';
import { inChunks } from '../../build-deb.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusFiles, unlessCorpus } from '../../corpus.ts';
import {
  type Accepted,
  compareContents,
  compareFields,
  compareFiles,
  compareStanzas,
  shown,
} from './oracle.ts';
import type { Measured } from './read-bad.ts';

/** What each file is refused with; the first pattern that matches counts. */
const expected: readonly (readonly [ErrorCode | 'accepted', RegExp])[] = [
  // dpkg-deb and apt-ftparchive both take these, and read the same.
  ['accepted', /^deb-control-gz-header-flags/],
  [
    'accepted',
    /^deb-field-(fieldname-proto|homepage-javascript|index-fields-inside|installed-size-negative)/,
  ],
  ['accepted', /^deb-field-(package-constructor|provides-nested|section-long|source-slash|tag-injection)/],
  ['accepted', /^deb-tar-name-unterminated/],

  ['decompression_bomb', /^bomb-data-(bz2|gz|zst-5GiB)/],
  ['archive_limit', /^bomb-control-/],
  ['data_entry', /^bomb-data-zst-3\.8M-entries/],
  ['not_a_deb', /^kind-(git|html|junk|one|rpm|text|zero|zip)|^deb-(ar-thin-magic|trunc-in-magic)|in-toto/],
  ['ar_header', /^kind-deb-(plus|twice)/],
  ['archive_limit', /^deb-ar-3000-members/],
  ['archive_truncated', /^deb-ar-size-(one|zero)/],
  ['ar_header', /^deb-ar-/],
  ['deb_member', /^deb-control-ext-/],
  ['archive_truncated', /^deb-control-(gz|xz|zst)-truncated/],
  ['decompression_bomb', /^deb-control-(xz-dict-4GiB|zst-window-2GiB)/],
  ['compressed_data', /^deb-control-|^deb-data-garbage/],
  ['tar_entry', /^deb-ctl-(not-a-tar|trailing-slash|zero-byte-tar)/],
  ['control_archive', /^deb-ctl-/],
  ['tar_entry', /^deb-data-(control-char-name|empty-name|not-a-tar)/],
  ['data_entry', /^deb-data-/],
  ['deb_unsupported', /^deb-version-[13]|^deb-old-0\.939/],
  ['deb_member', /^deb-(debian-binary-last|dup|no-|swapped|unknown|version|trunc-after-(control|magic)\.)/],
  ['archive_truncated', /^deb-trunc-/],
  ['archive_limit', /^deb-field-(depends-1M|description-100MB)|^deb-tar-size-unterminated/],
  ['control_archive', /^deb-tar-gnu-longname-traversal/],
  ['archive_truncated', /^deb-tar-half-block/],
  ['tar_entry', /^deb-tar-/],
  ['control_field', /^deb-field-(arch|depends-syntax|multiarch|priority|section-traversal|status)/],
  ['control_syntax', /^deb-field-(package-(dup-case|nul)|version-cr)/],
  ['control_field', /^deb-field-(package|version)-/],
  ['control_syntax', /^deb-field-/],
  ['control_syntax', /^real-dpkg__control-bogus__pkg-bogus-(blank|colon|fieldname)/],
  ['control_field', /^real-/],
];

const maxMs = 2_000;
const maxGrowthBytes = 128 * 2 ** 20;

t.test('hostile packages', { skip: unlessCorpus, timeout: 120_000 }, (t) => {
  const files = corpusFiles('bad').filter((path) => path.endsWith('.deb'));
  t.ok(files.length >= 190, `${files.length} files`);

  t.test('are refused with a code, in bounded time and memory', (t) => {
    const script = join(import.meta.dirname, 'read-bad.ts');
    const output = execFileSync(process.execPath, ['--expose-gc', script, ...files], { encoding: 'utf8' });
    const measured = JSON.parse(output) as Measured;
    for (const { file, outcome, ms } of measured.files) {
      const code = expected.find(([, pattern]) => pattern.test(basename(file)))?.[0];
      t.equal(outcome, code, basename(file));
      if (ms > maxMs) t.fail(`${basename(file)} took ${ms} ms`);
    }
    // One process reads them all, so this bounds each.
    t.ok(measured.growthBytes < maxGrowthBytes, `memory grew by ${measured.growthBytes} bytes`);
    t.end();
  });

  const oracles = unlessInstalled('dpkg-deb', 'apt-ftparchive');
  t.test('or are read as by dpkg and apt', { skip: oracles }, async (t) => {
    const dir = t.testdir({});
    mkdirSync(`${dir}/d`);
    const accepted: Accepted[] = [];
    for (const path of files) {
      const parsed = await parseDeb(inChunks(readFileSync(path))).catch(() => null);
      if (parsed === null) continue;
      const file = `d/${basename(path)}`;
      copyFileSync(path, `${dir}/${file}`);
      accepted.push({ file, parsed });
    }
    t.same(
      [
        ...compareFields(dir, accepted),
        ...compareFiles(dir, accepted),
        ...compareStanzas(dir, 'd', accepted),
        ...compareContents(dir, accepted),
      ].map(shown),
      [],
    );
  });
  t.end();
});
