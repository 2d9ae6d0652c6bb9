/** repomd.xml: which metadata files a generation has, with their digests. */
import { AppError } from '../../errors.ts';
import { attributes } from './xml.ts';

/** One metadata file. Digests are SHA-256 in lower-case hexadecimal. */
export type RepomdRecord = {
  /** `primary`, `filelists`, `other`, `updateinfo`, `group`, … */
  readonly type: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Of the uncompressed document; absent when the file is not compressed. */
  readonly openSha256?: string;
  readonly openSizeBytes?: number;
  /** Relative to the channel's URL: `repodata/<sha256>-primary.xml.gz`. */
  readonly location: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
};

export type Repomd = {
  /** The generation's number, so that it only grows. */
  readonly revision: number;
  readonly records: readonly RepomdRecord[];
};

/** Writes repomd.xml in createrepo_c's order and layout (`src/xml_dump_repomd.c`). */
export function writeRepomd(repomd: Repomd): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">',
    `  <revision>${repomd.revision}</revision>`,
    ...repomd.records.flatMap(recordLines),
    '</repomd>',
    '',
  ].join('\n');
}

function recordLines(record: RepomdRecord): string[] {
  const { openSha256, openSizeBytes } = record;
  return [
    `  <data${attributes({ type: record.type })}>`,
    `    <checksum type="sha256">${record.sha256}</checksum>`,
    ...(openSha256 === undefined ? [] : [`    <open-checksum type="sha256">${openSha256}</open-checksum>`]),
    `    <location${attributes({ href: record.location })}/>`,
    `    <timestamp>${record.timestamp}</timestamp>`,
    `    <size>${record.sizeBytes}</size>`,
    ...(openSizeBytes === undefined ? [] : [`    <open-size>${openSizeBytes}</open-size>`]),
    '  </data>',
  ];
}

const dataElement = new RegExp(
  [
    '  <data type="([a-z_]{1,64})">',
    '    <checksum type="sha256">([0-9a-f]{64})</checksum>',
    '(?:    <open-checksum type="sha256">([0-9a-f]{64})</open-checksum>',
    ')?    <location href="([\\w./~^+-]{1,1024})"/>',
    '    <timestamp>(\\d{1,12})</timestamp>',
    '    <size>(\\d{1,15})</size>',
    '(?:    <open-size>(\\d{1,15})</open-size>',
    ')?  </data>',
    '',
  ].join('\n'),
  'gy',
);

/**
 * Reads what `writeRepomd` wrote, and nothing else: this is for checking our own tree, where any other text is a
 * fault. Throws `repomd_malformed` with the line.
 */
export function parseRepomd(text: string): Repomd {
  const revision = /^ {2}<revision>(\d{1,15})<\/revision>$/m.exec(text);
  const records: RepomdRecord[] = [];
  if (revision !== null) {
    dataElement.lastIndex = revision.index + revision[0].length + 1;
    for (let match = dataElement.exec(text); match !== null; match = dataElement.exec(text)) {
      records.push(recordOf(match));
    }
  }
  const repomd = { revision: Number(revision?.[1]), records };
  const expected = writeRepomd(repomd);
  if (expected !== text) {
    const lines = expected.split('\n');
    const line = text.split('\n').findIndex((found, i) => found !== lines[i]) + 1;
    throw new AppError('repomd_malformed', `repomd.xml is not as it was written, from line ${line} on.`, {
      part: 'repomd.xml',
      line,
    });
  }
  return repomd;
}

function recordOf(match: RegExpExecArray): RepomdRecord {
  const [, type = '', sha256 = '', openSha256, location = '', timestamp, sizeBytes, openSizeBytes] = match;
  return {
    type,
    sha256,
    sizeBytes: Number(sizeBytes),
    ...(openSha256 === undefined ? {} : { openSha256 }),
    ...(openSizeBytes === undefined ? {} : { openSizeBytes: Number(openSizeBytes) }),
    location,
    timestamp: Number(timestamp),
  };
}

/** The metadata documents that hold packages. */
export const packageDocuments = ['primary', 'filelists', 'other'] as const;
export type PackageDocument = (typeof packageDocuments)[number];

/** Those that stand beside them, when a channel has them. */
export const documentKinds = ['updateinfo', 'comps', 'modules'] as const;
export type DocumentKind = (typeof documentKinds)[number];

const roots: Readonly<Record<PackageDocument, { readonly name: string; readonly namespaces: string }>> = {
  primary: {
    name: 'metadata',
    namespaces:
      'xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"',
  },
  filelists: { name: 'filelists', namespaces: 'xmlns="http://linux.duke.edu/metadata/filelists"' },
  other: { name: 'otherdata', namespaces: 'xmlns="http://linux.duke.edu/metadata/other"' },
};

/** What stands before the fragments of `count` packages. Clients allocate by the count: it must be right. */
export function indexHead(kind: PackageDocument, count: number): string {
  const { name, namespaces } = roots[kind];
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} ${namespaces} packages="${count}">\n`;
}

/** What stands after the fragments. */
export const indexFoot = (kind: PackageDocument): string => `</${roots[kind].name}>\n`;
