/** Every real package of the corpus, held against dpkg-deb and apt-ftparchive. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { AppError } from '../../../src/errors.ts';
import { parseDeb } from '../../../src/formats/apt/deb.ts';
import { inChunks } from '../../build-deb.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusDir, corpusFiles, unlessCorpus } from '../../corpus.ts';
import {
  type Accepted,
  compareContents,
  compareFields,
  compareFiles,
  compareStanzas,
  shown,
} from './oracle.ts';

/** Why a package of the corpus is refused. docs/formats.md tells the same. */
const refused: readonly (readonly [RegExp, string, string])[] = [
  [/libboost-broken-program-options-dev_/, 'archive_truncated', 'the file is cut'],
  [/\.udeb$/, 'deb_unsupported', 'udebs belong in indexes of the installer'],
  [/old-format-0\.939/, 'deb_unsupported', 'apt does not read the format of 1995'],
  [/blank-lines-around/, 'control_syntax', 'apt sees no package after a blank line'],
  [/v-long_/, 'control_field', 'no file system takes the name under which apt would keep it'],
  [/base256-size/, 'tar_entry', 'apt misreads small numbers in base 256'],
  [/fields-obsolete/, 'control_field', 'dpkg reads Revision into the version, apt does not'],
];

/**
 * apt-ftparchive 2.6 dies on long paths ("stack smashing detected"), reads no prefix of ustar headers, and
 * passes over files that are not named .deb; the last are given to it under that name.
 */
const noContents = /deep-path|tar-gnu-longname|tar-ustar/;

t.test('the corpus', { skip: unlessCorpus, timeout: 300_000 }, async (t) => {
  const accepted: Accepted[] = [];
  const failures = new Map<string, unknown>();
  for (const path of corpusFiles('deb')) {
    const file = relative(corpusDir, path);
    try {
      accepted.push({ file, parsed: await parseDeb(inChunks(readFileSync(path), [65_536])) });
    } catch (error) {
      failures.set(file, error);
    }
  }

  t.test('is accepted, but for reasons that are listed', (t) => {
    for (const [file, error] of failures) {
      const reason = refused.find(([pattern]) => pattern.test(file));
      const code = error instanceof AppError ? error.code : String(error);
      t.equal(code, reason?.[1], `${file}: ${String(error)}`);
    }
    for (const [pattern] of refused)
      t.ok(
        [...failures.keys()].some((file) => pattern.test(file)),
        `${String(pattern)} is still refused`,
      );
    t.ok(accepted.length > 400, `${accepted.length} accepted`);
    t.end();
  });

  t.test('has the fields that dpkg reads', { skip: unlessInstalled('dpkg-deb') }, (t) => {
    t.same(compareFields(corpusDir, accepted).map(shown), []);
    t.end();
  });

  t.test('has the files that dpkg-deb lists', { skip: unlessInstalled('dpkg-deb') }, (t) => {
    t.same(compareFiles(corpusDir, accepted).map(shown), []);
    t.end();
  });

  t.test('has the stanzas of apt-ftparchive', { skip: unlessInstalled('apt-ftparchive') }, (t) => {
    t.same(compareStanzas(corpusDir, 'deb', accepted).map(shown), []);
    t.end();
  });

  t.test('has the contents of apt-ftparchive', { skip: unlessInstalled('apt-ftparchive') }, (t) => {
    const left = accepted.filter(({ file }) => !noContents.test(file));
    t.same(compareContents(corpusDir, left).map(shown), []);
    t.end();
  });
});
