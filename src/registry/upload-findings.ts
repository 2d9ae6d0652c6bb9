/** What only the repository can find odd about a package: the name it came under, and its neighbours there. */
import type { Catalog } from '../db/catalog.ts';
import { listVersions, type IdentityKey } from '../db/packages.ts';
import { formatOf } from '../formats/formats.ts';
import type { Finding } from '../formats/package.ts';

/** Versions of one package that a new one is compared with, the latest uploads. */
const comparedVersions = 1000;

/**
 * Findings of an upload. `sent` is the file name of the upload, `own` the one that the package's header makes.
 * Neither refuses a package: what is served has its own name, and both versions can be installed.
 */
export async function uploadFindings(
  db: Catalog,
  identity: IdentityKey,
  names: { readonly sent: string; readonly own: string },
): Promise<Finding[]> {
  const findings: Finding[] = [];
  if (plainName(names.sent) !== plainName(names.own))
    findings.push({
      code: 'file_name',
      message: `The file came as "${names.sent}", and is served as "${names.own}": its header says so.`,
    });
  const { compareVersions } = formatOf(identity.format).packages;
  const versions = await listVersions(db, identity, comparedVersions);
  const same = versions.find((version) => compareVersions(version, identity.version) === 0);
  if (same !== undefined)
    findings.push({
      code: 'version_equal',
      message:
        `${identity.name} ${same} is stored here too: to machines it is the same version, written differently, ` +
        'and they do not go from one to the other.',
    });
  return findings;
}

/** A file name without its extension, and without an epoch, which some tools write and others leave out. */
function plainName(name: string): string {
  return name.replace(/\.[^.]*$/, '').replace(/([_-])\d+(?:%3a|:)/i, '$1');
}
