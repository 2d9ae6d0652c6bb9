/** A channel's generations: what they are, what each brought, and what lies between any two. */
import type { Catalog, ChannelRow, GenerationRow } from '../db/catalog.ts';
import { listMoved, listNamed, type ChannelPackage } from '../db/channel-packages.ts';
import { listDocuments } from '../db/documents.ts';
import { findGeneration } from '../db/generations.ts';
import { AppError } from '../errors.ts';
import { formatOf } from '../formats/formats.ts';
import { documentMoves } from '../publish/documents.ts';
import { differenceOf, placeKey, type Difference } from './difference.ts';

/** Throws `not_found` for a generation that the channel never had. */
export async function needGeneration(
  db: Catalog,
  channel: ChannelRow,
  number: number,
): Promise<GenerationRow> {
  const row = await findGeneration(db, channel.id, number);
  if (!row)
    throw new AppError(
      'not_found',
      `${channel.id} has no generation ${number}; its head is ${channel.head}.`,
    );
  return row;
}

/** What differs between two generations, in either direction. */
export async function movedBetween(
  db: Catalog,
  channel: ChannelRow,
  from: number,
  to: number,
): Promise<{ added: ChannelPackage[]; removed: ChannelPackage[] }> {
  if (from > to) {
    const { added, removed } = await movedBetween(db, channel, to, from);
    return { added: removed, removed: added };
  }
  const { added, removed } = await listMoved(db, channel.id, { after: from, upTo: to });
  // What went and came back is in both.
  const back = new Set(added.map(placeKey));
  const gone = new Set(removed.map(placeKey));
  return {
    added: added.filter((item) => !gone.has(placeKey(item))),
    removed: removed.filter((item) => !back.has(placeKey(item))),
  };
}

/** What a client meets that goes from one generation to another. 0 is the channel before its first. */
export async function diffGenerations(
  db: Catalog,
  channel: ChannelRow,
  from: number,
  to: number,
): Promise<Difference> {
  for (const number of [from, to]) if (number !== 0) await needGeneration(db, channel, number);
  const { added, removed } = await movedBetween(db, channel, from, to);
  const names = [...new Set([...added, ...removed].map((item) => item.name))];
  const [before, after] = await Promise.all([
    listNamed(db, channel.id, names, from),
    listNamed(db, channel.id, names, to),
  ]);
  const documents = documentMoves(
    await listDocuments(db, channel.id, from),
    await listDocuments(db, channel.id, to),
  );
  return differenceOf(before, after, formatOf(channel.format).packages.compareVersions, documents);
}
