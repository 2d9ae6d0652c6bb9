/** From the main header of an rpm to what the indexes and the pages say of it. */
import { AppError } from '../../errors.ts';
import type { ChangelogEntry, PackageFacts, Script } from '../package.ts';
import { readDependencies } from './dependencies.ts';
import type { Dependencies } from './dependencies.ts';
import { writeEvr } from './evr.ts';
import { packageFiles } from './files.ts';
import type { FileList } from './files.ts';
import { dataOf, entryOf, numberIn, numbersOf, placeOf } from './header.ts';
import type { Header } from './header.ts';
import { checkIdentity, packageFilename } from './paths.ts';
import type { MainTag } from './tags.ts';
import { byteStringsOf, firstTextsOf, scriptText, textIn } from './text.ts';

type MainHeader = Header<'main'>;

/** What primary, filelists and other say besides the file list and the change log, in their words. */
export type Metadata = {
  readonly name: string;
  /** As the indexes have it: `src` for every source package. */
  readonly architecture: string;
  readonly epoch: number;
  readonly version: string;
  readonly release: string;
  readonly summary: string;
  readonly description: string;
  readonly packager: string;
  readonly url: string;
  readonly license: string;
  readonly vendor: string;
  readonly group: string;
  readonly buildHost: string;
  readonly sourceRpm: string;
  readonly buildTime: number;
  readonly installedSizeBytes: number;
  readonly archiveSizeBytes: number;
  readonly dependencies: Dependencies['byKind'];
};

/** createrepo_c's default: more would multiply the size of other.xml. */
const changelogEntries = 10;

/**
 * Whether this is a source package. Old ones do not say: then rpm goes by the single directory without a name
 * (`lib/package.cc`, `applyRetrofits`).
 */
export function isSourcePackage(header: MainHeader): boolean {
  const says = numberIn(header, 'SOURCEPACKAGE') !== undefined;
  if (entryOf(header, 'SOURCERPM') !== undefined) {
    if (says) {
      const detail = 'The package has a source package, SOURCERPM, and says that it is one, SOURCEPACKAGE.';
      throw new AppError('rpm_tag_invalid', detail, placeOf(header, 'SOURCEPACKAGE'));
    }
    return false;
  }
  if (says) {
    if (numberIn(header, 'SOURCEPACKAGE') === 1) return true;
    // createrepo_c goes by the value, rpm by the tag.
    const detail = 'SOURCEPACKAGE says neither that the package is a source package nor what else it is.';
    throw new AppError('rpm_tag_invalid', detail, placeOf(header, 'SOURCEPACKAGE'));
  }
  const oldNames = dataOf(header, 'OLDFILENAMES');
  return oldNames === undefined
    ? entryOf(header, 'DIRNAMES')?.count === 1 && dataOf(header, 'DIRNAMES')?.[0] === 0
    : oldNames[0] !== 0x2f;
}

/** The metadata of a package. `archiveSizeBytes` is for those that say nothing themselves. */
export function readMetadata(
  header: MainHeader,
  source: boolean,
  dependencies: Dependencies,
  archiveSizeBytes: number,
): Metadata {
  const text = (tag: MainTag): string => textIn(header, tag) ?? '';
  return {
    name: text('NAME'),
    architecture: source ? 'src' : text('ARCH'),
    epoch: numberIn(header, 'EPOCH') ?? 0,
    version: text('VERSION'),
    release: text('RELEASE'),
    summary: text('SUMMARY'),
    description: text('DESCRIPTION'),
    packager: text('PACKAGER'),
    url: text('URL'),
    license: text('LICENSE'),
    vendor: text('VENDOR'),
    group: text('GROUP'),
    buildHost: text('BUILDHOST'),
    sourceRpm: text('SOURCERPM'),
    buildTime: numberIn(header, 'BUILDTIME') ?? 0,
    installedSizeBytes: numberIn(header, 'LONGSIZE') ?? numberIn(header, 'SIZE') ?? 0,
    archiveSizeBytes,
    dependencies: dependencies.byKind,
  };
}

/** Reads everything of the main header that facts and indexes need, but for what the payload tells. */
export function describePackage(
  header: MainHeader,
  source: boolean,
  files: FileList,
  archiveSizeBytes: number,
): { metadata: Metadata; facts: Omit<PackageFacts, 'findings'>; leftOut: readonly string[] } {
  const architecture = source ? sourceArchitecture(header) : identityText(header, 'ARCH');
  const nvra = {
    name: identityText(header, 'NAME'),
    version: identityText(header, 'VERSION'),
    release: identityText(header, 'RELEASE'),
    architecture,
  };
  checkIdentity(nvra);
  if (!source && (architecture === 'src' || architecture === 'nosrc')) {
    const detail = `The architecture of a binary package cannot be ${architecture}: that is for source packages.`;
    throw new AppError('rpm_identity_invalid', detail, placeOf(header, 'ARCH'));
  }
  const dependencies = readDependencies(header, files.paths, selfOfOld(header, source));
  const metadata = readMetadata(header, source, dependencies, archiveSizeBytes);
  const facts: Omit<PackageFacts, 'findings'> = {
    identity: { format: 'yum', name: nvra.name, version: writeEvr(metadata), architecture },
    filename: packageFilename(nvra),
    source: source ? null : sourceOf(metadata.sourceRpm),
    summary: metadata.summary,
    description: metadata.description,
    maintainer: metadata.packager || null,
    homepage: metadata.url || null,
    license: metadata.license || null,
    section: metadata.group || null,
    buildTime: numberIn(header, 'BUILDTIME') ?? null,
    buildHost: metadata.buildHost || null,
    installedSizeBytes: numberIn(header, 'LONGSIZE') ?? numberIn(header, 'SIZE') ?? null,
    relations: dependencies.relations,
    files: packageFiles(header, files),
    scripts: readScripts(header),
    changelog: readChangelog(header),
  };
  return { metadata, facts, leftOut: dependencies.leftOut };
}

/** Byte for byte: what indexes leave out of a text in Latin-1 is part of the name for rpm. */
function identityText(header: MainHeader, tag: MainTag): string {
  const text = textIn(header, tag) ?? '';
  const [bytes = ''] = byteStringsOf(header, tag) ?? [];
  return Buffer.from(text).toString('latin1') === bytes ? text : bytes;
}

/** What a v3 package provides without saying so. */
function selfOfOld(header: MainHeader, source: boolean): { name: string; evr: string } | undefined {
  if (header.region || source) return undefined;
  const epoch = numberIn(header, 'EPOCH');
  const evr = `${textIn(header, 'VERSION') ?? ''}-${textIn(header, 'RELEASE') ?? ''}`;
  return { name: textIn(header, 'NAME') ?? '', evr: epoch === undefined ? evr : `${epoch}:${evr}` };
}

/** Without its sources, which may not be given on, a source package is called nosrc. */
const sourceArchitecture = (header: MainHeader): 'src' | 'nosrc' =>
  (entryOf(header, 'NOSOURCE') ?? entryOf(header, 'NOPATCH')) ? 'nosrc' : 'src';

/** `bash-5.2.15-3.el9.src.rpm` taken apart; `null` for what is no such name. */
function sourceOf(sourceRpm: string): PackageFacts['source'] {
  const match = /^([^/]+)-([^-/]+-[^-/]+)\.(?:no)?src\.rpm$/.exec(sourceRpm);
  return match === null ? null : { name: match[1] ?? '', version: match[2] ?? '' };
}

/** The newest entries, newest first, as the header has them. */
function readChangelog(header: MainHeader): ChangelogEntry[] {
  const times = numbersOf(header, 'CHANGELOGTIME') ?? [];
  const names = firstTextsOf(header, 'CHANGELOGNAME', changelogEntries) ?? [];
  const texts = firstTextsOf(header, 'CHANGELOGTEXT', changelogEntries) ?? [];
  return names.map((name, i) => ({
    // createrepo_c leaves the first character even when all are spaces (`parsehdr.c`).
    author: name.replace(/(?!^) +$/, ''),
    time: times[i] ?? 0,
    text: texts[i] ?? '',
  }));
}

const scriptTags: readonly (readonly [string, MainTag, MainTag])[] = [
  ['pretrans', 'PRETRANS', 'PRETRANSPROG'],
  ['pre', 'PREIN', 'PREINPROG'],
  ['post', 'POSTIN', 'POSTINPROG'],
  ['preun', 'PREUN', 'PREUNPROG'],
  ['postun', 'POSTUN', 'POSTUNPROG'],
  ['posttrans', 'POSTTRANS', 'POSTTRANSPROG'],
  ['preuntrans', 'PREUNTRANS', 'PREUNTRANSPROG'],
  ['postuntrans', 'POSTUNTRANS', 'POSTUNTRANSPROG'],
  ['verifyscript', 'VERIFYSCRIPT', 'VERIFYSCRIPTPROG'],
];

/** Scripts in the order in which an upgrade runs them. A program without a script is run by itself. */
function readScripts(header: MainHeader): Script[] {
  return scriptTags.flatMap(([name, tag, programTag]) => {
    const text = scriptText(header, tag);
    const interpreter = scriptText(header, programTag);
    if (text === undefined && interpreter === undefined) return [];
    return [{ name, ...(interpreter === undefined ? {} : { interpreter }), text: text ?? '' }];
  });
}
