/** What a channel publishes beside its packages: temporal, as its packages are. */
import { gunzip, gzip } from 'node:zlib';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import type { Catalog, PendingDocumentRow } from './catalog.ts';

/** A document of a channel by its digest; `added_in` is the generation in which it came. */
export type ChannelDocument = { kind: string; sha256: string; added_in: number };

/** What a generation of a channel has, or its head, by kind. */
export async function listDocuments(
  db: Catalog,
  channel: string,
  generation?: number,
): Promise<Map<string, ChannelDocument>> {
  let query = db
    .selectFrom('channel_documents')
    .select(['kind', 'sha256', 'added_in'])
    .where('channel', '=', channel);
  if (generation === undefined) query = query.where('removed_in', 'is', null);
  else
    query = query
      .where('added_in', '<=', generation)
      .where((where) => where.or([where('removed_in', 'is', null), where('removed_in', '>', generation)]));
  return new Map((await query.orderBy('kind').execute()).map((row) => [row.kind, row]));
}

/** A text as the catalog keeps it: tens of megabytes of XML would hold everybody up while they are written. */
export async function packDocument(text: Uint8Array): Promise<string> {
  return (await promisify(gzip)(text)).toString('base64');
}

/** The bytes of the text with this digest; undefined when the catalog has none. */
export async function findDocument(db: Catalog, sha256: string): Promise<Buffer | undefined> {
  const row = await db.selectFrom('documents').select('body').where('sha256', '=', sha256).executeTakeFirst();
  return row && (await promisify(gunzip)(Buffer.from(row.body, 'base64')));
}

/** Keeps a text, packed, under its digest; the same text again is no change. */
export async function keepDocument(db: Catalog, sha256: string, body: string): Promise<void> {
  await db
    .insertInto('documents')
    .values({ sha256, body })
    .onConflict((conflict) => conflict.column('sha256').doNothing())
    .execute();
}

export async function insertPendingDocuments(
  db: Catalog,
  rows: readonly PendingDocumentRow[],
): Promise<void> {
  if (rows.length > 0) await db.insertInto('pending_documents').values(rows).execute();
}

/** A pending document with who asked for it. */
export type PendingDocument = PendingDocumentRow & { actor: string; cause: string };

/** Those of a channel in the order in which they were asked for. */
export async function listPendingDocuments(db: Catalog, channel: string): Promise<PendingDocument[]> {
  return await db
    .selectFrom('pending_documents as document')
    .innerJoin('events as event', 'event.id', 'document.event')
    .selectAll('document')
    .select(['event.actor', 'event.kind as cause'])
    .where('document.channel', '=', channel)
    .orderBy('document.id')
    .execute();
}

/** As `settleChanges`: they are gone, and their events name the generation. False when one was taken back. */
export async function settleDocuments(
  db: Catalog,
  documents: readonly PendingDocumentRow[],
  generation: number,
): Promise<boolean> {
  if (documents.length === 0) return true;
  const ids = documents.map(({ id }) => id);
  const deleted = await db.deleteFrom('pending_documents').where('id', 'in', ids).executeTakeFirst();
  await db
    .updateTable('events')
    .set({ generation: sql`coalesce(generation, ${generation})` })
    .where('id', 'in', [...new Set(documents.map(({ event }) => event))])
    .execute();
  return deleted.numDeletedRows === BigInt(documents.length);
}

/** From generation `generation` on a channel has this document of a kind, or none when `sha256` is null. */
export async function setDocument(
  db: Catalog,
  { channel, kind, sha256 }: { channel: string; kind: string; sha256: string | null },
  generation: number,
): Promise<void> {
  await db
    .updateTable('channel_documents')
    .set({ removed_in: generation })
    .where('channel', '=', channel)
    .where('kind', '=', kind)
    .where('removed_in', 'is', null)
    .execute();
  if (sha256 === null) return;
  await db
    .insertInto('channel_documents')
    .values({ channel, kind, sha256, added_in: generation, removed_in: null })
    .execute();
}

/** Those of these digests that the catalog has a text for. */
export async function listKnownDocuments(db: Catalog, digests: readonly string[]): Promise<Set<string>> {
  if (digests.length === 0) return new Set();
  const rows = await db.selectFrom('documents').select('sha256').where('sha256', 'in', digests).execute();
  return new Set(rows.map(({ sha256 }) => sha256));
}

/** Where a text of the catalog is or was; `channel` is null for one that no channel ever had. */
export type DocumentStay = {
  sha256: string;
  channel: string | null;
  added_in: number | null;
  removed_in: number | null;
};

/** Every stay of every text that the catalog has and that no pending change wants. */
export async function listDocumentStays(db: Catalog): Promise<DocumentStay[]> {
  return await db
    .selectFrom('documents as document')
    .leftJoin('channel_documents as stay', 'stay.sha256', 'document.sha256')
    .select(['document.sha256', 'stay.channel', 'stay.added_in', 'stay.removed_in'])
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('pending_documents as pending')
            .select('pending.id')
            .whereRef('pending.sha256', '=', 'document.sha256'),
        ),
      ),
    )
    .execute();
}

export async function deleteDocument(db: Catalog, sha256: string): Promise<void> {
  await db.deleteFrom('documents').where('sha256', '=', sha256).execute();
}
