/** From a set of packages to the files of a generation, signed and durable, but not yet visible. */
import { isDeepStrictEqual } from 'node:util';
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import type {
  ChannelForm,
  Chunks,
  ComposedIndex,
  Compression,
  EntryPlan,
  FileDigest,
  IndexFile,
  Placement,
  SignedDocument,
  UnsignedDocument,
} from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import { compose, plainPieces, type Composition } from '../index/compose.ts';
import { parseOptions } from '../db/channel-options.ts';
import type { CutText, Segment } from '../index/segments.ts';
import { clearsign, signDetached } from '../signing/documents.ts';
import type { Signer } from '../signing/signer.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../clock.ts';
import { isOfEntries, type EntryIndex, type IndexState } from './channel-state.ts';
import type { EarlyFiles } from './early-files.ts';
import { settleAll } from '../settle.ts';
import { FileDigester, type Piece } from './file-digester.ts';
import { prepareGeneration, preparePointers, readShown, type Unveiling, type Visible } from './visible.ts';

export type PublishDeps = {
  readonly db: Catalog;
  readonly store: Store;
  readonly clock: Clock;
  /** No trailing slash. */
  readonly publicUrl: string;
  /** From Date to Valid-Until. */
  readonly validMs: number;
  readonly signerOf: (repository: string) => Promise<Signer>;
};

/** What is published where the options say nothing. */
const usualOptions: Pick<ChannelForm, 'compressions' | 'contents'> = {
  compressions: ['gzip'],
  // Only machines with apt-file ask for it, and it is larger than all other indexes together.
  contents: false,
};

/** A channel's row as the formats see it. */
export function channelForm(row: ChannelRow, publicUrl: string): ChannelForm {
  const options = parseOptions(row);
  return {
    repository: row.repository,
    name: row.name,
    distribution: row.distribution,
    origin: row.origin,
    label: row.label,
    description: row.description,
    components: row.components.split(' ').filter(Boolean),
    architectures: row.architectures.split(' ').filter(Boolean),
    compressions: options.compressions ?? usualOptions.compressions,
    contents: options.contents ?? usualOptions.contents,
    publicUrl,
  };
}

/** What a generation is published with beside its packages, to be compared with what it should be. */
export function writeSettings(form: ChannelForm): string {
  const { origin, label, description, components, architectures, publicUrl } = form;
  const { compressions, contents } = form;
  // Left out while they are as usual, as in generations from before there was a choice.
  const unusual = {
    ...(isDeepStrictEqual(compressions, usualOptions.compressions) ? {} : { compressions }),
    ...(contents === usualOptions.contents ? {} : { contents }),
  };
  return JSON.stringify({ origin, label, description, components, architectures, publicUrl, ...unusual });
}

/** The channel as a generation was published with it; what `writeSettings` kept over what it is now. */
export function publishedForm(channel: ChannelRow, settings: string): ChannelForm {
  // Written by writeSettings into our own catalog; empty in generations of the first version.
  const published = settings === '' ? {} : (JSON.parse(settings) as Partial<ChannelForm>);
  return { ...channelForm(channel, ''), ...usualOptions, ...published };
}

/** Makes the forms of an index other than gzip, which each segment has ready. */
export type GroupedForms = Readonly<
  Record<
    Exclude<Compression, 'gzip'>,
    (head: string, segments: readonly Segment[], foot: string) => Promise<Chunks>
  >
>;

/** What becomes of the files of an index while they are composed. */
export type Making = {
  readonly grouped: GroupedForms;
  /** Every compressed form, before anything is known of it. */
  readonly begin: (chunks: Chunks) => void;
  /** The digest of a form: `raw`, `gzip`, … */
  readonly digest: (form: string, pieces: readonly Piece[]) => Promise<FileDigest>;
};

/** Composes one index in every form that its plan asks for, and takes their digests. */
export async function composeIndex(index: IndexState, making: Making): Promise<ComposedIndex> {
  const { raw, gzip } = composeTexts(index);
  const form = async (compression: Compression, chunks: Chunks): Promise<IndexFile> => {
    making.begin(chunks);
    return { compression, ...(await making.digest(compression, chunks)), chunks };
  };
  const made = async (entries: EntryIndex, compression: Compression): Promise<Chunks> =>
    compression === 'gzip'
      ? gzip
      : await making.grouped[compression](headOf(entries), entries.segments, entries.plan.foot);
  // The plain one first: it takes longest.
  const [rawOf, ...forms] = await Promise.all([
    making.digest('raw', raw),
    ...(isOfEntries(index)
      ? index.plan.compressions.map(async (name) => form(name, await made(index, name)))
      : [form('gzip', gzip)]),
  ]);
  return { id: index.plan.id, count: countOf(index.segments), raw: rawOf, forms };
}

/** What the plain file of an index will consist of. */
export function rawPieces(plan: EntryPlan, texts: readonly CutText[]): Piece[] {
  const pieces = texts.map(({ raw }) => raw);
  return plainPieces(plan.head(countOf(texts)), pieces, plan.foot);
}

/** The digest of an index as it is before any compression. */
export async function rawDigest(index: IndexState): Promise<FileDigest> {
  return await new FileDigester().digest(composeTexts(index).raw);
}

function composeTexts(index: IndexState): Composition {
  if (!isOfEntries(index)) return compose('', index.segments, '');
  return compose(headOf(index), index.segments, index.plan.foot);
}

function headOf({ plan, segments }: EntryIndex): string {
  return plan.head(countOf(segments));
}

function countOf(segments: readonly { readonly count: number }[]): number {
  return segments.reduce((sum, { count }) => sum + count, 0);
}

export type SignedGeneration = {
  /** Seconds since 1970: the Date of the Release. */
  readonly date: number;
  readonly signedAt: number;
  readonly placement: Placement;
  readonly unveiling: Unveiling;
};

/**
 * Signs a generation and makes everything that it names durable. What shows it is ready then, and is either shown or
 * discarded by the caller.
 * `previousDate`: Date never goes back, or apt silently keeps what it has (acquire-item.cc ignores a Release
 * that is older than the last); and it is ahead of the clock only when the clock went back.
 */
export async function signGeneration(
  deps: PublishDeps,
  channel: ChannelRow,
  generation: {
    number: number;
    isNew: boolean;
    indexes: readonly ComposedIndex[];
    previousDate: number;
    /** What is shown now, where that is known. */
    before: Visible | null;
  },
  files: EarlyFiles,
): Promise<SignedGeneration> {
  const { number, isNew, indexes, before } = generation;
  const shown = readShown(deps.store, before?.pointers ?? []);
  const signedAt = deps.clock.now();
  const date = Math.max(Math.floor(signedAt / 1000), generation.previousDate);
  const validUntil = date + Math.floor(deps.validMs / 1000);
  const form = channelForm(channel, deps.publicUrl);
  const { documents, indexFiles, frozenAliases, place } = formatOf(channel.format).channels.describe({
    channel: form,
    number,
    date,
    validUntil,
    isNew,
    indexes,
  });
  const signer = await deps.signerOf(channel.repository);
  const signing = signDocuments(documents, signer, date);
  await settleAll([files.place(indexFiles, frozenAliases), signing.then(() => undefined)]);
  const placement = place(await signing);
  const unveiling = await placeDocuments(deps.store, placement, { date, shown });
  return { date, signedAt, placement, unveiling };
}

/** Makes the signed documents durable, and gets the pointers ready that show them. */
async function placeDocuments(
  store: Store,
  { immutable, aliases, pointers }: Placement,
  { date, shown }: { readonly date: number; readonly shown: ReturnType<typeof readShown> },
): Promise<Unveiling> {
  const known = new Map(immutable.map(({ key, chunks }) => [key, Buffer.concat(chunks)]));
  const prepared = await preparePointers(store, pointers, { date, known, shown });
  const times = new Map(prepared.map(({ from, lastModifiedMs }) => [from, lastModifiedMs]));
  const files = immutable.map(({ key, chunks }) => ({ key, file: store.stage(chunks, times.get(key)) }));
  const staged = new Map(files.map(({ key, file }) => [key, file]));
  const shownFiles = prepared.map((pointer) => ({ ...pointer, file: staged.get(pointer.from) }));
  const unveiling = prepareGeneration(store, aliases, shownFiles);
  try {
    await unveiling.prepared;
    await store.placeAll({ files, aliases: [] });
    return unveiling;
  } catch (error) {
    await Promise.all([unveiling.discard(), ...files.map(({ file }) => file.discard())]);
    throw error;
  }
}

/** Signs what a format wants signed. The same documents, key and date give the same signatures. */
export async function signDocuments(
  documents: readonly UnsignedDocument[],
  signer: Signer,
  date: number,
): Promise<SignedDocument[]> {
  return await Promise.all(
    documents.map(async (document) => ({
      ...document,
      clearsigned: document.clearsign ? await clearsign(document.text, [signer], date) : '',
      detached: document.detach ? await signDetached(Buffer.from(document.text), [signer], date) : '',
    })),
  );
}

/** What the catalog keeps of a generation's indexes. */
export function writeIndexes(indexes: readonly ComposedIndex[]): string {
  return JSON.stringify(
    indexes.map((index) => ({ ...index, forms: index.forms.map((form) => ({ ...form, chunks: null })) })),
  );
}

/** The indexes as `writeIndexes` kept them: their files are in the store, their bytes are not here. */
export function parseIndexes(text: string): ComposedIndex[] {
  // Written by writeIndexes into our own catalog.
  return JSON.parse(text) as ComposedIndex[];
}
