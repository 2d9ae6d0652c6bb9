/** What the real programs say of packages and documents: the other side of the comparisons. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { env } from 'node:process';
import { gunzipSync } from 'node:zlib';
import { filelistsFragment } from '../../../src/formats/yum/filelists.ts';
import { numbersOf } from '../../../src/formats/yum/header.ts';
import { otherFragment } from '../../../src/formats/yum/other.ts';
import { primaryFragment } from '../../../src/formats/yum/primary.ts';
import { indexFoot, indexHead, packageDocuments } from '../../../src/formats/yum/repomd.ts';
import type { PackageDocument } from '../../../src/formats/yum/repomd.ts';
import { parseRpm } from '../../../src/formats/yum/rpm.ts';
import type { RpmPackage } from '../../../src/formats/yum/rpm.ts';

const maxBuffer = 1 << 30;

/** The bytes as a source, cut into chunks of a size. */
export async function* chunks(
  bytes: Uint8Array,
  size = 1 << 16,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

export type Documents = Readonly<Record<PackageDocument, string>>;

/** The three fragments of a package that is served as it was uploaded, and what identifies it. */
export type Rendered = { readonly rpm: RpmPackage; readonly pkgid: string; readonly fragments: Documents };

/** Parses and renders a file as createrepo_c would see it from `root`. */
export async function renderFile(path: string, root: string): Promise<Rendered> {
  const bytes = readFileSync(path);
  const rpm = await parseRpm(chunks(bytes));
  const pkgid = createHash('sha256').update(bytes).digest('hex');
  const served = {
    sha256: pkgid,
    sizeBytes: bytes.length,
    location: relative(root, path),
    time: Math.floor(statSync(path).mtimeMs / 1000),
  };
  return {
    rpm,
    pkgid,
    fragments: {
      primary: primaryFragment(rpm, served),
      filelists: filelistsFragment(rpm, pkgid),
      other: otherFragment(rpm, pkgid),
    },
  };
}

/** Whole documents around fragments. */
export function composeDocuments(all: readonly Documents[]): Documents {
  const compose = (kind: PackageDocument): string =>
    indexHead(kind, all.length) + all.map((fragments) => fragments[kind]).join('') + indexFoot(kind);
  return { primary: compose('primary'), filelists: compose('filelists'), other: compose('other') };
}

/** Runs createrepo_c over these files below `root`. */
export function createrepo(root: string, paths: readonly string[], outputDir: string): Documents {
  mkdirSync(outputDir, { recursive: true });
  const list = join(outputDir, 'pkglist');
  writeFileSync(list, paths.map((path) => `${relative(root, path)}\n`).join(''));
  const args = [
    '--no-database',
    '--simple-md-filenames',
    '--workers',
    '1',
    '-q',
    '-i',
    list,
    '-o',
    outputDir,
    root,
  ];
  execFileSync('createrepo_c', args, { stdio: 'ignore' });
  const read = (kind: PackageDocument): string =>
    gunzipSync(readFileSync(join(outputDir, 'repodata', `${kind}.xml.gz`))).toString();
  return { primary: read('primary'), filelists: read('filelists'), other: read('other') };
}

/** The packages of a document by pkgid, as lines of canonical XML: libxml2 has parsed it and written it again. */
export function canonicalPackages(document: string): Map<string, string[]> {
  const canonical = execFileSync('xmllint', ['--huge', '--c14n', '-'], {
    input: document,
    maxBuffer,
  }).toString();
  const packages = new Map<string, string[]>();
  for (const text of canonical.match(/<package .*?<\/package>/gs) ?? []) {
    const pkgid = /pkgid="(?:YES" type="sha256">)?([0-9a-f]{64})/.exec(text)?.[1] ?? '';
    packages.set(pkgid, text.split('\n'));
  }
  return packages;
}

/** What createrepo_c 0.17.3 writes otherwise, and why we are right. Each takes the lines of a package apart. */
const differences: readonly {
  readonly why: string;
  readonly concerns: (rpm: RpmPackage) => boolean;
  readonly theirs: (lines: readonly string[], rpm: RpmPackage) => string[];
  readonly ours?: (lines: readonly string[], rpm: RpmPackage) => string[];
}[] = [
  {
    why: 'requires of pretrans and posttrans are pre-requirements: createrepo_c does so since 1.1.1',
    concerns: (rpm) => (numbersOf(rpm.header, 'REQUIREFLAGS') ?? []).some((flags) => (flags & 0xa0) !== 0),
    theirs: (lines) => withoutPre(lines),
    ours: (lines) => withoutPre(lines),
  },
  {
    why: 'packages of format 6 have the size of the archive in another tag: createrepo_c with rpm 4.18 writes 0',
    concerns: (rpm) => rpm.format === 6,
    theirs: (lines, rpm) =>
      lines.map((line) => line.replace('archive="0"', `archive="${rpm.metadata.archiveSizeBytes}"`)),
  },
];

/** Without `pre`, entries that differed in it alone are one. */
const withoutPre = (lines: readonly string[]): string[] => [
  ...new Set(lines.map((line) => line.replace(' pre="1"', ''))),
];

/** Where our documents and theirs differ, of these packages, for no reason that is listed. */
export function compareDocuments(
  packages: readonly Pick<Rendered, 'pkgid' | 'rpm'>[],
  ours: Documents,
  theirs: Documents,
): unknown[] {
  return packageDocuments.flatMap((kind) => {
    const expected = canonicalPackages(theirs[kind]);
    const found = canonicalPackages(ours[kind]);
    return packages.flatMap(({ pkgid, rpm }) => {
      let [a, b] = [found.get(pkgid) ?? [], expected.get(pkgid) ?? []];
      for (const difference of differences) {
        if (kind !== 'primary' || !difference.concerns(rpm)) continue;
        a = difference.ours?.(a, rpm) ?? a;
        b = difference.theirs(b, rpm);
      }
      if (a.length > 0 && a.join('\n') === b.join('\n')) return [];
      const file = rpm.facts.filename;
      return [
        {
          kind,
          file,
          ours: a.filter((line) => !b.includes(line)),
          theirs: b.filter((line) => !a.includes(line)),
        },
      ];
    });
  });
}

/** What is wrong with a document's form, by libxml2; empty when it is well formed. */
export function xmlFaults(document: string): string {
  const result = spawnSync('xmllint', ['--huge', '--noout', '-'], { input: document, maxBuffer });
  return result.stderr.toString();
}

/** Runs `rpm -qp` once over many files and gives the output of the format for each, by file. */
export function queryRpm(paths: readonly string[], format: string): Map<string, Buffer> {
  const output = spawnSync(
    'rpm',
    ['-qp', '--nosignature', '--nodigest', '--qf', `${format}@@END@@\n`, ...paths],
    { maxBuffer, env: { ...env, LC_ALL: 'C', TZ: 'UTC' } },
  ).stdout;
  const parts = output.toString('latin1').split('@@END@@\n');
  if (parts.length !== paths.length + 1) {
    throw new Error(`rpm answered for ${parts.length - 1} of ${paths.length} files`);
  }
  return new Map(paths.map((path, i) => [path, Buffer.from(parts[i] ?? '', 'latin1')]));
}

/** Writes packages to a folder. */
export function writePackages(dir: string, packages: Readonly<Record<string, Uint8Array>>): string[] {
  mkdirSync(dir, { recursive: true });
  return Object.entries(packages).map(([name, bytes]) => {
    const path = join(dir, basename(name));
    writeFileSync(path, bytes);
    return path;
  });
}
