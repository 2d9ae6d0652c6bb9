/** What dpkg-deb and apt-ftparchive say of packages, in forms that can be compared with ours. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { env } from 'node:process';
import { qualifiedName } from '../../../src/formats/apt/contents.ts';
import { parseStanza, type Stanza } from '../../../src/formats/apt/control.ts';
import type { DebPackage } from '../../../src/formats/apt/deb.ts';
import { isIndexField, packagesStanza } from '../../../src/formats/apt/packages.ts';
import { parseRelations, writeClause } from '../../../src/formats/apt/relations.ts';
import { parseVersion, writeVersion } from '../../../src/formats/apt/version.ts';
import type { Accepted as AcceptedOf } from '../examine.ts';
import { contentsOf, parseContents, type ContentsLine } from './contents-text.ts';

export type Accepted = AcceptedOf<DebPackage>;

/** One point on which an oracle sees something else than we do. */
export type Difference = {
  readonly file: string;
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
};

/** Runs a shell script once for each line; `$f` is its first word and `$@` all of them. */
function forEach(dir: string, script: string, lines: readonly string[]): Map<string, string> {
  const output = execFileSync(
    'sh',
    ['-c', `while IFS= read -r line; do set -- $line; f=$1; printf '\\001%s\\n' "$f"; ${script}; done`],
    {
      cwd: dir,
      env: { ...env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
      input: `${lines.join('\n')}\n`,
      maxBuffer: 2 ** 30,
      encoding: 'utf8',
    },
  );
  const parts = output.split(/^\u0001(.*)\n/m).slice(1);
  const found = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) found.set(parts[at] ?? '', parts[at + 1] ?? '');
  return found;
}

const relationFields =
  /^(Pre-Depends|Depends|Recommends|Suggests|Enhances|Conflicts|Breaks|Replaces|Provides)$/i;

/** dpkg prints relations in its own form, leaves out a zero epoch, and a Multi-Arch that is the default. */
function normal(name: string, value: string): string {
  if (/^Version$/i.test(name)) return writeVersion(parseVersion(value));
  if (/^Multi-Arch$/i.test(name)) return value.toLowerCase() === 'no' ? '' : value.toLowerCase();
  if (/^(Essential|Protected)$/i.test(name)) return value.toLowerCase() === 'no' ? '' : value.toLowerCase();
  if (!relationFields.test(name)) return value;
  // Capitals in names, which dpkg folds and apt does not, are a finding.
  return parseRelations(value, true, (what) => new Error(what))
    .map((clause) => clause.map((one) => ({ ...one, version: writeVersion(parseVersion(one.version)) })))
    .map(writeClause)
    .join(', ')
    .toLowerCase();
}

/** Fields as `dpkg-deb -f` reads them. */
export function compareFields(dir: string, accepted: readonly Accepted[]): Difference[] {
  const lines = accepted.map(({ file, parsed }) =>
    [file, ...parsed.control.map(({ name }) => name)].join(' '),
  );
  const printed = forEach(dir, 'shift; dpkg-deb -f "$f" "$@" 2>/dev/null', lines);
  return accepted.flatMap(({ file, parsed }) => {
    const text = printed.get(file) ?? '';
    if (text === '') return [{ file, what: 'dpkg-deb -f', ours: 'accepted', theirs: 'refused' }];
    const theirs = new Map(
      parseStanza(Buffer.from(text), file).map(({ name, value }) => [name.toLowerCase(), value]),
    );
    return parsed.control.flatMap(({ name, value }) => {
      // Of a package's own control file dpkg prints no fields of an index; we leave them out of ours.
      if (isIndexField(name)) return [];
      const read = theirs.get(name.toLowerCase()) ?? '';
      return normal(name, value) === normal(name, read)
        ? []
        : [{ file, what: name, ours: value, theirs: read }];
    });
  });
}

const letters: Readonly<Record<string, string>> = {
  file: '-',
  hardlink: 'h',
  symlink: 'l',
  directory: 'd',
  fifo: 'p',
  device: 'c',
};

/** A line of `tar -tv`: mode, owner, size or device number, date, time, and the name with its target. */
function readListed(line: string): string {
  const match = /^(.)(.{9})\S* +\S+ +([\d,]+) \S+ \S+ (.*)$/.exec(line);
  if (match === null) return line;
  const [, letter = '', permissions = '', size = '', named = ''] = match;
  const [name = '', target] = named.split(letter === 'h' ? ' link to ' : letter === 'l' ? ' -> ' : '\0');
  const plain = (path: string): string =>
    `/${path.replace(/^\.?\//, '').replace(/\/$/, '')}`.replace(/^\/\.$/, '/');
  const shown = target === undefined ? [] : [letter === 'h' ? plain(target) : target];
  const mode = permissions.split(/(?=.)/s).reduce((bits, bit) => bits * 2 + (/[-ST]/.test(bit) ? 0 : 1), 0);
  const device = letter === 'b' || letter === 'c';
  return [
    device ? 'c' : letter,
    mode,
    letter === 'h' || device ? 0 : Number(size),
    plain(name),
    ...shown,
  ].join(' ');
}

/** Files as `dpkg-deb -c` lists them; it runs the same tar, with another quoting. */
export function compareFiles(dir: string, accepted: readonly Accepted[]): Difference[] {
  const printed = forEach(
    dir,
    'dpkg-deb --fsys-tarfile "$f" 2>/dev/null | { tar -tvf - --full-time --numeric-owner --quoting-style=literal 2>/dev/null || echo failed; }',
    accepted.map(({ file }) => file),
  );
  return accepted.flatMap(({ file, parsed }) => {
    const lines = (printed.get(file) ?? '').split('\n').filter((line) => line !== '');
    const theirs = [...new Set(lines.map(readListed))].join('\n');
    const ours = parsed.facts.files
      .map(({ path, type, sizeBytes, mode, target }) =>
        [letters[type], mode & 0o777, sizeBytes, path, ...(target === undefined ? [] : [target])].join(' '),
      )
      .join('\n');
    return ours === theirs ? [] : [{ file, what: 'files', ours, theirs }];
  });
}

/** Stanzas as `apt-ftparchive packages` writes them for all files below `folder`. */
export function compareStanzas(dir: string, folder: string, accepted: readonly Accepted[]): Difference[] {
  const text = execFileSync('apt-ftparchive', ['packages', folder], {
    cwd: dir,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const theirs = new Map<string, Stanza>();
  for (const part of text.split(/\n\n+/).filter((stanza) => stanza.trim() !== '')) {
    const stanza = parseStanza(Buffer.from(`${part.replace(/^\n+/, '')}\n`), 'Packages');
    theirs.set((stanza.find(({ name }) => name === 'Filename')?.value ?? '').replace(/^\.\//, ''), stanza);
  }
  const show = (stanza: Stanza): string => stanza.map(({ name, value }) => `${name}: ${value}`).join('\n');
  return accepted.flatMap(({ file, parsed }) => {
    const bytes = readFileSync(`${dir}/${file}`);
    const ours = packagesStanza(parsed.control, {
      key: `apt/repository/${file}`,
      distinct: undefined,
      sizeBytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      md5: createHash('md5').update(bytes).digest('hex'),
    });
    // Which digests there are is our choice, and that no control file brings a digest of its description, and no field is empty; all
    // else must be the same fields, in the same order.
    const oracle = (theirs.get(file) ?? [])
      .filter(({ name, value }) => value !== '' && !/^(SHA1|SHA512|Description-md5)$/.test(name))
      .map(({ name, value }) => ({ name, value: name === 'Filename' ? value.replace(/^\.\//, '') : value }));
    return show(ours) === show(oracle)
      ? []
      : [{ file, what: 'stanza', ours: show(ours), theirs: show(oracle) }];
  });
}

/** Contents as `apt-ftparchive contents` writes it, which without an index beside it knows no section. */
export function compareContents(dir: string, accepted: readonly Accepted[]): Difference[] {
  const printed = forEach(
    dir,
    'd=$(mktemp -d); cp "$f" "$d/x.deb"; apt-ftparchive contents "$d" 2>/dev/null; rm -r "$d"',
    accepted.map(({ file }) => file),
  );
  const show = (lines: readonly ContentsLine[]): string =>
    // The blanks of the column swallow those at the end of a path.
    lines.map(({ path, packages }) => `${path.trimEnd()} ${packages.join(',')}`).join('\n');
  return accepted.flatMap(({ file, parsed }) => {
    const { identity, files } = parsed.facts;
    const ours = show(parseContents(contentsOf(files, qualifiedName(identity.name, null))));
    // apt-ftparchive knows folders by the slash at their end alone, which not every builder writes.
    const folders = new Set(
      files.filter(({ type }) => type === 'directory').map(({ path }) => path.slice(1).trimEnd()),
    );
    const theirs = show(parseContents(printed.get(file) ?? '').filter(({ path }) => !folders.has(path)));
    return ours === theirs ? [] : [{ file, what: 'contents', ours, theirs }];
  });
}

export function shown({ file, what, ours, theirs }: Difference): string {
  const cut = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);
  return `${file}: ${what}\n  ours:   ${cut(ours)}\n  theirs: ${cut(theirs)}`;
}
