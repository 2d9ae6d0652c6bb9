/** A package's part of primary.xml: what a client needs to solve dependencies and to fetch the file. */
import { dependencyKinds } from './dependencies.ts';
import type { Dependency, DependencyKind } from './dependencies.ts';
import { fileElements, versionElement } from './elements.ts';
import { isPrimaryPath } from './files.ts';
import type { RpmPackage } from './rpm.ts';
import { attributes, textElement } from './xml.ts';

/** The file as clients fetch it: after signing, which changes its size, digest and signature header. */
export type ServedRpm = {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Relative to the channel's URL, as it stands: clients escape it themselves. */
  readonly location: string;
  /** Seconds since 1970. Clients only show it; it must stay the same for the same file. */
  readonly time: number;
};

/** Renders the primary fragment, in createrepo_c's order and layout (`src/xml_dump_primary.c`). */
export function primaryFragment(rpm: RpmPackage, served: ServedRpm): string {
  const { metadata } = rpm;
  // Signing replaces what stands before the main header and nothing else.
  const start = served.sizeBytes - (rpm.sizeBytes - rpm.headerStart);
  const range = { start, end: start + (rpm.payloadStart - rpm.headerStart) };
  const sizes = {
    package: served.sizeBytes,
    installed: metadata.installedSizeBytes,
    archive: metadata.archiveSizeBytes,
  };
  const lines = [
    '<package type="rpm">',
    `  ${textElement('name', metadata.name)}`,
    `  ${textElement('arch', metadata.architecture)}`,
    `  ${versionElement(rpm)}`,
    `  <checksum type="sha256" pkgid="YES">${served.sha256}</checksum>`,
    `  ${textElement('summary', metadata.summary)}`,
    `  ${textElement('description', metadata.description)}`,
    `  ${textElement('packager', metadata.packager)}`,
    `  ${textElement('url', metadata.url)}`,
    `  <time${attributes({ file: served.time, build: metadata.buildTime })}/>`,
    `  <size${attributes(sizes)}/>`,
    `  <location${attributes({ href: served.location })}/>`,
    '  <format>',
    `    ${textElement('rpm:license', metadata.license)}`,
    `    ${textElement('rpm:vendor', metadata.vendor)}`,
    `    ${textElement('rpm:group', metadata.group)}`,
    `    ${textElement('rpm:buildhost', metadata.buildHost)}`,
    `    ${textElement('rpm:sourcerpm', metadata.sourceRpm)}`,
    `    <rpm:header-range${attributes(range)}/>`,
    ...dependencyKinds.flatMap((kind) => dependencyLines(kind, metadata.dependencies[kind])),
    ...fileElements(rpm.facts.files, '    ', (file) => isPrimaryPath(file.path)),
    '  </format>',
    '</package>',
    '',
  ];
  return lines.join('\n');
}

function dependencyLines(kind: DependencyKind, dependencies: readonly Dependency[]): string[] {
  if (dependencies.length === 0) return [];
  return [
    `    <rpm:${kind}>`,
    ...dependencies.map((dependency) => `      ${entryElement(dependency)}`),
    `    </rpm:${kind}>`,
  ];
}

const entryElement = ({ name, flags, epoch, version, release, pre }: Dependency): string =>
  `<rpm:entry${attributes({ name, flags, epoch, ver: version, rel: release, pre: pre ? 1 : undefined })}/>`;
