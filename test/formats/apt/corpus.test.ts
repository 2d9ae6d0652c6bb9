/** Every real package of the corpus, held against dpkg-deb and apt-ftparchive. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { env } from 'node:process';
import { AppError } from '../../../src/errors.ts';
import { contentsOf, parseContents, qualifiedName } from '../../../src/formats/apt/contents.ts';
import { type Stanza, parseStanza } from '../../../src/formats/apt/control.ts';
import { type DebPackage, parseDeb } from '../../../src/formats/apt/deb.ts';
import { packagesStanza } from '../../../src/formats/apt/packages.ts';
import { parseVersion, writeVersion } from '../../../src/formats/apt/version.ts';
import { parseRelations, writeClause } from '../../../src/formats/apt/relations.ts';
import { inChunks } from '../../build-deb.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusDir, corpusFiles, unlessCorpus } from '../../corpus.ts';

/** Why a package of the corpus is refused although some tool takes it. docs/formats.md tells the same. */
const refused: readonly (readonly [RegExp, string, string])[] = [
  [/libboost-broken-program-options-dev_/, 'archive_truncated', 'the file is cut'],
  [/\.udeb$/, 'deb_unsupported', 'udebs belong in indexes of the installer'],
  [/old-format-0\.939/, 'deb_unsupported', 'apt does not read the format of 1995'],
  [/blank-lines-around/, 'control_syntax', 'apt sees no package after a blank line'],
  [/base256-size/, 'tar_entry', 'apt misreads base-256 numbers'],
  [/fields-obsolete/, 'control_field', 'dpkg reads Revision into the version, apt does not'],
];

type Accepted = { readonly file: string; readonly parsed: DebPackage };

/** dpkg prints relations in its own form, leaves out a zero epoch, and a Multi-Arch that is the default. */
const relationFields = new Set(
  [
    'Pre-Depends',
    'Depends',
    'Recommends',
    'Suggests',
    'Enhances',
    'Conflicts',
    'Breaks',
    'Replaces',
    'Provides',
  ].map((name) => name.toLowerCase()),
);
function normal(name: string, value: string): string {
  if (name === 'Version') return writeVersion(parseVersion(value));
  if (name === 'Multi-Arch' && value === 'no') return '';
  if (!relationFields.has(name.toLowerCase())) return value.trim();
  const clauses = parseRelations(value, true, (what) => new Error(what));
  return clauses.map(writeClause).join(', ');
}

/** Splits what a shell loop printed for each file. */
function byFile(output: string): Map<string, string> {
  const parts = output.split(/^\u0001(.*)\n/m).slice(1);
  const found = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) found.set(parts[at] ?? '', parts[at + 1] ?? '');
  return found;
}

function shell(script: string, files: readonly string[]): Map<string, string> {
  const settings = { ...env, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  const loop = `while IFS= read -r line; do set -- $line; f=$1; printf '\\001%s\\n' "$f"; ${script}; done`;
  const input = files.join('\n') + '\n';
  return byFile(
    execFileSync('sh', ['-c', loop], {
      cwd: corpusDir,
      env: settings,
      input,
      maxBuffer: 2 ** 30,
      encoding: 'utf8',
    }),
  );
}

async function readAll(): Promise<{ accepted: Accepted[]; failures: Map<string, unknown> }> {
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
  return { accepted, failures };
}

void t.test('the corpus', { skip: unlessCorpus, timeout: 300_000 }, async (t) => {
  const { accepted, failures } = await readAll();

  void t.test('is accepted, but for reasons that are listed', (t) => {
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

  void t.test('has the fields that dpkg reads', { skip: unlessInstalled('dpkg-deb') }, (t) => {
    const lines = accepted.map(({ file, parsed }) =>
      [file, ...parsed.control.map(({ name }) => name)].join(' '),
    );
    const printed = shell('shift; dpkg-deb -f "$f" "$@" 2>&1', lines);
    for (const { file, parsed } of accepted) {
      const theirs = new Map(
        parseStanza(Buffer.from(printed.get(file) ?? ''), file).map(({ name, value }) => [
          name.toLowerCase(),
          value,
        ]),
      );
      for (const { name, value } of parsed.control) {
        const ours = normal(name, value);
        const read = normal(name, theirs.get(name.toLowerCase()) ?? '');
        if (ours !== read) t.equal(ours.slice(0, 500), read.slice(0, 500), `${file}: ${name}`);
      }
    }
    t.end();
  });

  void t.test('has the files that dpkg-deb lists', { skip: unlessInstalled('dpkg-deb') }, (t) => {
    const printed = shell(
      'dpkg-deb --fsys-tarfile "$f" | tar -tvf - --full-time --quoting-style=literal 2>/dev/null',
      accepted.map(({ file }) => file),
    );
    for (const { file, parsed } of accepted) {
      const theirs = [...new Set((printed.get(file) ?? '').split('\n').filter((line) => line !== ''))].map(
        readListed,
      );
      const ours = parsed.facts.files.map(({ path, type, sizeBytes, mode, target }) =>
        [letters[type], mode & 0o777, sizeBytes, path, ...(target === undefined ? [] : [target])].join(' '),
      );
      if (theirs.join('\n') !== ours.join('\n')) t.same(ours, theirs, file);
    }
    t.end();
  });

  void t.test('has the stanzas of apt-ftparchive', { skip: unlessInstalled('apt-ftparchive') }, (t) => {
    const text = execFileSync('apt-ftparchive', ['packages', 'deb'], {
      cwd: corpusDir,
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const theirs = new Map<string, Stanza>();
    for (const stanza of text.split(/\n\n+/).filter((part) => part.trim() !== '')) {
      const parsed = parseStanza(Buffer.from(`${stanza.replace(/^\n+/, '')}\n`), 'Packages');
      theirs.set(parsed.find(({ name }) => name === 'Filename')?.value ?? '', parsed);
    }
    for (const { file, parsed } of accepted) {
      const bytes = readFileSync(`${corpusDir}/${file}`);
      const ours = packagesStanza(parsed.control, {
        key: `apt/repository/${file}`,
        sizeBytes: statSync(`${corpusDir}/${file}`).size,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        md5: createHash('md5').update(bytes).digest('hex'),
        distinct: undefined,
      });
      // Which digests there are is our choice; all else must be the same fields, in the same order.
      const oracle = (theirs.get(file) ?? []).filter(({ name }) => name !== 'SHA1' && name !== 'SHA512');
      const show = (stanza: Stanza): string[] => stanza.map(({ name, value }) => `${name}: ${value}`);
      if (show(ours).join('\n') !== show(oracle).join('\n')) t.same(show(ours), show(oracle), file);
    }
    t.end();
  });

  void t.test('has the contents of apt-ftparchive', { skip: unlessInstalled('apt-ftparchive') }, (t) => {
    // apt-ftparchive 2.6 dies ("stack smashing detected") on long paths, and reads no prefix of ustar headers.
    const left = accepted.filter(({ file }) => !/deep-path|tar-gnu-longname|tar-ustar/.test(file));
    const printed = shell(
      'd=$(mktemp -d); cp "$f" "$d/x.deb"; apt-ftparchive contents "$d" 2>/dev/null; rm -r "$d"',
      left.map(({ file }) => file),
    );
    for (const { file, parsed } of left) {
      const { identity, files } = parsed.facts;
      const theirs = parseContents(printed.get(file) ?? '');
      // The section is added only when apt-ftparchive reads an index beside the files.
      const ours = contentsOf(files, qualifiedName(identity.name, null));
      const show = (lines: typeof ours): string =>
        lines.map((line) => `${line.path} ${line.packages.join(',')}`).join('\n');
      if (show(ours) !== show(theirs)) t.equal(show(ours).slice(0, 2000), show(theirs).slice(0, 2000), file);
    }
    t.end();
  });
});

const letters: Readonly<Record<string, string>> = {
  file: '-',
  hardlink: 'h',
  symlink: 'l',
  directory: 'd',
  device: 'd?',
  fifo: 'p',
};

/** A line of `tar -tv`: mode, owner, size, date, time, and the name with its target. */
function readListed(line: string): string {
  const match = /^(.)(.{9})\S* +\S+ +([\d,]+) \S+ \S+ (.*)$/.exec(line);
  const [, letter = '', permissions = '', size = '', named = ''] = match ?? [];
  const [name = '', target] = named.split(letter === 'h' ? ' link to ' : letter === 'l' ? ' -> ' : '\0');
  const plain = (path: string): string =>
    `/${path.replace(/^\.?\//, '').replace(/\/$/, '')}`.replace(/^\/\.$/, '/');
  const shown = target === undefined ? [] : [letter === 'h' ? plain(target) : target];
  return [letter, modeOf(permissions), letter === 'h' ? 0 : Number(size), plain(name), ...shown].join(' ');
}

function modeOf(permissions: string): number {
  return permissions.split(/(?=.)/).reduce((mode, letter) => mode * 2 + (/[-ST]/.test(letter) ? 0 : 1), 0);
}
