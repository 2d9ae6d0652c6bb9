/** From a set of packages to the files of a generation, signed and durable, but not yet visible. */
import { isDeepStrictEqual } from 'node:util';
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import type {
  ChannelForm,
  Chunks,
  ComposedIndex,
  Compression,
  FileDigest,
  Placement,
} from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import { compose } from '../index/compose.ts';
import { parseOptions } from '../registry/channel-options.ts';
import type { Segment } from '../index/segments.ts';
import { clearsign, signDetached } from '../signing/documents.ts';
import type { Signer } from '../signing/signer.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../clock.ts';
import type { IndexState } from './channel-state.ts';
import type { EarlyFiles } from './early-files.ts';
import { settleAll } from './settle.ts';
import { FileDigester } from './file-digester.ts';

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
const usualOptions: { readonly compressions: readonly Compression[] } = { compressions: ['gzip'] };

/** A channel's row as the formats see it. */
export function channelForm(row: ChannelRow, publicUrl: string): ChannelForm {
  return {
    repository: row.repository,
    name: row.name,
    distribution: row.distribution,
    origin: row.origin,
    label: row.label,
    description: row.description,
    components: row.components.split(' ').filter(Boolean),
    architectures: row.architectures.split(' ').filter(Boolean),
    compressions: parseOptions(row).compressions ?? usualOptions.compressions,
    publicUrl,
  };
}

/** What a generation is published with beside its packages, to be compared with what it should be. */
export function writeSettings(form: ChannelForm): string {
  const { origin, label, description, components, architectures, publicUrl } = form;
  const { compressions } = form;
  // Left out while they are as usual, as in generations from before there was a choice.
  const unusual = isDeepStrictEqual(compressions, usualOptions.compressions) ? {} : { compressions };
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
  readonly digest: (form: string, chunks: Chunks) => Promise<FileDigest>;
};

/** Composes one index in every form that its plan asks for, and takes their digests. */
export async function composeIndex({ plan, segments }: IndexState, making: Making): Promise<ComposedIndex> {
  const count = countOf(segments);
  const head = plan.head(count);
  const { raw, gzip } = await compose(head, segments, plan.foot);
  const forms = await Promise.all(
    plan.compressions.map(async (compression) => {
      const chunks =
        compression === 'gzip' ? gzip : await making.grouped[compression](head, segments, plan.foot);
      making.begin(chunks);
      return { compression, ...(await making.digest(compression, chunks)), chunks };
    }),
  );
  return { id: plan.id, count, raw: await making.digest('raw', raw), forms };
}

/** The digest of an index as it is before any compression. */
export async function rawDigest({ plan, segments }: IndexState): Promise<FileDigest> {
  const { raw } = await compose(plan.head(countOf(segments)), segments, plan.foot);
  return await new FileDigester().digest(raw);
}

function countOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.keys.length, 0);
}

export type SignedGeneration = {
  /** Seconds since 1970: the Date of the Release. */
  readonly date: number;
  readonly signedAt: number;
  readonly placement: Placement;
};

/**
 * Signs a generation and makes everything that it names durable.
 * `previousDate`: Date never goes back, or apt silently keeps what it has (acquire-item.cc ignores a Release
 * that is older than the last); and it is ahead of the clock only when the clock went back.
 */
export async function signGeneration(
  deps: PublishDeps,
  channel: ChannelRow,
  generation: { number: number; isNew: boolean; indexes: readonly ComposedIndex[]; previousDate: number },
  files: EarlyFiles,
): Promise<SignedGeneration> {
  const { number, isNew, indexes } = generation;
  const signedAt = deps.clock.now();
  const date = Math.max(Math.floor(signedAt / 1000), generation.previousDate);
  const validUntil = date + Math.floor(deps.validMs / 1000);
  const form = channelForm(channel, deps.publicUrl);
  const { documents, place } = formatOf(channel.format).channels.describe({
    channel: form,
    number,
    date,
    validUntil,
    isNew,
    indexes,
  });
  const signer = await deps.signerOf(channel.repository);
  const signed = await Promise.all(
    documents.map(async (document) => ({
      ...document,
      clearsigned: document.clearsign ? await clearsign(document.text, [signer], date) : '',
      detached: document.detach ? await signDetached(Buffer.from(document.text), [signer], date) : '',
    })),
  );
  const placement = place(signed);
  await settleAll(placement.immutable.map((file) => files.put(file.key, file.chunks)));
  await settleAll(placement.frozenAliases.map((alias) => deps.store.putAlias(alias.key, alias.target)));
  return { date, signedAt, placement };
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
