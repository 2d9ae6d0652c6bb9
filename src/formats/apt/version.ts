/** Package versions, by the rules of dpkg: Debian policy 5.6.12, lib/dpkg/parsehelp.c and version.c. */

export type Version = {
  readonly epoch: number;
  readonly upstream: string;
  /** Without the hyphen before it; empty for native packages. */
  readonly revision: string;
};

/** dpkg keeps the epoch in an `int`. */
const maxEpoch = 2 ** 31 - 1;

/** Splits a version: the epoch ends at the first colon, the revision starts at the last hyphen. */
function splitVersion(text: string): { epoch: string | null; upstream: string; revision: string | null } {
  const colon = text.indexOf(':');
  const rest = text.slice(colon + 1);
  const hyphen = rest.lastIndexOf('-');
  return {
    epoch: colon === -1 ? null : text.slice(0, colon),
    upstream: hyphen === -1 ? rest : rest.slice(0, hyphen),
    revision: hyphen === -1 ? null : rest.slice(hyphen + 1),
  };
}

/** What is wrong with a version, as the end of a sentence; null when dpkg accepts it. */
export function versionFault(text: string): string | null {
  const { epoch, upstream, revision } = splitVersion(text);
  if (text === '') return 'is empty';
  if (epoch !== null && !/^[0-9]+$/.test(epoch)) return 'has an epoch that is not a number';
  if (epoch !== null && Number(epoch) > maxEpoch) return `has an epoch over ${maxEpoch}`;
  if (!/^[0-9]/.test(upstream)) return 'does not start with a digit';
  if (!/^[0-9A-Za-z.+~:-]*$/.test(upstream))
    return 'has a character other than letters, digits and . + ~ : -';
  if (revision === '') return 'ends in a hyphen';
  if (revision !== null && !/^[0-9A-Za-z.+~]*$/.test(revision))
    return 'has a revision with a character other than letters, digits and . + ~';
  return null;
}

/** The parts of a version that has no fault; of any other text, parts that compare as in dpkg. */
export function parseVersion(text: string): Version {
  const { epoch, upstream, revision } = splitVersion(text);
  return { epoch: epoch === null ? 0 : Number(epoch), upstream, revision: revision ?? '' };
}

export function writeVersion({ epoch, upstream, revision }: Version): string {
  const tail = revision === '' ? upstream : `${upstream}-${revision}`;
  return epoch > 0 || upstream.includes(':') ? `${epoch}:${tail}` : tail;
}

/** The version as file names carry it. */
export function withoutEpoch(text: string): string {
  return text.slice(text.indexOf(':') + 1);
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/** The rank of a character that is no digit: tilde before the end, letters before all others. */
function rank(code: number): number {
  if (Number.isNaN(code) || isDigit(code)) return 0;
  if (code === 0x7e) return -1;
  const letter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return letter ? code : code + 256;
}

/** Numbers have any length: dates with nanoseconds pass 2^63, so they are compared as text. */
function compareNumbers(a: string, b: string): number {
  const [first, second] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (first.length !== second.length) return first.length - second.length;
  return first < second ? -1 : first > second ? 1 : 0;
}

function endOfDigits(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** `verrevcmp` of lib/dpkg/version.c. */
function compareParts(a: string, b: string): number {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a.charCodeAt(i))) || (j < b.length && !isDigit(b.charCodeAt(j)))) {
      const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(j));
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const [endA, endB] = [endOfDigits(a, i), endOfDigits(b, j)];
    const difference = compareNumbers(a.slice(i, endA), b.slice(j, endB));
    if (difference !== 0) return difference;
    [i, j] = [endA, endB];
  }
  return 0;
}

/** Negative, zero or positive, as dpkg orders them. Different texts may be equal: `1.0`, `0:1.0` and `1.0-0`. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [parseVersion(a), parseVersion(b)];
  return (
    first.epoch - second.epoch ||
    compareParts(first.upstream, second.upstream) ||
    compareParts(first.revision, second.revision)
  );
}
