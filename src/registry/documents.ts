/** The documents that a channel publishes beside its packages: updateinfo, comps and modules of a yum channel. */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Catalog, ChannelRow, GenerationRow } from '../db/catalog.ts';
import { findDocument, listDocuments, packDocument, type ChannelDocument } from '../db/documents.ts';
import { AppError } from '../errors.ts';
import type { DocumentFormat } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import { parseIndexes } from '../publish/build.ts';
import { changeChannel, type ChangeDeps, type ChangeReport } from './change-channel.ts';
import { needChannel } from './find.ts';
import type { PackageReaders } from './package-readers.ts';
import { receive, type ClaimedDigest, type ReceiveLimits } from './receive.ts';

export type PutDocumentDeps = ChangeDeps & {
  readonly readers: PackageReaders;
  readonly stagingDir: string;
  readonly receiveLimits: ReceiveLimits;
};

type DocumentRequest = {
  readonly actor: Actor;
  readonly repository: string;
  readonly channel: string;
  readonly kind: string;
  readonly dryRun: boolean;
  readonly plan?: string | undefined;
};

export type PutDocumentRequest = DocumentRequest & {
  readonly body: Readable;
  readonly digests: readonly ClaimedDigest[];
  /** As for uploads: called once it is known that the body will be read. */
  readonly beforeBody: () => void;
};

/**
 * Puts a document in the place of that of its kind and publishes it. Throws `not_found`, what `receive` throws, what
 * the format's check throws, and `plan_changed`. Nothing stays of what was refused.
 */
export async function putDocument(deps: PutDocumentDeps, request: PutDocumentRequest): Promise<ChangeReport> {
  const { channel, format } = await admit(deps.db, request);
  const limits = { ...deps.receiveLimits, maxBytes: format.maxBytes };
  request.beforeBody();
  const staged = await receive(deps.stagingDir, request.body, limits, request.digests);
  let body: string;
  try {
    const reader = await deps.readers.lease();
    try {
      await reader.checkDocument({ format: channel.format, document: request.kind, path: staged.path });
    } finally {
      reader.release();
    }
    body = await packDocument(await readFile(staged.path));
  } finally {
    await rm(staged.path, { force: true });
  }
  const { sha256, sizeBytes } = staged;
  return await change(deps, request, channel, { sha256, body }, { sha256, size: sizeBytes });
}

/** Takes a document out of a channel. Throws `not_found`, also when there is none, and `plan_changed`. */
export async function removeDocument(deps: ChangeDeps, request: DocumentRequest): Promise<ChangeReport> {
  const { channel } = await admit(deps.db, request);
  await needDocument(deps.db, channel, request.kind);
  return await change(deps, request, channel, { sha256: '' }, { sha256: null });
}

async function admit(
  db: Catalog,
  { actor, repository, channel: name, kind }: DocumentRequest,
): Promise<{ channel: ChannelRow; format: DocumentFormat }> {
  authorise(actor, 'upload', repository);
  const channel = await needChannel(db, actor, repository, name);
  return { channel, format: needFormat(channel, kind) };
}

function needFormat({ id, format }: ChannelRow, kind: string): DocumentFormat {
  const { documents } = formatOf(format).channels;
  const known = documents.get(kind);
  if (known) return known;
  const kinds = documents.size === 0 ? 'none' : [...documents.keys()].join(', ');
  throw new AppError(
    'not_found',
    `${id} is an ${format} channel and has no document "${kind}"; its kinds: ${kinds}.`,
  );
}

async function change(
  deps: ChangeDeps,
  { actor, kind, dryRun, plan }: DocumentRequest,
  channel: ChannelRow,
  document: { readonly sha256: string; readonly body?: string },
  detail: Readonly<Record<string, unknown>>,
): Promise<ChangeReport> {
  return await changeChannel(deps, {
    actor,
    channel,
    kind: 'document',
    detail: () => ({ document: kind, ...detail }),
    dryRun,
    // Packages come and go with no document.
    force: true,
    plan,
    changes: () => Promise.resolve([]),
    documents: () => Promise.resolve([{ kind, ...document }]),
  });
}

async function needDocument(db: Catalog, channel: ChannelRow, kind: string): Promise<ChannelDocument> {
  const found = (await listDocuments(db, channel.id)).get(kind);
  if (!found) throw new AppError('not_found', `${channel.id} has no ${kind} now.`);
  return found;
}

/** A document of the head: its text, as it was uploaded. Throws `not_found`. */
export async function readDocument(
  db: Catalog,
  channel: ChannelRow,
  kind: string,
): Promise<{ text: string; sha256: string; mediaType: string }> {
  const { mediaType } = needFormat(channel, kind);
  const { sha256 } = await needDocument(db, channel, kind);
  // UTF-8, said the check when it came.
  const text = (await findDocument(db, sha256))?.toString();
  if (text === undefined) throw new Error(`the document ${sha256} is missing from the catalog`);
  return { text, sha256, mediaType };
}

/** The documents of a generation that are not what was uploaded, by kind: for fsck. */
export async function faultyDocuments(
  db: Catalog,
  channel: ChannelRow,
  row: Pick<GenerationRow, 'number' | 'indexes'>,
): Promise<string[]> {
  const { documents } = formatOf(channel.format).channels;
  const asked = await listDocuments(db, channel.id, row.number);
  const published = new Map(parseIndexes(row.indexes).map(({ id, raw }) => [id, raw.sha256]));
  const faulty: string[] = [];
  for (const kind of documents.keys()) {
    const sha256 = asked.get(kind)?.sha256;
    const body = sha256 === undefined ? undefined : await findDocument(db, sha256);
    const derived = body === undefined ? undefined : createHash('sha256').update(body).digest('hex');
    if (sha256 !== derived || sha256 !== published.get(kind)) faulty.push(kind);
  }
  return faulty;
}
