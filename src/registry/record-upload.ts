/** The record of an upload in the catalog, and taking it back. */
import type { Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow, PackageFileRow, PackageRow } from '../db/catalog.ts';
import { keepPackage } from '../db/collection.ts';
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
import { openEphemeral } from './ephemeral.ts';
import { recordEvent } from './record-event.ts';
import { transact, transactBefore } from '../db/transact.ts';

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
  /** As JSON, some at a time. */
  readonly files: readonly Uint8Array[];
  readonly relations: readonly Relation[];
  readonly entries: readonly Entry[];
};

export type UploadRecorderDeps = {
  readonly db: Catalog;
  readonly clock: Clock;
  /** Resolves when no round of publishing runs in a channel. Never rejects. */
  readonly settled: (channel: string) => Promise<void>;
};

/** Where a package is published; an ephemeral channel is made by the record when it is not there. */
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

function* fileRows(id: string, runs: readonly Uint8Array[]): Generator<PackageFileRow, void> {
  let position = 0;
  for (const run of runs)
    // Written by package-reader-worker.ts.
    for (const file of JSON.parse(Buffer.from(run).toString()) as PackageFile[])
      yield {
        package: id,
        position: position++,
        path: file.path,
        type: file.type,
        size_bytes: file.sizeBytes,
        mode: file.mode,
        target: file.target ?? null,
      };
}

function contentsOf({ id, format }: PackageRow, { files, relations, entries }: Fresh): PackageContents {
  const { names } = formatOf(format).packages.relations;
  return {
    files: fileRows(id, files),
    relations: relations.flatMap((relation, position) =>
      [...new Set(names(relation))].map((name) => ({ package: id, position, ...relation, name })),
    ),
    entries: entries.map((entry) => ({ package: id, ...entry })),
  };
}

/** Writes the package, the upload's event and the request to publish; returns the event's id. */
async function writeRecord(db: Catalog, at: number, upload: UploadRecord): Promise<string> {
  const { destination } = upload;
  const { row, fresh } = upload.package;
  const { source, commit, ref, run, builder } = upload.declared;
  if (destination) await openEphemeral(db, destination.channel, upload.actor, at);
  if (fresh) await insertPackage(db, row, contentsOf(row, fresh));
  else await keepPackage(db, row.id, at);
  const event = await recordEvent(db, {
    at,
    actor: upload.actor,
    repository: upload.repository,
    ...(destination ? { channel: destination.channel.name } : {}),
    package: row.id,
    kind: destination ? 'upload' : 'stage',
    detail: destination ? { component: destination.component } : {},
  });
  await insertUpload(db, {
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
    await insertPendingChanges(db, [
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
}

type Waiting = {
  readonly upload: UploadRecord;
  readonly resolve: (event: string) => void;
  readonly reject: (error: unknown) => void;
};

/** Uploads in one transaction: it is held open without a break, and nobody else reads the catalog meanwhile. */
const uploadsPerTransaction = 32;

/**
 * Writes uploads into the catalog, many in one transaction: a commit waits for the disk, and costs about the same
 * whatever it holds. Each upload is written whole or not at all, and none fails with another one.
 */
export class UploadRecorder {
  readonly #deps: UploadRecorderDeps;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(deps: UploadRecorderDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves with the id of the upload's event once it is recorded. An upload into a channel that is being
   * published waits for the end of that round with the others that do: it could not be part of it any more, and
   * the next one begins right after.
   */
  async record(upload: UploadRecord): Promise<string> {
    const channel = upload.destination?.channel.id ?? '';
    return await new Promise<string>((resolve, reject) => {
      const waiting = this.#waiting.get(channel);
      if (waiting) waiting.push({ upload, resolve, reject });
      else {
        this.#waiting.set(channel, [{ upload, resolve, reject }]);
        void this.#writeAll(channel);
      }
    });
  }

  /** Never rejects: each upload is told by itself. */
  async #writeAll(channel: string): Promise<void> {
    for (let waiting = this.#waiting.get(channel); waiting; waiting = this.#waiting.get(channel)) {
      if (waiting.length === 0) this.#waiting.delete(channel);
      else {
        await this.#deps.settled(channel);
        await this.#write(waiting.splice(0, uploadsPerTransaction));
      }
    }
  }

  async #write(uploads: readonly Waiting[]): Promise<void> {
    const at = this.#deps.clock.now();
    // Nobody is told of what is to be published before that is committed.
    const isPublished = uploads.every(({ upload }) => upload.destination !== null);
    const record = isPublished ? transactBefore : transact;
    try {
      const events = await record(this.#deps.db, async (transaction) => {
        const written: string[] = [];
        for (const { upload } of uploads) written.push(await writeRecord(transaction, at, upload));
        return written;
      });
      uploads.forEach(({ resolve }, i) => resolve(events[i] ?? ''));
    } catch (error) {
      const [only] = uploads;
      if (only && uploads.length === 1) only.reject(error);
      // One of them is at fault: it fails alone, and the others do not.
      else for (const upload of uploads) await this.#write([upload]);
    }
  }
}

/** Takes an upload back whose publication failed, and its package when nothing else brought or uses it. */
export async function withdrawUpload(db: Catalog, event: string, packageId: string): Promise<Withdrawn> {
  return await transact(db, (transaction) => withdraw(transaction, event, packageId));
}
