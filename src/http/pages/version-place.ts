import type { PackageRow } from '../../db/catalog.ts';
import type { VersionPlace } from '../../web/links.ts';

/** Where the page of a package is. */
export function placeOf(
  row: Pick<PackageRow, 'repository' | 'name' | 'version' | 'architecture' | 'format' | 'distribution'>,
): VersionPlace {
  const { repository, name, version, architecture, format, distribution } = row;
  return { repository, name, version, architecture, format, distribution };
}
