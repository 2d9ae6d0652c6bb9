/** Elements that stand in more than one of the three documents. */
import type { PackageFile } from '../package.ts';
import type { RpmPackage } from './rpm.ts';
import { attributes, escapeText } from './xml.ts';

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

/** `<version>` as it stands in all three documents. */
export function versionElement({ metadata }: Pick<RpmPackage, 'metadata'>): string {
  return `<version${attributes({ epoch: metadata.epoch, ver: metadata.version, rel: metadata.release })}/>`;
}
