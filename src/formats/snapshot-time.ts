/** The name of a moment in URLs, as Debian's and Ubuntu's snapshot services have it: `20261122T101500Z`. */

/** `time` is in seconds since 1970. */
export const writeSnapshotTime = (time: number): string =>
  new Date(time * 1000)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '');

/** Seconds since 1970; null for what names no moment. */
export function parseSnapshotTime(id: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(id);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1);
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000;
  // The 31st of November would be the 1st of December.
  return !Number.isNaN(time) && writeSnapshotTime(time) === id ? time : null;
}
