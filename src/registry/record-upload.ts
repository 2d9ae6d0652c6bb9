/** The record of an upload in the catalog, and taking it back. */
import type { Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow, PackageRow } from '../db/catalog.ts';
import { insertPendingChanges } from '../db/membership.ts';
import {
  insertPackage,
  insertUpload,
  withdraw,
  type PackageContents,
  type Withdrawn,
} from '../db/packages.ts';
import type { Entry } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import type { PackageFile, Relation } from '../formats/package.ts';
import { recordEvent } from './record-event.ts';

/** Where a package came from, as its uploader says: nothing of it is checked. */
export type Declared = {
  readonly source: string | null;
  readonly commit: string | null;
  readonly ref: string | null;
  readonly run: string | null;
  readonly builder: string | null;
};

/** A package's row, with what else is kept of it when it is new to the catalog. */
export type NewPackage = {
  readonly row: PackageRow;
  readonly fresh: Fresh | null;
};

type Fresh = {
  readonly files: readonly PackageFile[];
  readonly relations: readonly Relation[];
  readonly entries: readonly Entry[];
};

/** Where a package is published. */
export type Destination = { readonly channel: ChannelRow; readonly component: string };

export type UploadRecord = {
  readonly repository: string;
  /** Null when it is to be published later. */
  readonly destination: Destination | null;
  readonly package: NewPackage;
  readonly actor: Actor;
  readonly filename: string;
  readonly client: string;
  readonly declared: Declared;
};

function contentsOf({ id, format }: PackageRow, { files, relations, entries }: Fresh): PackageContents {
  const { names } = formatOf(format).packages.relations;
  return {
    files: files.map((file, position) => ({
      package: id,
      position,
      path: file.path,
      type: file.type,
      size_bytes: file.sizeBytes,
      mode: file.mode,
      target: file.target ?? null,
    })),
    relations: relations.flatMap((relation, position) =>
      [...new Set(names(relation))].map((name) => ({ package: id, position, ...relation, name })),
    ),
    entries: entries.map((entry) => ({ package: id, ...entry })),
  };
}

/** Writes the package, the upload's event and the request to publish, all or nothing; returns the event's id. */
export async function recordUpload(
  { db, clock }: { readonly db: Catalog; readonly clock: Clock },
  upload: UploadRecord,
): Promise<string> {
  const at = clock.now();
  const { destination } = upload;
  const { row, fresh } = upload.package;
  const { source, commit, ref, run, builder } = upload.declared;
  return await db.transaction().execute(async (transaction) => {
    if (fresh) await insertPackage(transaction, row, contentsOf(row, fresh));
    const event = await recordEvent(transaction, {
      at,
      actor: upload.actor,
      repository: upload.repository,
      ...(destination ? { channel: destination.channel.name } : {}),
      package: row.id,
      kind: destination ? 'upload' : 'stage',
      detail: destination ? { component: destination.component } : {},
    });
    await insertUpload(transaction, {
      event,
      package: row.id,
      filename: upload.filename,
      client: upload.client,
      uploaded_sha256: row.uploaded_sha256,
      sha256: row.sha256,
      source,
      commit_id: commit,
      ref,
      run,
      builder,
    });
    if (destination)
      await insertPendingChanges(transaction, [
        {
          id: event,
          channel: destination.channel.id,
          action: 'add',
          package: row.id,
          component: destination.component,
          event,
        },
      ]);
    return event;
  });
}

/** Takes an upload back whose publication failed, and its package when nothing else brought or uses it. */
export async function withdrawUpload(db: Catalog, event: string, packageId: string): Promise<Withdrawn> {
  return await db.transaction().execute((transaction) => withdraw(transaction, event, packageId));
}
