/** Epochs, versions and releases, and their order. */

/** What orders two packages of one name. An epoch that is not written is 0. */
export type Evr = {
  readonly epoch: number;
  readonly version: string;
  /** Absent in a dependency that leaves it open. */
  readonly release?: string;
};

/** `epoch:version-release`, the epoch always written: the version in an identity. */
export const writeEvr = (evr: Evr): string =>
  `${evr.epoch}:${evr.version}${evr.release === undefined ? '' : `-${evr.release}`}`;

/** Reads what `writeEvr` wrote, and what people type: `1.0-1`, `2:1.0`. As rpm does (`rpmio/rpmver.cc`). */
export function parseEvr(text: string): Evr {
  const [, epoch, rest = ''] = /^(?:(\d*):)?(.*)$/s.exec(text) ?? [];
  const dash = rest.lastIndexOf('-');
  const number = epoch === undefined || epoch === '' ? 0 : Number(epoch);
  return dash < 0
    ? { epoch: number, version: rest }
    : { epoch: number, version: rest.slice(0, dash), release: rest.slice(dash + 1) };
}

/** Negative, zero or positive. Releases count only when both sides have one (`rpmverOverlap`). */
export function compareEvr(a: Evr, b: Evr): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  const versions = compareVersions(a.version, b.version);
  if (versions !== 0 || a.release === undefined || b.release === undefined) return versions;
  return compareVersions(a.release, b.release);
}

/** A run of digits or of ASCII letters, or a mark that orders: `~` before everything, `^` after the end. */
const segment = /[0-9]+|[A-Za-z]+|~|\^/g;

/**
 * Orders two versions or two releases as `rpmvercmp` does (`rpmio/rpmvercmp.cc`): -1, 0 or 1. All else between
 * segments only separates.
 */
export function compareVersions(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  const left = a.match(segment) ?? [];
  const right = b.match(segment) ?? [];
  for (let i = 0; i < left.length || i < right.length; i++) {
    const order = compareSegments(left[i], right[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareSegments(one: string | undefined, two: string | undefined): -1 | 0 | 1 {
  if (one === two) return 0;
  if (one === '~') return -1;
  if (two === '~') return 1;
  // A caret is newer than the end and older than anything else that could follow.
  if (one === '^') return two === undefined ? 1 : -1;
  if (two === '^') return one === undefined ? -1 : 1;
  if (one === undefined) return -1;
  if (two === undefined) return 1;
  const oneIsNumber = isNumber(one);
  if (oneIsNumber !== isNumber(two)) return oneIsNumber ? 1 : -1;
  return oneIsNumber ? compareNumbers(one, two) : order(one, two);
}

const isNumber = (text: string): boolean => text >= '0' && text < ':';

/** Digits of any length: no machine number could hold all versions in use. */
function compareNumbers(a: string, b: string): -1 | 0 | 1 {
  const one = a.replace(/^0+/, '');
  const two = b.replace(/^0+/, '');
  if (one.length !== two.length) return one.length < two.length ? -1 : 1;
  return order(one, two);
}

const order = (a: string, b: string): -1 | 0 | 1 => (a === b ? 0 : a < b ? -1 : 1);
