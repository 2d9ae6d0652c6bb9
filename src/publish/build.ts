/** From a set of packages to the files of a generation, signed and durable, but not yet visible. */
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { loadEntries, type Member } from '../db/membership.ts';
import type { ChannelForm, ComposedIndex, IndexPlan, Placement } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import { compose } from '../index/compose.ts';
import { clearsign, signDetached } from '../signing/documents.ts';
import type { Signer } from '../signing/signer.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../clock.ts';

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
    publicUrl,
  };
}

/** The indexes of a channel over these members. */
export async function composeIndexes(
  db: Catalog,
  plans: readonly IndexPlan[],
  members: readonly Member[],
): Promise<ComposedIndex[]> {
  const sorted = [...members].sort(byIdentity);
  const ids = [...new Set(sorted.map((member) => member.package))];
  const bodies = new Map<string, Map<string, string>>();
  const composed: ComposedIndex[] = [];
  for (const plan of plans) {
    const known = bodies.get(plan.entryKind) ?? (await loadEntries(db, plan.entryKind, ids));
    bodies.set(plan.entryKind, known);
    const texts = sorted
      .filter((member) => plan.holds(member))
      .map((member) => {
        const body = known.get(member.package);
        if (body === undefined) throw new Error(`package ${member.package} has no ${plan.entryKind} entry`);
        return body;
      });
    const { raw, gzip } = compose(plan.head(texts.length), texts, plan.foot);
    composed.push({ id: plan.id, count: texts.length, raw, forms: [{ compression: 'gzip', ...gzip }] });
  }
  return composed;
}

/** The order of every index: by name, version, architecture and digest as plain strings, so that it is total. */
function byIdentity(a: Member, b: Member): number {
  return (
    compareText(a.name, b.name) ||
    compareText(a.version, b.version) ||
    compareText(a.architecture, b.architecture) ||
    compareText(a.sha256, b.sha256)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
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
  await Promise.all(placement.immutable.map((file) => deps.store.putImmutable(file.key, file.bytes)));
  await Promise.all(placement.frozenAliases.map((alias) => deps.store.putAlias(alias.key, alias.target)));
  return { date, signedAt, placement };
}

/** What the catalog keeps of a generation's indexes. */
export function writeIndexes(indexes: readonly ComposedIndex[]): string {
  return JSON.stringify(
    indexes.map((index) => ({ ...index, forms: index.forms.map((form) => ({ ...form, bytes: null })) })),
  );
}

/** The indexes as `writeIndexes` kept them: their files are in the store, their bytes are not here. */
export function parseIndexes(text: string): ComposedIndex[] {
  // Written by writeIndexes into our own catalog.
  return JSON.parse(text) as ComposedIndex[];
}
