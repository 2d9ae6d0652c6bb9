/** A package's part of filelists.xml: the paths of all its files. */
import type { PackageFile } from '../package.ts';
import { versionElement } from './primary.ts';
import type { RpmPackage } from './rpm.ts';
import { attributes, escapeText } from './xml.ts';

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

/** How filelists and other name the package. */
export const packageElement = ({ metadata }: RpmPackage, pkgid: string): string =>
  `<package${attributes({ pkgid, name: metadata.name, arch: metadata.architecture })}>`;

const xmlTypes: Readonly<Partial<Record<PackageFile['type'], string>>> = { directory: 'dir', ghost: 'ghost' };

export function fileElements(
  files: readonly PackageFile[],
  indent: string,
  wanted: (file: PackageFile) => boolean = () => true,
): string[] {
  return files
    .filter(wanted)
    .map(
      (file) => `${indent}<file${attributes({ type: xmlTypes[file.type] })}>${escapeText(file.path)}</file>`,
    );
}
