/** Hostile packages: each refused with its code, or accepted because rpm and createrepo_c read what we read. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { resourceUsage } from 'node:process';
import t from 'tap';
import { AppError } from '../../../src/errors.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { parseRpm } from '../../../src/formats/yum/rpm.ts';
import { packageDocuments } from '../../../src/formats/yum/repomd.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusDir, corpusFiles, unlessCorpus } from '../../corpus.ts';
import { canonicalPackages, chunks, composeDocuments, createrepo, renderFile } from './oracle.ts';

/** What each hostile package is answered with; `null` when it is accepted. */
const answers: readonly (readonly [RegExp, ErrorCode | null])[] = [
  [/^bomb-header-/, 'rpm_limit'],
  // What these unpack to is not in the header's list, so they need not be unpacked.
  [/^bomb-payload-/, 'rpm_payload_mismatch'],
  [/^kind-/, 'not_an_rpm'],
  [/^real-drpm__/, 'not_an_rpm'],
  [/^real-libzypp__|^real-ci-dnf-stack__/, 'rpm_digest_mismatch'],
  [/^real-nexus-public__|^real-redline__/, 'rpm_header_malformed'],
  [/^rpm-digest-filedigestalgo-99/, 'rpm_unsupported'],
  [/^rpm-digest-/, 'rpm_digest_mismatch'],
  [/^rpm-file-control-chars/, 'rpm_text_invalid'],
  [/^rpm-file-(invalid-utf8|newline)\./, null],
  [/^rpm-file-(linkto-traversal|sizes-huge)\./, 'rpm_payload_mismatch'],
  [/^rpm-file-/, 'rpm_tag_invalid'],
  [/^rpm-idx-(4000-unknown-tags|tag-huge-number|unsorted)\./, null],
  [/^rpm-idx-/, 'rpm_header_malformed'],
  [/^rpm-lead-name-differs/, null],
  [/^rpm-lead-(bad-magic|zeroed)\./, 'not_an_rpm'],
  [/^rpm-lead-/, 'rpm_header_malformed'],
  [/^rpm-main-dl-(256MiB|signed)|^rpm-sig-dl-/, 'rpm_limit'],
  [/^rpm-main-|^rpm-no-signature-header|^rpm-only-lead/, 'rpm_header_malformed'],
  [/^rpm-payload-compressor-/, 'rpm_unsupported'],
  [/^rpm-payload-(cpio-filesize-4GiB|empty|not-cpio)\./, 'archive_truncated'],
  [/^rpm-payload-cpio-(no-trailer|symlink)/, 'rpm_payload_mismatch'],
  [/^rpm-payload-stripped/, 'cpio_entry'],
  [/^rpm-region-missing/, null],
  [/^rpm-region-/, 'rpm_header_malformed'],
  [/^rpm-sig-(reserved-32MiB|sha256-upper-case)\./, null],
  [/^rpm-sig-(has-package-tags|openpgp-not-base64|rsa-64k)\./, 'rpm_tag_invalid'],
  [/^rpm-sig-openpgp-1000/, 'rpm_limit'],
  [/^rpm-sig-(payloadsize-max|sha256-short|size-max)\./, 'rpm_digest_mismatch'],
  [/^rpm-sig-/, 'rpm_header_malformed'],
  [/^rpm-trailing-garbage/, 'rpm_digest_mismatch'],
  [/^rpm-trunc-in-lead/, 'not_an_rpm'],
  [/^rpm-trunc-(in-payload|no-payload)/, 'rpm_digest_mismatch'],
  [/^rpm-trunc-/, 'archive_truncated'],
  [/^rpm-val-arch-unknown/, null],
  [/^rpm-val-arch-/, 'rpm_identity_invalid'],
  [/^rpm-val-(buildtime-|changelog-|description-5MB|i18n-|license-|payload|sourcerpm-|summary-)/, null],
  [/^rpm-val-dep-(flags-unknown|name-xml|version-no-flag)\./, null],
  [/^rpm-val-dep-/, 'rpm_tag_invalid'],
  [/^rpm-val-description-nul/, 'rpm_text_invalid'],
  [/^rpm-val-epoch-string/, 'rpm_header_malformed'],
  [/^rpm-val-(epoch-two|longsize)/, 'rpm_tag_invalid'],
  [/^rpm-val-name-(control-chars|noncharacter|surrogate-utf8)/, 'rpm_text_invalid'],
  [/^rpm-val-name-proto/, null],
  [/^rpm-val-size-/, null],
  [/^rpm-val-os-missing/, 'rpm_tag_invalid'],
  [/^rpm-val-(name|release|version)-/, 'rpm_identity_invalid'],
];

const bad = unlessCorpus === false ? corpusFiles('bad').filter((path) => path.endsWith('.rpm')) : [];

type Verdict = Readonly<Record<string, readonly [number, string] | undefined>>;

/** Whether both programs took the file, as recorded with the corpus. */
function bothAccept(verdict: Verdict): boolean {
  const [queried] = verdict['rpm -qp'] ?? [1];
  const [verified] = verdict['rpmkeys -K'] ?? [1];
  const indexed = /packages=1 (?!XML)/.test(verdict['createrepo_c']?.[1] ?? '');
  return queried === 0 && verified === 0 && indexed;
}

void t.test('each is answered as the table says, in time and memory', { skip: unlessCorpus }, async (t) => {
  const verdicts = JSON.parse(
    readFileSync(join(corpusDir, 'reference', 'bad-verdicts.json'), 'utf8'),
  ) as Record<string, Verdict>;
  const before = resourceUsage().maxRSS;
  for (const path of bad) {
    const name = basename(path);
    const expected = answers.find(([pattern]) => pattern.test(name))?.[1];
    const start = performance.now();
    let code: string | null = null;
    try {
      await parseRpm(chunks(readFileSync(path)));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      code = error.code;
      t.ok(error.place?.part, `${name} has a place`);
      t.ok(error.status === 422 || error.status === 413, name);
    }
    t.equal(code, expected, name);
    t.ok(performance.now() - start < 2000, `${name} in time`);
    if (code === null) t.ok(bothAccept(verdicts[name] ?? {}), `rpm and createrepo_c accept ${name}`);
  }
  t.ok(bad.length > 200);
  // The most that this process ever held, over all of them.
  t.ok(resourceUsage().maxRSS - before < 128 * 1024, `${resourceUsage().maxRSS - before} KiB more`);
});

void t.test(
  'of those accepted createrepo_c reads what we read',
  { skip: unlessCorpus || unlessInstalled('createrepo_c', 'xmllint') },
  async (t) => {
    const root = join(corpusDir, 'bad');
    const paths = bad.filter(
      (path) => answers.find(([pattern]) => pattern.test(basename(path)))?.[1] === null,
    );
    const theirs = createrepo(root, paths, t.testdir());
    for (const path of paths) {
      const { pkgid, rpm, fragments } = await renderFile(path, root);
      const ours = composeDocuments([fragments]);
      for (const kind of packageDocuments) {
        const expected = canonicalPackages(theirs[kind])
          .get(pkgid)
          // rpm makes up "(none)" for a binary package that does not name its source.
          ?.map((line) => line.replace('<rpm:sourcerpm>(none)</', '<rpm:sourcerpm></'))
          // It also lets a package of format 3 provide itself twice.
          .filter((line, i, lines) => rpm.format !== 3 || line !== lines[i - 1]);
        t.same(canonicalPackages(ours[kind]).get(pkgid), expected, `${kind} of ${basename(path)}`);
        t.ok(rpm.facts.filename.endsWith('.rpm'));
      }
    }
  },
);
