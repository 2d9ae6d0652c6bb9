/** A package's part of other.xml: its change log. */
import type { ChangelogEntry } from '../package.ts';
import { packageElement, versionElement } from './elements.ts';
import type { RpmPackage } from './rpm.ts';
import { attributes, escapeText } from './xml.ts';

/** Renders the other fragment. `pkgid` is the SHA-256 of the file as it is served. */
export function otherFragment(rpm: RpmPackage, pkgid: string): string {
  const lines = [
    packageElement(rpm, pkgid),
    `  ${versionElement(rpm)}`,
    ...distinctTimes(rpm.facts.changelog).map(changelogElement).reverse(),
    '</package>',
    '',
  ];
  return lines.join('\n');
}

const changelogElement = ({ author, time, text }: ChangelogEntry): string =>
  `  <changelog${attributes({ author, date: time })}>${escapeText(text)}</changelog>`;

/**
 * The header has the newest entry first. Of entries with one time createrepo_c moves each newer one on by a
 * second, because clients order them by time alone (`src/parsehdr.c`).
 */
function distinctTimes(changelog: readonly ChangelogEntry[]): ChangelogEntry[] {
  const times = changelog.map((entry) => entry.time);
  changelog.forEach(({ time }, i) => {
    if (changelog[i - 1]?.time !== time) return;
    for (let newer = i - 1, taken = time; newer >= 0 && times[newer] === taken; newer--) {
      times[newer] = ++taken;
    }
  });
  return changelog.map((entry, i) => ({ ...entry, time: times[i] ?? entry.time }));
}
