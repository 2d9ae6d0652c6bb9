/** Stanzas of `Packages`, the index of binary packages. */
import type { ServedFile } from '../format.ts';
import { type Field, type Stanza, writeStanza } from './control.ts';
import { filenameField } from './paths.ts';

/**
 * The order of fields in an index: apt-pkg/tagfile-order.c, by which apt-ftparchive and apt's own tools write.
 * Fields that are not listed follow in the order of the control file.
 */
const order = [
  'Package',
  'Package-Type',
  'Architecture',
  'Architecture-Variant',
  'Subarchitecture',
  'Version',
  'Kernel-Version',
  'Built-Using',
  'Static-Built-Using',
  'Built-For-Profiles',
  'Auto-Built-Package',
  'Multi-Arch',
  'Status',
  'Priority',
  'Build-Essential',
  'Protected',
  'Important',
  'Essential',
  'Installer-Menu-Item',
  'Section',
  'Source',
  'Origin',
  'Phased-Update-Percentage',
  'Maintainer',
  'Original-Maintainer',
  'Bugs',
  'Config-Version',
  'Conffiles',
  'Triggers-Awaited',
  'Triggers-Pending',
  'Installed-Size',
  'Provides',
  'Pre-Depends',
  'Depends',
  'Recommends',
  'Suggests',
  'Conflicts',
  'Breaks',
  'Replaces',
  'Enhances',
  'Filename',
  'MSDOS-Filename',
  'Size',
  'MD5sum',
  'SHA1',
  'SHA256',
  'SHA512',
  'Homepage',
  'Description',
  'Description-md5',
  'Tag',
  'Task',
];
const ranks: ReadonlyMap<string, number> = new Map(order.map((name, rank) => [name.toLowerCase(), rank]));
const rankOf = ({ name }: Field): number => ranks.get(name.toLowerCase()) ?? order.length;

/**
 * Fields that say where an index has a file. One in a control file would be a second answer beside ours, and
 * clients take the first, or the last.
 */
const indexFields: ReadonlySet<string> = new Set(
  ['Filename', 'MSDOS-Filename', 'Size', 'MD5sum', 'SHA1', 'SHA256', 'SHA512', 'Description-md5'].map(
    (name) => name.toLowerCase(),
  ),
);

export const isIndexField = (name: string): boolean => indexFields.has(name.toLowerCase());

/**
 * A package's stanza: every field of its control file as it stands, known or not, and where the file is. Only
 * fields without a value are left out, which policy 5.1 forbids, nfpm writes and nobody reads. Long descriptions
 * stay here, as no Translation files are published, so there is no Description-md5.
 */
export function packagesStanza(control: Stanza, served: ServedFile): Stanza {
  const own = control.filter(({ name, value }) => value !== '' && !isIndexField(name));
  const ours: Stanza = [
    { name: 'Filename', value: filenameField(served.key) },
    { name: 'Size', value: String(served.sizeBytes) },
    { name: 'MD5sum', value: served.md5 },
    { name: 'SHA256', value: served.sha256 },
  ];
  return [...own, ...ours].sort((a, b) => rankOf(a) - rankOf(b));
}

/** The stanza as text, without the blank line after it. */
export function writePackagesStanza(control: Stanza, served: ServedFile): string {
  return writeStanza(packagesStanza(control, served));
}
