/** A package's part of filelists.xml: the paths of all its files. */
import { fileElements, packageElement, versionElement } from './elements.ts';
import type { RpmPackage } from './rpm.ts';

/** Renders the filelists fragment. `pkgid` is the SHA-256 of the file as it is served. */
export function filelistsFragment(rpm: RpmPackage, pkgid: string): string {
  const lines = [
    packageElement(rpm, pkgid),
    `  ${versionElement(rpm)}`,
    ...fileElements(rpm.facts.files, '  '),
    '</package>',
    '',
  ];
  return lines.join('\n');
}
