/** `Release`, the signed list of a suite's indexes: apt-secure(8), wiki.debian.org/DebianRepository/Format. */
import { AppError } from '../../errors.ts';
import { type Field, fieldsOf, parseStanza, type Stanza, writeStanza } from './control.ts';

/** A file of the suite, by its path below the folder of `Release`. */
export type ReleaseFile = { readonly path: string; readonly sizeBytes: number; readonly sha256: string };

export type Release = {
  readonly origin: string;
  readonly label: string;
  readonly suite: string;
  readonly codename: string;
  readonly description?: string;
  /** Seconds since 1970. */
  readonly date: number;
  /** Seconds since 1970; absent where a pinned machine must not see it expire. */
  readonly validUntil?: number;
  readonly architectures: readonly string[];
  readonly components: readonly string[];
  /** Where apt finds snapshots: a URL with `@SNAPSHOTID@` (apt 2.7). */
  readonly snapshots?: string;
  readonly files: readonly ReleaseFile[];
};

/** RFC 1123 in UTC, the one form that every apt reads. */
export function writeDate(time: number): string {
  return new Date(time * 1000).toUTCString().replace(/GMT$/, 'UTC');
}

const dateForm =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (UTC|GMT|\+0000)$/;

/** Seconds since 1970; null when the text is not a date of that form. */
export function parseDate(text: string): number | null {
  const time = dateForm.test(text) ? Date.parse(text.replace(/(UTC|\+0000)$/, 'GMT')) : NaN;
  return Number.isNaN(time) ? null : time / 1000;
}

const malformed = (detail: string, field?: string): AppError =>
  new AppError('release_malformed', detail, { part: 'Release', ...(field !== undefined && { field }) });

/**
 * The text of a Release file. The list is sorted by path and names every file with its SHA-256 alone: apt asks
 * for by-hash names of the strongest digest that is listed. `No-Support-for-Architecture-all` tells apt that
 * `Packages` of each architecture holds the packages for all of them too, so that it fetches those once.
 */
export function writeRelease(release: Release): string {
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['Origin', release.origin],
    ['Label', release.label],
    ['Suite', release.suite],
    ['Codename', release.codename],
    ['Date', writeDate(release.date)],
    ['Valid-Until', release.validUntil === undefined ? undefined : writeDate(release.validUntil)],
    ['Acquire-By-Hash', 'yes'],
    ['No-Support-for-Architecture-all', 'Packages'],
    ['Architectures', release.architectures.join(' ')],
    ['Components', release.components.join(' ')],
    ['Description', release.description],
    ['Snapshots', release.snapshots],
  ];
  const stanza: Field[] = [];
  for (const [name, value] of fields) {
    if (value === undefined) continue;
    // A line break in a label would start a field of its own: `Valid-Until`, say.
    if (/[\u0000-\u001f\u007f]/.test(value)) throw malformed(`${name} has a control character.`, name);
    stanza.push({ name, value });
  }
  return writeStanza([...stanza, { name: 'SHA256', value: writeFiles(release.files) }]);
}

function writeFiles(files: readonly ReleaseFile[]): string {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const width = Math.max(0, ...sorted.map(({ sizeBytes }) => String(sizeBytes).length));
  return sorted
    .map(({ path, sizeBytes, sha256 }) => {
      if (!/^[!-~]+$/.test(path))
        throw malformed(`The path ${JSON.stringify(path)} cannot be listed.`, 'SHA256');
      return `\n ${sha256} ${String(sizeBytes).padStart(width)} ${path}`;
    })
    .join('');
}

/** Reads what `writeRelease` writes. Throws `release_malformed`. */
export function parseRelease(text: string): Release {
  const fields = fieldsOf(readStanza(text));
  const required = (name: string): string => {
    const value = fields.get(name.toLowerCase());
    if (value === undefined) throw malformed(`Release has no ${name}.`, name);
    return value;
  };
  const time = (name: string): number => {
    const parsed = parseDate(required(name));
    if (parsed === null) throw malformed(`${name} of Release is not a date in UTC.`, name);
    return parsed;
  };
  const words = (name: string): string[] =>
    required(name)
      .split(' ')
      .filter((word) => word !== '');
  const description = fields.get('description');
  const snapshots = fields.get('snapshots');
  return {
    origin: required('Origin'),
    label: required('Label'),
    suite: required('Suite'),
    codename: required('Codename'),
    ...(description !== undefined && { description }),
    date: time('Date'),
    ...(fields.has('valid-until') && { validUntil: time('Valid-Until') }),
    architectures: words('Architectures'),
    components: words('Components'),
    ...(snapshots !== undefined && { snapshots }),
    files: parseFiles(required('SHA256')),
  };
}

function readStanza(text: string): Stanza {
  try {
    return parseStanza(Buffer.from(text), 'Release');
  } catch (error) {
    throw malformed(error instanceof AppError ? error.message : 'Release cannot be read.');
  }
}

function parseFiles(value: string): ReleaseFile[] {
  return value
    .split('\n')
    .slice(1)
    .map((line) => {
      const match = /^ ([0-9a-f]{64}) +(\d{1,15}) ([!-~]+)$/.exec(line);
      const [, sha256 = '', size = '', path = ''] = match ?? [];
      if (match === null) throw malformed('A line of the list in Release is malformed.', 'SHA256');
      return { path, sizeBytes: Number(size), sha256 };
    });
}
