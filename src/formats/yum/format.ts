/** rpm packages and yum repositories as the rest of the server sees them. */
import { createHash } from 'node:crypto';
import { newFiles } from '../format.ts';
import type {
  ChannelForm,
  ChannelFormat,
  ComposedIndex,
  FileForm,
  Entry,
  EntryPlan,
  Format,
  GenerationFiles,
  GenerationForm,
  PackageFormat,
  PackageSigning,
  Placement,
  ServedFile,
  SetupFile,
  SignedDocument,
} from '../format.ts';
import { compareEvr, parseEvr } from './evr.ts';
import { documents } from './documents.ts';
import { filelistsFragment } from './filelists.ts';
import { relations } from './fulfil.ts';
import { writeMetalink } from './metalink.ts';
import { otherFragment } from './other.ts';
import {
  channelRoot,
  generationRoot,
  metadataPath,
  metalinkPath,
  packageLocation,
  packagesLink,
  poolKey,
  poolRoot,
  repodata,
  repositoryRoot,
  snapshotRoot,
  type ChannelPlace,
} from './paths.ts';
import { primaryFragment } from './primary.ts';
import {
  documentKinds,
  indexFoot,
  indexHead,
  packageDocuments,
  writeRepomd,
  type DocumentKind,
  type PackageDocument,
} from './repomd.ts';
import { coreOf, parseRpm, type RpmPackage } from './rpm.ts';
import { repoFileKey, writeRepoFile } from './setup.ts';
import { snapshots } from './snapshots.ts';
import { replaceSignatures, signatureTargets } from './sign.ts';

const signing: PackageSigning<RpmPackage> = {
  targets: (rpm) => ({ ...signatureTargets(rpm), headerOffset: rpm.headerStart }),
  replace: (rpm, { algorithm, header, headerAndPayload }) =>
    replaceSignatures(rpm, {
      algorithm: algorithm === 'rsa' ? 'rsa' : 'eddsa',
      headerSignature: header,
      ...(headerAndPayload === null ? {} : { headerAndPayloadSignature: headerAndPayload }),
    }),
  original: (rpm) => rpm.leadAndSignature,
  core: coreOf,
  signatures: (rpm) =>
    rpm.signatures.map(({ issuerKeyId, issuerFingerprint, covers, packet }) => ({
      keyId: issuerKeyId?.toUpperCase() ?? null,
      fingerprint: issuerFingerprint?.toUpperCase() ?? null,
      covers,
      packet,
    })),
};

const packages: PackageFormat<RpmPackage> = {
  extension: '.rpm',
  compareVersions: (a, b) => compareEvr(parseEvr(a), parseEvr(b)),
  relations,
  parse: parseRpm,
  signing,
  poolKey: (place, facts, distinct) => poolKey(place, facts.filename, distinct),
  renderEntries(rpm: RpmPackage, served: ServedFile): Entry[] {
    const { sha256, sizeBytes, distinct } = served;
    const location = packageLocation(rpm.facts.filename, distinct);
    // The build time and not the upload's: the same package gives the same entry everywhere.
    const primary = primaryFragment(rpm, { sha256, sizeBytes, location, time: rpm.metadata.buildTime });
    return [
      { kind: 'primary', body: primary },
      { kind: 'filelists', body: filelistsFragment(rpm, sha256) },
      { kind: 'other', body: otherFragment(rpm, sha256) },
    ];
  },
};

function placeOf(channel: ChannelForm): ChannelPlace {
  return { repository: channel.repository, channel: channel.name };
}

/** Of Fedora's packages, roughly. */
const averageEntryBytes: Readonly<Record<PackageDocument, number>> = {
  primary: 2400,
  filelists: 3000,
  other: 1000,
};

function planOf(kind: PackageDocument, { compressions }: ChannelForm): EntryPlan {
  return {
    of: 'entries',
    id: kind,
    entryKind: kind,
    averageEntryBytes: averageEntryBytes[kind],
    compressions,
    holds: () => true,
    head: (count) => indexHead(kind, count),
    foot: indexFoot(kind),
  };
}

function kindOf(index: ComposedIndex): PackageDocument | DocumentKind {
  const kind = [...packageDocuments, ...documentKinds].find((document) => document === index.id);
  if (!kind) throw new RangeError(`no index of a yum channel: ${index.id}`);
  return kind;
}

function describe(generation: GenerationForm): GenerationFiles {
  const { number, date, indexes } = generation;
  const records = indexes.flatMap((index) =>
    index.forms.map((form) => ({
      type: recordType(kindOf(index), form.compression),
      sha256: form.sha256,
      sizeBytes: form.sizeBytes,
      ...(form.compression !== 'none' && {
        openSha256: index.raw.sha256,
        openSizeBytes: index.raw.sizeBytes,
      }),
      timestamp: date,
      location: metadataPath(kindOf(index), form.sha256, compressionOf(form.compression)),
    })),
  );
  const text = writeRepomd({ revision: number, records });
  return {
    documents: [{ text, clearsign: false, detach: true }],
    indexFiles: newFiles(namedFiles(generation)),
    frozenAliases: frozenNames(generation),
    place: ([repomd]) => {
      if (!repomd) throw new RangeError('repomd.xml has not been signed');
      return placeGeneration(generation, repomd);
    },
  };
}

/** comps has names of its own, one for each form: clients take the one that they know. */
function recordType(kind: PackageDocument | DocumentKind, form: FileForm): string {
  if (kind !== 'comps') return kind;
  return form === 'gzip' ? 'group_gz' : 'group';
}

/** libsolv of the oldest clients reads gzip alone; xz would need one stream, which this index is not made as. */
function compressionOf(compression: FileForm): Exclude<FileForm, 'xz'> {
  if (compression === 'xz') throw new RangeError('yum metadata is not published as xz');
  return compression;
}

type NamedIndex = { readonly path: string; readonly key: string } & ComposedIndex['forms'][number];

function namedFiles({ channel, indexes }: GenerationForm): NamedIndex[] {
  const root = channelRoot(placeOf(channel));
  return indexes.flatMap((index) =>
    index.forms.map((form) => {
      const path = metadataPath(kindOf(index), form.sha256, compressionOf(form.compression));
      return { path, key: `${root}/${path}`, ...form };
    }),
  );
}

/** A generation's own names for what does not change. */
function frozenNames(generation: GenerationForm): { key: string; target: string }[] {
  const { channel, number } = generation;
  const place = placeOf(channel);
  const frozen = generationRoot(place, number);
  const pool = poolRoot({ repository: channel.repository, distribution: channel.distribution });
  return [
    ...namedFiles(generation).map(({ path, key }) => ({ key: `${frozen}/${path}`, target: key })),
    { key: `${frozen}/${packagesLink}`, target: pool },
    { key: `${channelRoot(place)}/${packagesLink}`, target: pool },
  ];
}

function placeGeneration(generation: GenerationForm, repomd: SignedDocument): Placement {
  const { channel, number, date } = generation;
  const place = placeOf(channel);
  const root = channelRoot(place);
  const frozen = generationRoot(place, number);
  const repomdBytes = Buffer.from(repomd.text);
  const metalink = writeMetalink({
    url: `${channel.publicUrl}/${frozen}/${repodata.repomd}`,
    sha256: createHash('sha256').update(repomdBytes).digest('hex'),
    sizeBytes: repomdBytes.length,
    timestamp: date,
  });
  const forms = namedFiles(generation);
  return {
    named: forms.map(({ key, sha256, sizeBytes }) => ({ key, sha256, sizeBytes })),
    immutable: [
      { key: `${frozen}/${repodata.repomd}`, chunks: [repomdBytes] },
      { key: `${frozen}/${repodata.signature}`, chunks: [Buffer.from(repomd.detached)] },
      { key: `${frozen}/metalink`, chunks: [Buffer.from(metalink)] },
    ],
    aliases: [],
    // The metalink first: it names a frozen generation, whose two halves cannot be mixed.
    pointers: [
      { key: metalinkPath(place), from: `${frozen}/metalink` },
      { key: `${root}/${repodata.signature}`, from: `${frozen}/${repodata.signature}` },
      { key: `${root}/${repodata.repomd}`, from: `${frozen}/${repodata.repomd}` },
    ],
  };
}

const channels: ChannelFormat = {
  baseKey: (channel) => channelRoot(placeOf(channel)),
  folders: (repository) => ({
    root: repositoryRoot(repository),
    pool: poolRoot({ repository, distribution: '' }),
  }),
  frozenKey: (channel, generation) => generationRoot(placeOf(channel), generation),
  snapshotKey: (channel, id) => snapshotRoot(placeOf(channel), id),
  indexes: (channel) => packageDocuments.map((kind) => planOf(kind, channel)),
  documents,
  describe,
  snapshots,
  setupFiles: (channel, trust): SetupFile[] => [
    { key: repoFileKey(channel), text: writeRepoFile(channel, trust) },
  ],
};

export const yum: Format = { name: 'yum', packages, channels };
