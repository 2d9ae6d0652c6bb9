/** Whole indexes and what real clients make of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { AppError } from '../../../src/errors.ts';
import { metadataPath, packageLocation, repodata } from '../../../src/formats/yum/paths.ts';
import { packageDocuments, writeRepomd } from '../../../src/formats/yum/repomd.ts';
import type { RepomdRecord } from '../../../src/formats/yum/repomd.ts';
import type { MainTag } from '../../../src/formats/yum/tags.ts';
import { buildRpm } from '../../build-rpm.ts';
import type { RpmSpec } from '../../build-rpm.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusFiles, unlessCorpus } from '../../corpus.ts';
import {
  canonicalPackages,
  composeDocuments,
  createrepo,
  queryRpm,
  renderFile,
  writePackages,
  xmlFaults,
} from './oracle.ts';
import type { Documents, Rendered } from './oracle.ts';

/** Text of all kinds of characters that XML could stumble over. */
const text = fc.string({
  unit: fc.constantFrom(
    ...Array.from('ab <>&"\'/-=;\t\n\r]\u0085\u00a0\u00e9\u2028\u202e\ufdd0\u{1f600}\u{1fffe}'),
  ),
  maxLength: 12,
});
const plain = fc.stringMatching(/^[a-zA-Z0-9_][a-z0-9._+-]{0,8}$/);
const fileName = fc.string({
  unit: fc.constantFrom(...Array.from('ab &<>"\'\n\t\r~^+%#?\u00e9')),
  minLength: 1,
  maxLength: 8,
});

const anySpec: fc.Arbitrary<RpmSpec> = fc.record({
  name: plain,
  version: fc.stringMatching(/^[a-z0-9+~^_][a-z0-9._+~^]{0,5}$/),
  release: fc.stringMatching(/^[0-9]{1,2}(\.el9)?$/),
  epoch: fc.option(fc.nat(9), { nil: undefined }) as fc.Arbitrary<number>,
  summary: text,
  description: text,
  license: text,
  files: fc
    .uniqueArray(fileName, { maxLength: 4 })
    .map((names) => names.map((name) => ({ path: `/opt/bin/${name}`, content: name }))),
  requires: fc.array(plain, { maxLength: 3 }),
  recommends: fc.array(plain, { maxLength: 2 }),
  changelog: fc.array(fc.record({ time: fc.nat(3), author: text, text }), { maxLength: 12 }),
  tags: fc.record({ URL: text, VENDOR: text, PACKAGER: text, BUILDHOST: text }),
});

async function renderAll(
  dir: string,
  specs: readonly RpmSpec[],
): Promise<{ path: string; rendered: Rendered }[]> {
  const packages = Object.fromEntries(specs.map((spec, i) => [`${i}.rpm`, buildRpm(spec)]));
  const found: { path: string; rendered: Rendered }[] = [];
  for (const path of writePackages(dir, packages)) {
    try {
      found.push({ path, rendered: await renderFile(path, dir) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
  return found;
}

void t.test(
  'whatever text a package holds, the documents are XML and say what createrepo_c says',
  { skip: unlessInstalled('createrepo_c', 'xmllint') },
  async (t) => {
    const dir = t.testdir();
    const all = await renderAll(join(dir, 'packages'), fc.sample(anySpec, { numRuns: 400, seed: 9 }));
    t.ok(all.length > 390, `${all.length} accepted`);
    const ours = composeDocuments(all.map(({ rendered }) => rendered.fragments));
    const paths = all.map(({ path }) => path);
    const theirs = createrepo(join(dir, 'packages'), paths, join(dir, 'out'));
    for (const kind of packageDocuments) {
      t.equal(xmlFaults(ours[kind]), '', kind);
      t.same(canonicalPackages(ours[kind]), canonicalPackages(theirs[kind]), kind);
    }
  },
);

/** Any value for any tag, of the type that the tag wants or of another. */
const strangeTags: fc.Arbitrary<NonNullable<RpmSpec['tags']>> = fc.dictionary(
  fc.constantFrom<MainTag>(
    ...(['NAME', 'VERSION', 'RELEASE', 'EPOCH', 'ARCH', 'SUMMARY', 'GROUP', 'SIZE', 'LONGSIZE'] as const),
    ...([
      'SOURCERPM',
      'SOURCEPACKAGE',
      'BUILDTIME',
      'DIRNAMES',
      'DIRINDEXES',
      'BASENAMES',
      'FILEMODES',
    ] as const),
    ...(['FILEFLAGS', 'FILESIZES', 'LONGFILESIZES', 'FILEINODES', 'FILEDEVICES', 'FILEDIGESTALGO'] as const),
    ...(['PROVIDENAME', 'PROVIDEFLAGS', 'PROVIDEVERSION', 'REQUIRENAME', 'REQUIREFLAGS', 'URL'] as const),
    ...(['CHANGELOGTIME', 'CHANGELOGNAME', 'PAYLOADFORMAT', 'PAYLOADCOMPRESSOR', 'RPMFORMAT'] as const),
    ...(['HEADERI18NTABLE', 'ENCODING', 'NOSOURCE', 'OLDFILENAMES', 'ARCHIVESIZE'] as const),
  ),
  fc.oneof(
    fc.constant(null),
    fc.constantFrom('', 'a', '/', '/usr/bin/', '1', 'gzip', 'cpio'),
    fc.array(fc.constantFrom('', 'a', 'b', '/usr/bin/', '/'), { minLength: 1, maxLength: 3 }),
    fc.array(fc.constantFrom(0, 1, 2, 8, 64, 0o100644, 0o40755, 0xffff), { minLength: 1, maxLength: 3 }),
    fc.nat(65_535),
  ) as fc.Arbitrary<string>,
  { minKeys: 1, maxKeys: 2 },
);

/** Without what corpus.test.ts and bad.test.ts explain. */
const withoutKnown = (line: string): string =>
  line
    .replace('<rpm:sourcerpm>(none)</', '<rpm:sourcerpm></')
    .replace(/archive="\d+"/, '')
    .replace(' pre="1"', '');

void t.test(
  'of packages with strange tags those accepted are read by rpm and createrepo_c as by us',
  { skip: unlessInstalled('rpm', 'createrepo_c', 'xmllint') },
  async (t) => {
    const base: RpmSpec = {
      name: 'strange',
      files: [
        { path: '/usr/bin/a', content: 'a' },
        { path: '/usr/bin/b', content: 'b' },
      ],
      requires: ['x >= 1'],
      changelog: [{ time: 5, author: 'a', text: 'b' }],
    };
    const dir = t.testdir();
    const distinct = new Map<string, RpmSpec>();
    for (const tags of fc.sample(strangeTags, { numRuns: 6000, seed: 10 })) {
      const spec = { ...base, tags };
      try {
        distinct.set(buildRpm(spec).toString('latin1'), spec);
      } catch {
        // Not every value can be written as one of the tag's type.
      }
    }
    const specs = [...distinct.values()];
    const all = await renderAll(join(dir, 'packages'), specs);
    t.ok(all.length > 500, `${all.length} of ${specs.length} accepted`);
    const paths = all.map(({ path }) => path);
    const ours = composeDocuments(all.map(({ rendered }) => rendered.fragments));
    const theirs = createrepo(join(dir, 'packages'), paths, join(dir, 'out'));
    for (const kind of packageDocuments) {
      const expected = canonicalPackages(theirs[kind]);
      for (const [pkgid, found] of canonicalPackages(ours[kind])) {
        t.same(found.map(withoutKnown), expected.get(pkgid)?.map(withoutKnown), kind);
      }
    }
    const answers = queryRpm(paths, '%{NAME} %|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}[ %{FILENAMES}]');
    for (const { path, rendered } of all) {
      const { identity, files } = rendered.rpm.facts;
      const line = [identity.name, identity.version, ...files.map((file) => file.path)].join(' ');
      t.equal(answers.get(path)?.toString(), line);
    }
  },
);

void t.test(
  'libsolv reads the index of the whole corpus',
  { skip: unlessCorpus || unlessInstalled('rpmmd2solv') },
  async (t) => {
    const fragments: Documents[] = [];
    for (const path of corpusFiles('rpm')) {
      try {
        fragments.push((await renderFile(path, '/')).fragments);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }
    const documents = composeDocuments(fragments);
    for (const kind of packageDocuments) {
      const result = spawnSync('rpmmd2solv', [], { input: documents[kind], maxBuffer: 1 << 28 });
      t.equal(result.status, 0, `${kind}: ${result.stderr.toString()}`);
      // The others only extend what primary has.
      if (kind === 'primary') t.ok(result.stdout.length > 100_000);
    }
  },
);

/** Writes packages and their metadata as a channel of plain files. */
async function writeChannel(dir: string, specs: readonly RpmSpec[]): Promise<void> {
  const fragments: Documents[] = [];
  for (const spec of specs) {
    const [path = ''] = writePackages(join(dir, 'upload'), { 'upload.rpm': buildRpm(spec) });
    const { rpm } = await renderFile(path, dir);
    const location = packageLocation(rpm.facts.filename);
    mkdirSync(join(dir, location, '..'), { recursive: true });
    copyFileSync(path, join(dir, location));
    fragments.push((await renderFile(join(dir, location), dir)).fragments);
  }
  const documents = composeDocuments(fragments);
  mkdirSync(join(dir, 'repodata'));
  const records = packageDocuments.map((type): RepomdRecord => {
    const open = Buffer.from(documents[type]);
    const bytes = gzipSync(open);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const location = metadataPath(type, sha256, 'gzip');
    writeFileSync(join(dir, location), bytes);
    const openSha256 = createHash('sha256').update(open).digest('hex');
    const sizes = { sizeBytes: bytes.length, openSizeBytes: open.length };
    return { type, sha256, openSha256, ...sizes, location, timestamp: 1_700_000_000 };
  });
  writeFileSync(join(dir, repodata.repomd), writeRepomd({ revision: 1, records }));
}

void t.test(
  'dnf installs what was built, with its dependencies',
  {
    skip:
      unlessInstalled('dnf', 'rpm') || (getuid?.() !== 0 && 'installing into a root of its own needs root'),
  },
  async (t) => {
    const dir = t.testdir();
    const channel = join(dir, 'channel');
    const root = join(dir, 'root');
    await writeChannel(channel, [
      {
        name: 'hello',
        version: '2.12~rc1^git',
        epoch: 1,
        files: [
          { path: '/usr/bin/hello', content: 'hello\n', mode: 0o755 },
          { path: '/usr/bin/hi', target: 'hello' },
        ],
        requires: ['libhello >= 2', '/usr/share/hello+data/words', '(libhello or goodbye)'],
      },
      {
        name: 'libhello',
        version: '2',
        compression: 'zstd',
        files: [{ path: '/usr/lib/libhello.so', content: '2' }],
      },
      { name: 'hello+data', files: [{ path: '/usr/share/hello+data/words', content: 'hello' }] },
    ]);
    const args = [
      ...[
        '--installroot',
        root,
        '--releasever',
        '1',
        '--nogpgcheck',
        '--assumeyes',
        '--setopt=reposdir=/nonexistent',
      ],
      ...[
        '--setopt=keepcache=0',
        '--repofrompath',
        `made,file://${channel}`,
        '--repo',
        'made',
        'install',
        'hello',
      ],
    ];
    execFileSync('dnf', args, { stdio: 'pipe' });
    t.equal(readFileSync(join(root, 'usr/bin/hi'), 'utf8'), 'hello\n');
    t.equal(readFileSync(join(root, 'usr/lib/libhello.so'), 'utf8'), '2');
    const installed = execFileSync('rpm', ['--root', root, '-qa', '--qf', '%{NEVRA}\n']).toString();
    t.same(installed.trim().split('\n').sort(), [
      'hello+data-1.0-1.noarch',
      'hello-1:2.12~rc1^git-1.noarch',
      'libhello-2-1.noarch',
    ]);
  },
);
