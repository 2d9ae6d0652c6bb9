/** deb packages and apt suites as the rest of the server sees them. */
import { createHash } from 'node:crypto';
import { newFiles } from '../format.ts';
import type {
  ChannelForm,
  ChannelFormat,
  Chunks,
  Entry,
  EntryPlan,
  FileDigest,
  FilePlan,
  Format,
  GenerationFiles,
  GenerationForm,
  IndexPlan,
  NamedFile,
  PackageFormat,
  Placement,
  ServedFile,
  SetupFile,
  SignedDocument,
} from '../format.ts';
import { lineKey, qualifiedName } from './contents.ts';
import { parseDeb, type DebPackage } from './deb.ts';
import { relations } from './fulfil.ts';
import { writePackagesStanza } from './packages.ts';
import {
  byHashPath,
  channelRoot,
  compressedPath,
  contentsPath,
  packagesPath,
  poolKey,
  poolRoot,
  release as releaseNames,
  repositoryRoot,
  snapshotBase,
  snapshotRoot,
  type ChannelPlace,
} from './paths.ts';
import { writeRelease } from './release.ts';
import { snapshots } from './snapshots.ts';
import { sourcesFileKey, scriptFileKey, writeSetupScript, writeSourcesFile } from './setup.ts';
import { compareVersions } from './version.ts';

const packages: PackageFormat<DebPackage> = {
  extension: '.deb',
  compareVersions,
  relations,
  parse: parseDeb,
  signing: null,
  poolKey: (place, facts, distinct) =>
    poolKey(place, facts.source?.name ?? facts.identity.name, facts.filename, distinct),
  renderEntries(deb: DebPackage, served: ServedFile): Entry[] {
    return [{ kind: 'packages', body: `${writePackagesStanza(deb.control, served)}\n` }];
  },
};

function placeOf(channel: ChannelForm): ChannelPlace {
  return { repository: channel.repository, channel: channel.name };
}

/** `all` has an index of its own, and its packages stand in every other one too: Debian's way. */
function indexedArchitectures(channel: ChannelForm): string[] {
  return [...channel.architectures, 'all'];
}

function packagesPlan(channel: ChannelForm, component: string, architecture: string): EntryPlan {
  return {
    of: 'entries',
    id: packagesPath(component, architecture),
    entryKind: 'packages',
    averageEntryBytes: 800,
    compressions: channel.compressions,
    holds: (member) =>
      member.component === component &&
      (member.architecture === architecture || member.architecture === 'all'),
    head: () => '',
    foot: '',
  };
}

/**
 * Other than Packages, Contents of an architecture leaves out what is for all of them, as in Debian: by
 * `No-Support-for-Architecture-all: Packages` apt knows that it has to fetch `Contents-all` beside it.
 */
function contentsPlan(component: string, architecture: string): FilePlan {
  return {
    of: 'files',
    id: contentsPath(component, architecture),
    averageLineBytes: 80,
    holds: (member) => member.component === component && member.architecture === architecture,
    keyOf: lineKey,
    nameOf: qualifiedName,
  };
}

function indexes(channel: ChannelForm): IndexPlan[] {
  return channel.components.flatMap((component) =>
    indexedArchitectures(channel).flatMap((architecture) => [
      packagesPlan(channel, component, architecture),
      ...(channel.contents ? [contentsPlan(component, architecture)] : []),
    ]),
  );
}

type IndexFile = FileDigest & { readonly path: string; readonly chunks: Chunks | null };

function filesOf(generation: GenerationForm): IndexFile[] {
  return generation.indexes.flatMap((index) =>
    index.forms.map((form) => ({ ...form, path: compressedPath(index.id, form.compression) })),
  );
}

function describe(generation: GenerationForm): GenerationFiles {
  const { channel, date, validUntil } = generation;
  const raw = generation.indexes.map((index) => ({ path: index.id, ...index.raw }));
  const common = {
    origin: channel.origin,
    label: channel.label,
    suite: channel.name,
    codename: channel.name,
    description: channel.description,
    date,
    architectures: indexedArchitectures(channel),
    components: channel.components,
    snapshots: `${channel.publicUrl}/${repositoryRoot(channel.repository)}/snapshots/@SNAPSHOTID@/`,
    files: [...raw, ...filesOf(generation)],
  };
  const head = { text: writeRelease({ ...common, validUntil }), clearsign: true, detach: true };
  // A machine that is pinned to a snapshot must not expire: signed once, without Valid-Until.
  const pinned = { text: writeRelease(common), clearsign: true, detach: false };
  return {
    documents: generation.isNew ? [head, pinned] : [head],
    indexFiles: newFiles(namedFiles(generation)),
    frozenAliases: [
      ...plainNames(channelRoot(placeOf(channel)), generation),
      ...(generation.isNew ? snapshotLinks(generation) : []),
    ],
    place: ([signedHead, signedPinned]) => {
      if (!signedHead) throw new RangeError('Release has not been signed');
      return placeGeneration(generation, signedHead, signedPinned);
    },
  };
}

/** A file under its digest beside the pointer that shows it. */
function byHash(root: string, path: string, text: string): NamedFile {
  const bytes = Buffer.from(text);
  return {
    key: `${root}/${byHashPath(path, createHash('sha256').update(bytes).digest('hex'))}`,
    chunks: [bytes],
  };
}

function namedFiles(generation: GenerationForm): (IndexFile & { readonly key: string })[] {
  const root = channelRoot(placeOf(generation.channel));
  return filesOf(generation).map((file) => ({
    ...file,
    key: `${root}/${byHashPath(file.path, file.sha256)}`,
  }));
}

function placeGeneration(
  generation: GenerationForm,
  head: SignedDocument,
  pinned: SignedDocument | undefined,
): Placement {
  const root = channelRoot(placeOf(generation.channel));
  const files = namedFiles(generation);
  const inline = byHash(root, releaseNames.inline, head.clearsigned);
  const text = byHash(root, releaseNames.text, head.text);
  const signature = byHash(root, releaseNames.signature, head.detached);
  return {
    named: files.map(({ key, sha256, sizeBytes }) => ({ key, sha256, sizeBytes })),
    immutable: [inline, text, signature, ...(pinned ? [snapshotInline(generation, pinned)] : [])],
    aliases: files.map(({ path, key }) => ({ key: `${root}/${path}`, target: key })),
    // InRelease last: until then nothing has changed for a client (apt.md 5.2.15).
    pointers: [
      { key: `${root}/${releaseNames.signature}`, from: signature.key },
      { key: `${root}/${releaseNames.text}`, from: text.key },
      { key: `${root}/${releaseNames.inline}`, from: inline.key },
    ],
  };
}

/**
 * Release lists the plain form of each index too, and a client may ask for it by hash: under this name it is
 * found compressed and sent plain.
 */
function plainNames(root: string, { indexes }: GenerationForm): { key: string; target: string }[] {
  const named = (path: string, sha256: string): string => `${root}/${byHashPath(path, sha256)}`;
  return indexes.flatMap(({ id, raw, forms }) =>
    forms
      .filter(({ compression }) => compression === 'gzip')
      .map(({ sha256 }) => ({
        key: compressedPath(named(id, raw.sha256), 'gzip'),
        target: named(id, sha256),
      })),
  );
}

/** The same tree under the generation's number: its own InRelease, links to the rest. */
function snapshotInline({ channel, number }: GenerationForm, pinned: SignedDocument): NamedFile {
  const root = snapshotRoot(placeOf(channel), String(number));
  return { key: `${root}/${releaseNames.inline}`, chunks: [Buffer.from(pinned.clearsigned)] };
}

function snapshotLinks({ channel, number }: GenerationForm): { key: string; target: string }[] {
  const place = placeOf(channel);
  const root = snapshotRoot(place, String(number));
  return [
    ...channel.components.map((component) => ({
      key: `${root}/${component}`,
      target: `${channelRoot(place)}/${component}`,
    })),
    {
      key: `${snapshotBase(channel.repository, String(number))}/pool`,
      target: poolRoot(channel.repository),
    },
  ];
}

const channels: ChannelFormat = {
  baseKey: (channel) => repositoryRoot(channel.repository),
  folders: (repository) => ({
    root: repositoryRoot(repository),
    pool: poolRoot(repository),
  }),
  frozenKey: (channel, generation) => snapshotBase(channel.repository, String(generation)),
  snapshotKey: (channel, id) => snapshotBase(channel.repository, id),
  indexes,
  documents: new Map(),
  describe,
  snapshots,
  setupFiles: (channel, { armored }): SetupFile[] => [
    { key: sourcesFileKey(channel), text: writeSourcesFile(channel, armored) },
    { key: scriptFileKey(channel), text: writeSetupScript(channel) },
  ],
};

export const apt: Format = { name: 'apt', packages, channels };
