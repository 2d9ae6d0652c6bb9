/**
 * The dependencies of a package: what the header says, and which of it the index carries. The rules of the
 * index are those of createrepo_c (`src/parsehdr.c`), which dnf, yum and zypper have been built against.
 */
import { AppError } from '../../errors.ts';
import type { Relation } from '../package.ts';
import { compareVersions } from './evr.ts';
import { isPrimaryPath } from './files.ts';
import { entryOf, numbersOf, placeOf } from './header.ts';
import type { Header } from './header.ts';
import type { MainTag } from './tags.ts';
import { namesOf } from './text.ts';
import { escapedLength } from './xml.ts';

/** In the order in which primary has them. */
export const dependencyKinds = [
  'provides',
  'requires',
  'conflicts',
  'obsoletes',
  'suggests',
  'enhances',
  'recommends',
  'supplements',
] as const;

export type DependencyKind = (typeof dependencyKinds)[number];

export type Comparison = 'LT' | 'GT' | 'EQ' | 'LE' | 'GE';

/** One `rpm:entry`. Version and its parts are there only with a comparison. */
export type Dependency = {
  readonly name: string;
  readonly flags?: Comparison;
  readonly epoch?: string;
  readonly version?: string;
  readonly release?: string;
  /** Needed before the package is unpacked. */
  readonly pre: boolean;
};

export type Dependencies = {
  readonly byKind: Readonly<Record<DependencyKind, readonly Dependency[]>>;
  /** All of them, as `rpm -q` prints them. */
  readonly relations: readonly Relation[];
  /** Those whose epoch is no number: createrepo_c leaves them out, and so do we. */
  readonly leftOut: readonly string[];
};

/** The largest packages known, kernels with a provide for each symbol, have about 40,000 and 3 MB of them. */
export const dependencyLimits = {
  dependencies: 200_000,
  /** Of all of them as they stand in primary. */
  bytes: 16 * 1024 * 1024,
  richDepth: 64,
} as const;

/** The bits of a dependency's flags that matter here (`include/rpm/rpmds.h`). */
const sense = {
  compare: 0xf,
  less: 1 << 1,
  greater: 1 << 2,
  equal: 1 << 3,
  posttrans: 1 << 5,
  prereq: 1 << 6,
  pretrans: 1 << 7,
  scriptPre: 1 << 9,
  scriptPost: 1 << 10,
  missingOk: 1 << 19,
  strong: 1 << 27,
} as const;

const preFlags = sense.prereq | sense.scriptPre | sense.scriptPost | sense.pretrans | sense.posttrans;

const comparisons: Readonly<Record<number, Comparison>> = { 2: 'LT', 4: 'GT', 8: 'EQ', 10: 'LE', 12: 'GE' };

type Row = {
  readonly tags: readonly [name: MainTag, flags: MainTag, version: MainTag];
  readonly kind: DependencyKind;
  /** The kind of those with a flag set: weak dependencies of SUSE and Mandriva, older than the tags for them. */
  readonly flagged?: { readonly flag: number; readonly kind: DependencyKind };
};

/** Provides come first: what a package provides itself is left out of its requires. */
const rows: readonly Row[] = [
  { kind: 'provides', tags: ['PROVIDENAME', 'PROVIDEFLAGS', 'PROVIDEVERSION'] },
  { kind: 'conflicts', tags: ['CONFLICTNAME', 'CONFLICTFLAGS', 'CONFLICTVERSION'] },
  { kind: 'obsoletes', tags: ['OBSOLETENAME', 'OBSOLETEFLAGS', 'OBSOLETEVERSION'] },
  {
    kind: 'requires',
    tags: ['REQUIRENAME', 'REQUIREFLAGS', 'REQUIREVERSION'],
    flagged: { flag: sense.missingOk, kind: 'recommends' },
  },
  { kind: 'suggests', tags: ['SUGGESTNAME', 'SUGGESTFLAGS', 'SUGGESTVERSION'] },
  { kind: 'enhances', tags: ['ENHANCENAME', 'ENHANCEFLAGS', 'ENHANCEVERSION'] },
  { kind: 'recommends', tags: ['RECOMMENDNAME', 'RECOMMENDFLAGS', 'RECOMMENDVERSION'] },
  { kind: 'supplements', tags: ['SUPPLEMENTNAME', 'SUPPLEMENTFLAGS', 'SUPPLEMENTVERSION'] },
  {
    kind: 'suggests',
    tags: ['OLDSUGGESTSNAME', 'OLDSUGGESTSFLAGS', 'OLDSUGGESTSVERSION'],
    flagged: { flag: sense.strong, kind: 'recommends' },
  },
  {
    kind: 'enhances',
    tags: ['OLDENHANCESNAME', 'OLDENHANCESFLAGS', 'OLDENHANCESVERSION'],
    flagged: { flag: sense.strong, kind: 'supplements' },
  },
];

/** A dependency as the header has it. */
type Raw = { readonly name: string; readonly flags: number; readonly evr: string };

/**
 * Reads all dependencies. `paths` are the package's own files: what it brings itself it does not require.
 * `self` is what a package provides in any case, given for those made before rpm saw to it.
 */
export function readDependencies(
  header: Header<'main'>,
  paths: readonly string[],
  self?: { readonly name: string; readonly evr: string },
): Dependencies {
  const byKind: Record<DependencyKind, Dependency[]> = {
    provides: [],
    requires: [],
    conflicts: [],
    obsoletes: [],
    suggests: [],
    enhances: [],
    recommends: [],
    supplements: [],
  };
  const relations: Relation[] = [];
  const leftOut: string[] = [];
  const keep = requirementFilter(paths);
  const total = { dependencies: 0, bytes: 0 };
  for (const row of rows) {
    let newestLibc: Dependency | undefined;
    const raws = readRow(header, row.tags, self !== undefined);
    if (row.kind === 'provides' && self !== undefined) provideSelf(raws, self);
    total.dependencies += raws.length;
    for (const { name, evr } of raws) total.bytes += escapedLength(name) + escapedLength(evr);
    checkTotal(header, row, total);
    for (const raw of raws) {
      const { flagged } = row;
      const kind = flagged !== undefined && (raw.flags & flagged.flag) !== 0 ? flagged.kind : row.kind;
      relations.push({ kind, text: relationText(raw) });
      if (row.kind === 'requires' && !keep.wanted(raw)) continue;
      const dependency = toDependency(raw, kind === 'requires');
      if (dependency === null) {
        leftOut.push(relationText(raw));
        continue;
      }
      if (row.kind === 'provides') keep.provided(raw);
      if (kind === 'requires' && raw.name.startsWith('libc.so.6')) {
        newestLibc = newerLibc(newestLibc, dependency);
        continue;
      }
      if (kind === 'requires') keep.required(raw);
      byKind[kind].push(dependency);
    }
    // The highest says all: glibc's symbol versions include their elders.
    if (newestLibc !== undefined) byKind.requires.push(newestLibc);
  }
  return { byKind, relations, leftOut };
}

function checkTotal(header: Header<'main'>, row: Row, total: { dependencies: number; bytes: number }): void {
  for (const what of ['dependencies', 'bytes'] as const) {
    if (total[what] <= dependencyLimits[what]) continue;
    const words = what === 'bytes' ? 'bytes of dependencies' : what;
    const detail = `The package has ${total[what]} ${words}; the limit is ${dependencyLimits[what]}.`;
    throw new AppError('rpm_limit', detail, placeOf(header, row.tags[0]));
  }
}

/** `old`: made by an rpm that said of what a package provides the names alone. */
function readRow(header: Header<'main'>, tags: Row['tags'], old: boolean): Raw[] {
  const [nameTag, flagsTag, versionTag] = tags;
  const names = namesOf(header, nameTag);
  if (names === undefined) {
    for (const tag of [flagsTag, versionTag]) {
      if (entryOf(header, tag) === undefined) continue;
      throw new AppError('rpm_tag_invalid', `There is ${tag}, but no ${nameTag}.`, placeOf(header, tag));
    }
    return [];
  }
  const bare = entryOf(header, flagsTag) === undefined && entryOf(header, versionTag) === undefined;
  // Before rpm 3.0.3 a provide had a name and nothing else (`lib/headerutil.c`, `providePackageNVR`).
  if (bare && !(old && nameTag === 'PROVIDENAME')) {
    // To rpm these are dependencies on any version, to createrepo_c none at all.
    const detail = `${nameTag} comes without flags and versions.`;
    throw new AppError('rpm_tag_invalid', detail, placeOf(header, nameTag));
  }
  const flags = numbersOf(header, flagsTag) ?? (bare ? names.map(() => 0) : []);
  const versions = namesOf(header, versionTag) ?? (bare ? names.map(() => '') : []);
  if (flags.length !== names.length || versions.length !== names.length) {
    const counts = `${names.length} names, ${flags.length} flags and ${versions.length} versions`;
    throw new AppError('rpm_tag_invalid', `There are ${counts} for ${nameTag}.`, placeOf(header, nameTag));
  }
  return names.map((name, i) => {
    const evr = versions[i] ?? '';
    const fault = faultIn(name, evr);
    if (fault !== null) {
      const detail = `${nameTag} holds ${JSON.stringify(`${name} ${evr}`.trim().slice(0, 200))}, which ${fault}.`;
      throw new AppError('rpm_tag_invalid', detail, placeOf(header, nameTag));
    }
    return { name, flags: flags[i] ?? 0, evr };
  });
}

/** rpm up to 4.20 does the same when it reads a v3 package (`lib/headerutil.c`, `providePackageNVR`). */
function provideSelf(provides: Raw[], { name, evr }: { readonly name: string; readonly evr: string }): void {
  const there = provides.some(
    (raw) => raw.name === name && raw.evr === evr && (raw.flags & sense.compare) === sense.equal,
  );
  if (!there) provides.push({ name, flags: sense.equal, evr });
}

/** What no build tool writes and what client and server could split in two ways. */
function faultIn(name: string, evr: string): string | null {
  if (name === '') return 'has no name';
  if (/[\t\n\r]/.test(name) || /[\t\n\r]/.test(evr)) return 'has a line end or a tab in it';
  // createrepo_c takes it for a number (`strtol`), rpm for a part of the version (`rpmio/rpmver.cc`, `parseEVR`).
  if (/^ *[ +-]\d+:/.test(evr)) return 'has an epoch with a sign or a space before it';
  if (!name.startsWith('(')) return null;
  let depth = 0;
  for (const character of name) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth < 0) break;
    // Readers of rich dependencies call themselves for each level.
    if (depth > dependencyLimits.richDepth) return 'nests too deep';
  }
  return depth === 0 ? null : 'has brackets that do not match';
}

/** As rpm prints it (`lib/rpmds.cc`, `rpmdsNewDNEVRStr`). */
function relationText({ name, flags, evr }: Raw): string {
  const operator =
    ((flags & sense.less) !== 0 ? '<' : '') +
    ((flags & sense.greater) !== 0 ? '>' : '') +
    ((flags & sense.equal) !== 0 ? '=' : '');
  return [name, ...((flags & sense.compare) === 0 ? [] : [operator]), ...(evr === '' ? [] : [evr])].join(' ');
}

/** Which requires stand in the index. Its state is what the loop over them has seen. */
function requirementFilter(paths: readonly string[]) {
  const own = new Set(paths.filter(isPrimaryPath));
  const provided = new Set<string>();
  const seen = new Map<string, string>();
  const key = (raw: Raw): string =>
    [raw.name, comparisons[raw.flags & sense.compare] ?? '', raw.evr].join('\0');
  const seenAs = (raw: Raw): string => `${isPre(raw.flags) ? 'pre' : ''}\0${key(raw)}`;
  return {
    wanted: (raw: Raw): boolean =>
      !raw.name.startsWith('rpmlib(') &&
      !own.has(raw.name) &&
      !provided.has(key(raw)) &&
      seen.get(raw.name) !== seenAs(raw),
    provided: (raw: Raw): unknown => provided.add(key(raw)),
    required: (raw: Raw): unknown => seen.set(raw.name, seenAs(raw)),
  };
}

const isPre = (flags: number): boolean => (flags & preFlags) !== 0;

/** The entry for the index, or `null` when its epoch is no number. */
function toDependency(raw: Raw, required: boolean): Dependency | null {
  const pre = required && isPre(raw.flags);
  const flags = comparisons[raw.flags & sense.compare];
  if (raw.evr === '') return { name: raw.name, pre, ...(flags === undefined ? {} : { flags }) };
  const colon = raw.evr.indexOf(':');
  const epoch = raw.evr.slice(0, Math.max(0, colon));
  if (!/^\d*$/.test(epoch)) return null;
  if (flags === undefined) return { name: raw.name, pre };
  const rest = raw.evr.slice(colon + 1);
  const dash = rest.indexOf('-');
  const version = dash < 0 ? rest : rest.slice(0, dash);
  const release = dash < 0 ? '' : rest.slice(dash + 1);
  return {
    name: raw.name,
    flags,
    epoch: epoch === '' ? '0' : epoch,
    ...(version === '' ? {} : { version }),
    ...(release === '' ? {} : { release }),
    pre,
  };
}

function newerLibc(one: Dependency | undefined, two: Dependency): Dependency {
  return one === undefined || libcOrder(one.name, two.name) < 0 ? two : one;
}

/**
 * libc.so.6() < libc.so.6(GLIBC_2.3.4)(64bit) < libc.so.6(GLIBC_2.4) (`cr_compare_dependency`, with its ends:
 * a name without a closing bracket counts for less, two without count as the same).
 */
function libcOrder(one: string, two: string): number {
  const a = libcVersion(one);
  const b = libcVersion(two);
  for (const step of ['open', 'close', 'content', 'digit'] as const) {
    if (!a[step] && !b[step]) return 0;
    if (!a[step]) return -1;
    if (!b[step]) return 1;
  }
  return compareVersions(a.version, b.version);
}

function libcVersion(name: string) {
  const open = name.indexOf('(');
  const close = open < 0 ? -1 : name.indexOf(')', open);
  const content = name.slice(open + 1, Math.max(close, open + 1));
  const digit = content.search(/[0-9]/);
  return {
    open: open >= 0,
    close: close >= 0,
    content: content !== '',
    digit: digit >= 0,
    version: digit < 0 ? '' : content.slice(digit),
  };
}
