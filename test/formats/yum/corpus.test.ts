/**
 * Every package of the corpus: accepted, or refused for a reason listed here; and of the accepted ones the
 * indexes say what createrepo_c says, and the facts what rpm says.
 */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { AppError } from '../../../src/errors.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import type { RelationKind } from '../../../src/formats/package.ts';
import { entryOf } from '../../../src/formats/yum/header.ts';
import { packageDocuments } from '../../../src/formats/yum/repomd.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusDir, corpusFiles, unlessCorpus } from '../../corpus.ts';
import {
  canonicalPackages,
  compareDocuments,
  composeDocuments,
  createrepo,
  queryRpm,
  renderFile,
  xmlFaults,
} from './oracle.ts';
import type { Rendered } from './oracle.ts';

/** Every refused file of the corpus and why: docs/formats.md has the same table. */
const refusals: readonly { readonly files: RegExp; readonly code: ErrorCode; readonly why: string }[] = [
  {
    files: /^pulp_rpm\/.*\.drpm$|^drpm\/drpm_test_file_(1.*\.drpm|1~3308724\.rpm|2\.rpm)$/,
    code: 'rpm_unsupported',
    why: 'delta rpms: no client installs them',
  },
  {
    files: /^drpm\/drpm_test_file_2.*\.drpm$/,
    code: 'not_an_rpm',
    why: 'bare deltas without an rpm around them',
  },
  {
    files: /^rpmlint\/(SpecCheck4|ruby2\.6-rubygem-fast_gettext|xtables-addons-kmp-default)-/,
    code: 'rpm_text_invalid',
    why: 'control characters, which createrepo_c drops the whole package for',
  },
  {
    files: /^rpmlint\/hello-2\.0-1\.x86_64-signed\.rpm$/,
    code: 'rpm_tag_invalid',
    why: 'the signature is broken; rpm calls it an invalid OpenPGP signature',
  },
];

const root = join(corpusDir, 'rpm');

async function parseCorpus(): Promise<{ accepted: Map<string, Rendered>; refused: Map<string, AppError> }> {
  const accepted = new Map<string, Rendered>();
  const refused = new Map<string, AppError>();
  for (const path of corpusFiles('rpm')) {
    try {
      accepted.set(path, await renderFile(path, root));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      refused.set(relative(root, path), error);
    }
  }
  return { accepted, refused };
}

const corpus = unlessCorpus === false ? await parseCorpus() : undefined;

void t.test(
  'every package is accepted, or refused for a reason that is listed',
  { skip: unlessCorpus },
  (t) => {
    const { accepted, refused } = corpus!;
    for (const [file, error] of refused) {
      const rows = refusals.filter((row) => row.files.test(file));
      t.equal(rows.length, 1, `${file}: ${error.message}`);
      t.equal(error.code, rows[0]?.code, `${file}: ${error.message}`);
      t.equal(typeof error.place?.part, 'string');
    }
    for (const row of refusals)
      t.ok(
        [...refused.keys()].some((file) => row.files.test(file)),
        row.why,
      );
    t.equal(accepted.size + refused.size, corpusFiles('rpm').length);
    t.ok(accepted.size > 640);
    t.end();
  },
);

void t.test(
  'primary, filelists and other say what createrepo_c says',
  { skip: unlessCorpus || unlessInstalled('createrepo_c', 'xmllint') },
  (t) => {
    const paths = [...corpus!.accepted.keys()].filter((path) => path.endsWith('.rpm'));
    const rendered = paths.map((path) => corpus!.accepted.get(path)!);
    t.ok(rendered.length > 640);
    const ours = composeDocuments(rendered.map(({ fragments }) => fragments));
    t.same(compareDocuments(rendered, ours, createrepo(root, paths, t.testdir())), []);
    t.end();
  },
);

void t.test(
  'primary, filelists and other say what createrepo_c 1.2 says, without exceptions but for format 6',
  { skip: unlessCorpus || unlessInstalled('xmllint') },
  async (t) => {
    const set = join(corpusDir, 'reference', 'rpm-set');
    const plain = join(corpusDir, 'reference', 'rpm12-zstd', 'plain');
    const names = readFileSync(join(corpusDir, 'reference', 'RPM-SET.list'), 'utf8')
      .trim()
      .split('\n');
    for (const kind of packageDocuments) {
      const expected = canonicalPackages(readFileSync(join(plain, `${kind}.xml`), 'utf8'));
      for (const name of names) {
        const { rpm, pkgid, fragments } = await renderFile(join(set, name.replace(/.*\//, '')), set);
        const document = composeDocuments([fragments])[kind];
        const found = canonicalPackages(document).get(pkgid);
        const lines = (expected.get(pkgid) ?? []).map((line) =>
          rpm.format === 6 ? line.replace('archive="0"', `archive="${rpm.metadata.archiveSizeBytes}"`) : line,
        );
        // The reference set was copied with one time for all files, which a checkout does not keep.
        const withoutTime = (line: string): string => line.replace(/ file="\d+"/, '');
        t.same(found?.map(withoutTime), lines.map(withoutTime), `${kind} of ${name}`);
      }
    }
    t.end();
  },
);

void t.test('whole documents are well formed', { skip: unlessCorpus || unlessInstalled('xmllint') }, (t) => {
  const documents = composeDocuments([...corpus!.accepted.values()].map(({ fragments }) => fragments));
  for (const kind of packageDocuments) t.equal(xmlFaults(documents[kind]), '', kind);
  t.end();
});

/** What rpm prints as text: by the same rule for bytes that are not UTF-8. */
function textOf(bytes: Buffer): string {
  const utf8 = bytes.toString('utf8');
  return utf8.includes('\ufffd') ? bytes.toString('latin1').replace(/[\x80-\xbf]/g, '') : utf8;
}

const lines = (bytes: Buffer | undefined): string[] =>
  (bytes ?? Buffer.alloc(0))
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => textOf(Buffer.from(line, 'latin1')));

void t.test(
  'names, versions and file lists are those of rpm',
  { skip: unlessCorpus || unlessInstalled('rpm') },
  (t) => {
    const paths = [...corpus!.accepted.keys()];
    const nevras = queryRpm(
      paths,
      '%{NAME}\\n%|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}\\n%{ARCH}\\n%{SHA256HEADER}\\n',
    );
    const files = queryRpm(paths, '[%{FILENAMES}|%{FILEMODES}|%{LONGFILESIZES}|%{FILELINKTOS}\\n]');
    for (const path of paths) {
      const { facts, source } = corpus!.accepted.get(path)!.rpm;
      const { name, version, architecture } = facts.identity;
      const [rpmName, rpmVersion, rpmArchitecture] = lines(nevras.get(path));
      t.same([name, version], [rpmName, rpmVersion], path);
      if (!source) t.equal(architecture, rpmArchitecture);
      t.equal(facts.filename, `${name}-${version.replace(/^\d+:/, '')}.${architecture}.rpm`);
      const listed = facts.files.map((file) =>
        [file.path, file.mode, file.sizeBytes, file.target ?? ''].join('|'),
      );
      const expected = lines(files.get(path)).map((line) => {
        const [file, mode, ...rest] = line.split('|');
        return [file, Number(mode) & 0o7777, ...rest].join('|');
      });
      t.same(listed, expected, path);
    }
    t.end();
  },
);

/** rpm's arrays of whole dependencies, and the tags that must be there for them. */
const nevrs = {
  provides: ['PROVIDENEVRS', 'PROVIDENAME'],
  requires: ['REQUIRENEVRS', 'REQUIRENAME'],
  conflicts: ['CONFLICTNEVRS', 'CONFLICTNAME'],
  obsoletes: ['OBSOLETENEVRS', 'OBSOLETENAME'],
  recommends: ['RECOMMENDNEVRS', 'RECOMMENDNAME'],
  suggests: ['SUGGESTNEVRS', 'SUGGESTNAME'],
  supplements: ['SUPPLEMENTNEVRS', 'SUPPLEMENTNAME'],
  enhances: ['ENHANCENEVRS', 'ENHANCENAME'],
} as const satisfies Partial<Record<RelationKind, readonly [string, string]>>;

void t.test(
  'dependencies are printed as rpm prints them',
  { skip: unlessCorpus || unlessInstalled('rpm') },
  (t) => {
    const paths = [...corpus!.accepted.keys()];
    const kinds = Object.keys(nevrs) as (keyof typeof nevrs)[];
    const format = kinds.map((kind) => `[${kind} %{${nevrs[kind][0]}}\\n]`).join('');
    const answers = queryRpm(paths, format);
    const flags = queryRpm(paths, '[%{REQUIREFLAGS}\\n]');
    for (const path of paths) {
      const { rpm } = corpus!.accepted.get(path)!;
      // Requires that may be missing are recommendations to us, and rpm knows no other old weak dependencies.
      const missingOk = lines(flags.get(path)).map((flag) => (Number(flag) & (1 << 19)) !== 0);
      let i = 0;
      const expected = lines(answers.get(path)).map((line) =>
        line.startsWith('requires ') && missingOk[i++] === true
          ? line.replace('requires', 'recommends')
          : line,
      );
      if (entryOf(rpm.header, 'OLDSUGGESTSNAME') ?? entryOf(rpm.header, 'OLDENHANCESNAME')) continue;
      const found = rpm.facts.relations.map(({ kind, text }) => `${kind} ${text}`);
      t.same(found.toSorted(), expected.toSorted(), path);
    }
    t.end();
  },
);
