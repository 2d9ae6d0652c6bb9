/** The record of an upload in the catalog, and taking it back. */
import type { Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow, PackageRow } from '../db/catalog.ts';
import { insertPendingChanges } from '../db/membership.ts';
import { insertPackage, insertUpload, withdraw, type Withdrawn } from '../db/packages.ts';
import type { Entry } from '../formats/format.ts';
import type { PackageFile } from '../formats/package.ts';
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
  readonly fresh: { readonly files: readonly PackageFile[]; readonly entries: readonly Entry[] } | null;
};

export type UploadRecord = {
  readonly channel: ChannelRow;
  readonly component: string;
  readonly package: NewPackage;
  readonly actor: Actor;
  readonly filename: string;
  readonly client: string;
  readonly declared: Declared;
};

/** Writes the package, the upload's event and the request to publish, all or nothing; returns the event's id. */
export async function recordUpload(
  { db, clock }: { readonly db: Catalog; readonly clock: Clock },
  upload: UploadRecord,
): Promise<string> {
  const at = clock.now();
  const { row, fresh } = upload.package;
  const { source, commit, ref, run, builder } = upload.declared;
  return await db.transaction().execute(async (transaction) => {
    if (fresh)
      await insertPackage(
        transaction,
        row,
        fresh.files.map((file, position) => ({
          package: row.id,
          position,
          path: file.path,
          type: file.type,
          size_bytes: file.sizeBytes,
          mode: file.mode,
          target: file.target ?? null,
        })),
        fresh.entries.map((entry) => ({ package: row.id, ...entry })),
      );
    const event = await recordEvent(transaction, {
      at,
      actor: upload.actor,
      repository: upload.channel.repository,
      channel: upload.channel.name,
      package: row.id,
      kind: 'upload',
      detail: { component: upload.component },
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
    await insertPendingChanges(transaction, [
      {
        id: event,
        channel: upload.channel.id,
        action: 'add',
        package: row.id,
        component: upload.component,
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
