/** Where rpm or createrepo_c read something else in packages that we accept. */
import { isUtf8 } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { createHash } from 'node:crypto';
import { ghostFlag } from '../../../src/formats/yum/files.ts';
import { filelistsFragment } from '../../../src/formats/yum/filelists.ts';
import { numbersOf } from '../../../src/formats/yum/header.ts';
import { otherFragment } from '../../../src/formats/yum/other.ts';
import { primaryFragment } from '../../../src/formats/yum/primary.ts';
import { packageDocuments } from '../../../src/formats/yum/repomd.ts';
import type { RpmPackage } from '../../../src/formats/yum/rpm.ts';
import type { Accepted } from '../examine.ts';
import { buildTar } from '../../build-deb.ts';
import { canonicalPackages, composeDocuments, createrepo, type Documents } from './oracle.ts';

const maxBuffer = 1 << 30;
const cut = (text: string): string => (text.length > 400 ? `${text.slice(0, 400)}…` : text);
const told = (file: string, what: string, ours: string, theirs: string): string =>
  `${file}: ${what}\n  ours:   ${cut(ours)}\n  theirs: ${cut(theirs)}`;

/**
 * A name that rpm prints as it stands in the package, one character a byte, as indexes carry it: what is not UTF-8
 * is Latin-1.
 */
const asText = (bytes: string): string => (isUtf8(Buffer.from(bytes, 'latin1')) ? bytes : latin1(bytes));

/** Text as the bytes that rpm prints, one character each. */
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

/** What `rpm -qp` prints for each file; a file that it refuses has no answer. */
function query(dir: string, files: readonly string[], format: string): Map<string, string> {
  const ask = (names: readonly string[]): string[] => {
    const args = ['-qp', '--nosignature', '--nodigest', '--qf', `${format}@@END@@\n`, ...names];
    const { stdout } = spawnSync('rpm', args, {
      cwd: dir,
      maxBuffer,
      env: { ...env, LC_ALL: 'C', TZ: 'UTC' },
    });
    return stdout.toString('latin1').split('@@END@@\n').slice(0, -1);
  };
  const all = ask(files);
  if (all.length === files.length) return new Map(files.map((file, i) => [file, all[i] ?? '']));
  const answers = new Map<string, string>();
  for (const file of files) {
    const [answer] = ask([file]);
    if (answer !== undefined) answers.set(file, answer);
  }
  return answers;
}

/** Identity, scripts and files as rpm prints them, each array item on a line of its own. */
export function compareHeaders(dir: string, accepted: readonly Accepted<RpmPackage>[]): string[] {
  const answers = query(
    dir,
    accepted.map(({ file }) => file),
    '%{NAME} %|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}\\f[%{FILENAMES}\\v%{FILEMODES:octal}\\v%{LONGFILESIZES}\\f]',
  );
  return accepted.flatMap(({ file, parsed }) => {
    const theirs = answers.get(file);
    if (theirs === undefined) return [told(file, 'rpm -qp', 'accepted', 'refused')];
    const { identity, files } = parsed.facts;
    const [name = '', ...listed] = theirs.split('\f').slice(0, -1);
    // A ghost is nowhere, and rpm prints what size it had where the package was built.
    const size = (i: number, bytes: string): string => (files[i]?.type === 'ghost' ? '' : bytes);
    const ours = [
      `${identity.name} ${identity.version}`,
      ...files.map(({ path, mode, sizeBytes }, i) => [path, mode, size(i, String(sizeBytes))].join(' ')),
    ];
    const read = listed.map((line, i) => {
      const [path = '', mode = '', bytes = ''] = line.split('\v');
      return [asText(path), Number.parseInt(mode, 8) & 0o7777, size(i, bytes)].join(' ');
    });
    const [a, b] = [latin1(ours.join('\n')), [name, ...read].join('\n')];
    return a === b ? [] : [told(file, 'header', a, b)];
  });
}

/** Packages whose digests rpm does not accept. */
export function compareDigests(dir: string, accepted: readonly Accepted<RpmPackage>[]): string[] {
  const files = accepted.map(({ file }) => file);
  const { stdout } = spawnSync('rpmkeys', ['-K', '--nosignature', ...files], { cwd: dir, maxBuffer });
  const verdicts = new Map(
    stdout
      .toString()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
  );
  return files.flatMap((file) => {
    const verdict = verdicts.get(file) ?? 'no answer';
    return verdict === 'digests OK' ? [] : [told(file, 'rpmkeys -K', 'accepted', verdict)];
  });
}

const letters: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

/** A name that tar lists with its quoting style `escape`, as indexes carry it. */
const listedName = (name: string): string =>
  asText(
    name.replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
      code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (letters[code] ?? code),
    ),
  );

/** Payloads as rpm unpacks them into tar archives. */
export function comparePayloads(dir: string, accepted: readonly Accepted<RpmPackage>[]): string[] {
  const files = accepted.map(({ file }) => file);
  // It ends with the first that it refuses, with or without a piece of its archive; then it goes on behind that.
  for (let rest = files; rest.length > 0;) {
    spawnSync('rpm2archive', ['--nocompression', ...rest], { cwd: dir, stdio: 'ignore' });
    const next = rest.findIndex((file) => !existsSync(join(dir, `${file}.tar`)));
    rest = next < 0 ? [] : rest.slice(Math.max(next, 1));
  }
  const listed = listTars(dir, files);
  return accepted.flatMap(({ file, parsed }) => {
    const names = listed.get(file);
    if (names === undefined) return [told(file, 'rpm2archive', 'accepted', 'refused')];
    const theirs = names
      .map((name) => listedName(name.replace(/^\.?\//, '').replace(/(?<=.)\/$/, '')))
      .toSorted();
    // A folder may be a ghost too, and is a folder in every index.
    const flags = numbersOf(parsed.header, 'FILEFLAGS') ?? [];
    const ours = parsed.facts.files
      .filter((_, i) => ((flags[i] ?? 0) & ghostFlag) === 0)
      .map(({ path }) => latin1(path.replace(/^\//, '')))
      .toSorted();
    const [a, b] = [ours.join('\n'), theirs.join('\n')];
    return a === b ? [] : [told(file, 'payload', a, b)];
  });
}

/** The names in the tar archive beside each file, by one run of tar over all of them. */
function listTars(dir: string, files: readonly string[]): Map<string, string[]> {
  const there = files.filter((file) => existsSync(join(dir, `${file}.tar`)));
  const input = there.flatMap((file) => {
    const path = join(dir, `${file}.tar`);
    const bytes = readFileSync(path);
    rmSync(path);
    return [buildTar([{ name: `\u0001${file}` }]), bytes];
  });
  const { stdout, stderr, status } = spawnSync('tar', ['-ti', '--quoting-style=escape', '-f', '-'], {
    maxBuffer,
    env: { ...env, LC_ALL: 'C' },
    input: Buffer.concat(input),
  });
  if (status !== 0) throw new Error(stderr.toString());
  const parts = stdout
    .toString('latin1')
    .split(/^\\001/m)
    .slice(1);
  return new Map(
    parts.map((part) => {
      const [file = '', ...names] = part.split('\n').slice(0, -1);
      return [file, names];
    }),
  );
}

/** Without what indexes.test.ts and the tests of the corpus explain. */
const withoutKnown = (lines: readonly string[]): string[] => [
  ...new Set(
    lines.map((line) =>
      line
        .replace('<rpm:sourcerpm>(none)</', '<rpm:sourcerpm></')
        .replace(/archive="\d+"/, '')
        .replace(' pre="1"', ''),
    ),
  ),
];

/** The three documents as createrepo_c writes them. */
export function compareIndexes(dir: string, accepted: readonly Accepted<RpmPackage>[]): string[] {
  const pkgids = new Map<string, string>();
  const fragments = accepted.map(({ file, parsed }): Documents => {
    const bytes = readFileSync(join(dir, file));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    pkgids.set(file, sha256);
    const served = { sha256, sizeBytes: bytes.length, location: file, time: 0 };
    return {
      primary: primaryFragment(parsed, served),
      filelists: filelistsFragment(parsed, sha256),
      other: otherFragment(parsed, sha256),
    };
  });
  const ours = composeDocuments(fragments);
  const out = mkdtempSync(join(dir, 'out-'));
  const theirs = createrepo(
    dir,
    accepted.map(({ file }) => join(dir, file)),
    out,
  );
  rmSync(out, { recursive: true });
  return packageDocuments.flatMap((kind) => {
    const [mine, expected] = [canonicalPackages(ours[kind]), canonicalPackages(theirs[kind])];
    return accepted.flatMap(({ file }) => {
      const pkgid = pkgids.get(file) ?? '';
      const timeless = (lines: readonly string[] = []): string[] =>
        withoutKnown(lines.map((line) => line.replace(/(?<=<time .*)file="\d+"/, ''))).map((line) =>
          line.replace(/<location href="[^"]*"/, '<location'),
        );
      const [a, b] = [timeless(mine.get(pkgid)), timeless(expected.get(pkgid))];
      if (a.join('\n') === b.join('\n')) return [];
      const only = (one: string[], other: string[]): string =>
        one.filter((line) => !other.includes(line)).join('\n');
      return [told(file, kind, only(a, b), b.length === 0 ? 'left out' : only(b, a))];
    });
  });
}
