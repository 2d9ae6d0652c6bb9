/** What a control file says of its package, checked field by field: deb-control(5), policy 5.3. */
import type { Finding, Identity, PackageFacts } from '../package.ts';
import { fieldFault, type Fields, fieldsOf, type Stanza } from './control.ts';
import { isIndexField } from './packages.ts';
import { checkIdentity, isSourceName, packageFilename } from './paths.ts';
import { readRelations } from './relations.ts';
import { versionFault } from './version.ts';

/** The facts that the control file alone gives. */
export type ControlFacts = Omit<PackageFacts, 'buildTime' | 'files' | 'scripts'>;

/** Fields that are read as one word or line: dpkg keeps a folded one whole, where apt or we would cut it. */
const singleLine = [
  'Package',
  'Version',
  'Architecture',
  'Source',
  'Section',
  'Priority',
  'Essential',
  'Protected',
  'Multi-Arch',
  'Package-Type',
];

/**
 * Old names that dpkg still obeys (lib/dpkg/parse.c) and apt does not know. The three of the revision are added
 * to the version: dpkg would install another version than the index offers.
 */
const obsolete = ['Package_Revision', 'Package-Revision', 'Revision', 'Recommended', 'Optional', 'Class'];

/** Fields of dpkg's status file; dpkg refuses some of them in a package, and believes the others. */
const database = ['Status', 'Config-Version', 'Conffiles', 'Triggers-Pending', 'Triggers-Awaited'];

const get = (fields: Fields, name: string): string => fields.get(name.toLowerCase()) ?? '';

/** The closed vocabularies, as dpkg checks them. */
function checkVocabulary(fields: Fields, part: string): void {
  for (const name of singleLine)
    if (get(fields, name).includes('\n')) throw fieldFault(part, name, 'has more than one line');
  for (const name of obsolete)
    if (fields.has(name.toLowerCase()))
      throw fieldFault(part, name, 'is obsolete: dpkg reads it as another field, apt does not');
  for (const name of database)
    if (fields.has(name.toLowerCase())) throw fieldFault(part, name, 'belongs in the database of dpkg only');
  for (const name of ['Essential', 'Protected'])
    if (!/^(yes|no|)$/i.test(get(fields, name))) throw fieldFault(part, name, 'must be "yes" or "no"');
  const multiArch = get(fields, 'Multi-Arch').toLowerCase();
  if (!/^(same|foreign|allowed|no|)$/.test(multiArch))
    throw fieldFault(part, 'Multi-Arch', 'must be "same", "foreign", "allowed" or "no"');
  if (multiArch === 'same' && get(fields, 'Architecture') === 'all')
    throw fieldFault(part, 'Multi-Arch', 'cannot be "same" in a package for all architectures');
  // dpkg takes any text for a priority, but none that only starts like a known one.
  if (/^(?:required|important|standard|optional|extra|unknown)./i.test(get(fields, 'Priority')))
    throw fieldFault(part, 'Priority', 'has something behind the priority');
  const steps = get(fields, 'Section').split('/');
  if (steps.some((step) => step === '.' || step === '..' || (step === '' && steps.length > 1)))
    throw fieldFault(part, 'Section', 'must not look like a path that leads elsewhere');
}

type Source = { readonly name: string; readonly version: string };

/** `Source: name`, or `Source: name (version)` when the version is another; else the package's own name. */
function readSource(fields: Fields, own: Source): Source | null {
  const text = get(fields, 'Source');
  if (text === '') return own;
  const [, name = '', version = own.version] = /^(\S+)(?: +\((\S+)\))?$/.exec(text) ?? [];
  return isSourceName(name) && versionFault(version) === null ? { name, version } : null;
}

/** The extended description without its formatting: policy 5.6.13. */
function readDescription(text: string): { summary: string; description: string } {
  const [summary = '', ...lines] = text.split('\n');
  const description = lines.map((line) => (/^[ \t]\.[ \t]*$/.test(line) ? '' : line.slice(1))).join('\n');
  return { summary, description };
}

/** Only what a link on a page may lead to; `javascript:` would run there. */
function readHomepage(text: string): string | null {
  return /^https?:\/\/[^\s"'<>]+$/i.test(text) ? text : null;
}

/** `Installed-Size` is in KiB (policy 5.6.20). Null when it is not a number, or one that no disk can hold. */
function readInstalledSize(text: string): number | null {
  const bytes = /^\d+$/.test(text) ? Number(text) * 1024 : NaN;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

const firstLine = (text: string): string | null => (text === '' ? null : text.replace(/\n[ \t]*/g, ' '));

/** What does not refuse the package. */
function findings(stanza: Stanza, fields: Fields, source: Source | null): Finding[] {
  const found: Finding[] = [];
  const add = (code: string, message: string): void => void found.push({ code, message });
  for (const name of ['Maintainer', 'Description'])
    if (get(fields, name) === '')
      add('field_missing', `The control file has no ${name}; dpkg warns of that.`);
  if (get(fields, 'Package').includes('_'))
    add('name_underscore', 'The name has an underscore, which dpkg takes for now and policy 5.6.7 does not.');
  if (source === null)
    add('source_unusual', 'Source is not a name and a version; the package is filed under its own name.');
  const size = get(fields, 'Installed-Size');
  if (size !== '' && readInstalledSize(size) === null)
    add('installed_size', `Installed-Size is not a number of KiB that can be: ${size.slice(0, 40)}.`);
  const homepage = get(fields, 'Homepage');
  if (homepage !== '' && readHomepage(homepage) === null)
    add('homepage', 'Homepage is not an http or https URL and is not shown as a link.');
  if (/[\s,]/.test(get(fields, 'Section')))
    add(
      'section_blank',
      'Section has a blank or a comma in it, so Contents names the package without its section.',
    );
  const index = stanza.filter(({ name }) => isIndexField(name)).map(({ name }) => name);
  if (index.length > 0)
    add('index_fields', `The control file has fields of an index, which are left out: ${index.join(', ')}.`);
  return found;
}

/** Throws `control_field` for what dpkg refuses, or what dpkg and apt would read differently. */
export function readControlFacts(stanza: Stanza, part: string): ControlFacts {
  const fields = fieldsOf(stanza);
  for (const name of ['Package', 'Version', 'Architecture'])
    if (get(fields, name) === '')
      throw fieldFault(part, name, fields.has(name.toLowerCase()) ? 'is empty' : 'is missing');
  checkVocabulary(fields, part);
  const identity: Identity = {
    format: 'apt',
    name: get(fields, 'Package'),
    version: get(fields, 'Version'),
    architecture: get(fields, 'Architecture'),
  };
  checkIdentity(identity, part);
  const own: Source = { name: identity.name, version: identity.version };
  const source = readSource(fields, own);
  const related = readRelations(fields, part);
  return {
    identity,
    filename: packageFilename(identity),
    source: source ?? own,
    ...readDescription(get(fields, 'Description')),
    maintainer: firstLine(get(fields, 'Maintainer')),
    homepage: readHomepage(get(fields, 'Homepage')),
    license: firstLine(get(fields, 'License')),
    section: firstLine(get(fields, 'Section')),
    buildHost: null,
    installedSizeBytes: readInstalledSize(get(fields, 'Installed-Size')),
    relations: related.relations,
    changelog: [],
    findings: [...findings(stanza, fields, source), ...related.findings],
  };
}

/**
 * Packages for the Debian installer belong in indexes of their own (`debian-installer/binary-<arch>`), and must
 * not be offered to installed machines. Old ones say so by their section alone.
 */
export function isInstallerPackage(stanza: Stanza): boolean {
  const fields = fieldsOf(stanza);
  return get(fields, 'Package-Type') === 'udeb' || /(^|\/)debian-installer$/.test(get(fields, 'Section'));
}
