/**
 * The files that nothing needs any more, found by listing the tree and deleted.
 *
 * Why nothing that is needed is ever deleted:
 *
 * 1. A file of an index, a document or an alias is deleted only if no generation names it that is kept, or was
 *    collected less than `fileDelayMs` ago. The deletion runs while nothing is published in the repository
 *    (`Publisher.quietly`) and after looking for generations that were committed since the marks were made: so
 *    between a look and its deletion nobody comes to name the file. A round that begins afterwards does not find
 *    it and writes it again.
 * 2. A package file is deleted only if its row says that it was collected that long ago, or there is no row. That
 *    is looked up under the lock under which uploads put files there and write rows (`packageLock`).
 * 3. A row is marked in the transaction that finds that nothing holds the package, and whoever wants to hold it
 *    makes sure in the transaction of his request that it is not marked (collect.ts). Only an upload of the same
 *    bytes takes the mark away, in the transaction in which it is recorded, when the file is there.
 * 4. What no generation names may be about to be named: it is left alone until it is as old as the grace time,
 *    and at least `fileDelayMs`.
 *
 * A crash between any two deletions leaves files that the next sweep finds again in the same way: nothing is
 * remembered of a sweep but what is in the tree and in the rows.
 */
import type { Catalog, ChannelRow, GenerationRow } from '../db/catalog.ts';
import { listAllChannels } from '../db/channels.ts';
import { findByPaths, listStoredGenerations } from '../db/collection.ts';
import { listPins } from '../db/pins.ts';
import { formatNames, formatOf } from '../formats/formats.ts';
import type { FormatName } from '../formats/package.ts';
import { publishedForm } from '../publish/build.ts';
import { expectedOf } from '../publish/expected.ts';
import type { Publisher } from '../publish/publisher.ts';
import { parseVisible } from '../publish/visible.ts';
import type { Store, StoredKey } from '../store/store.ts';
import { pinAliases } from './pins.ts';
import { packageLock, type Mutexes } from './mutexes.ts';

/** From the mark in the catalog to the deletion of the file. */
export const fileDelayMs = 3_600_000;
const generationsPerPage = 100;
/** Deleted while publishing waits: some milliseconds. */
const keysPerBatch = 100;

export type SweepDeps = {
  readonly db: Catalog;
  readonly store: Store;
  readonly publisher: Publisher;
  readonly identities: Mutexes;
};

export type Swept = { readonly key: string; readonly size: number };
export type SweepReport = {
  readonly deleted: Swept[];
  /** What only rows name that were collected so shortly ago that the files are still there. */
  readonly waiting: Swept[];
};

export type SweepRequest = {
  readonly repository: string;
  readonly now: number;
  readonly graceMs: number;
  readonly dryRun: boolean;
  /** What a dry run would have marked: generations as `generationKey`, packages by their paths. */
  readonly marked: ReadonlySet<string>;
};

export function generationKey({ channel, number }: Pick<GenerationRow, 'channel' | 'number'>): string {
  return `${channel} ${number}`;
}

export async function sweep(deps: SweepDeps, request: SweepRequest): Promise<SweepReport> {
  const report: SweepReport = { deleted: [], waiting: [] };
  const marks = new Marks(deps.db, request);
  await marks.read();
  for (const format of formatNames) {
    const { root, pool } = formatOf(format).channels.folders(request.repository);
    await sweepFolder(deps, request, { root, pool, format, marks, report });
  }
  const setup = { root: `setup/${request.repository}`, pool: '', format: null, marks, report };
  await sweepFolder(deps, request, setup);
  for (const files of [report.deleted, report.waiting]) files.sort((a, b) => (a.key < b.key ? -1 : 1));
  return report;
}

type Folder = {
  readonly root: string;
  readonly pool: string;
  readonly format: FormatName | null;
  readonly marks: Marks;
  readonly report: SweepReport;
};

async function sweepFolder(deps: SweepDeps, request: SweepRequest, folder: Folder): Promise<void> {
  let dead: StoredKey[] = [];
  let pooled: StoredKey[] = [];
  for await (const entry of deps.store.list(folder.root)) {
    if (folder.pool !== '' && entry.key.startsWith(`${folder.pool}/`)) pooled.push(entry);
    else if (folder.marks.isWaiting(entry.key)) folder.report.waiting.push(sweptOf(entry));
    else if (!folder.marks.has(entry.key) && isOld(entry, request)) dead.push(entry);
    if (dead.length >= keysPerBatch) await deleteDead(deps, request, folder, dead.splice(0));
    if (pooled.length >= keysPerBatch) await sweepPool(deps, request, folder, pooled.splice(0));
  }
  await deleteDead(deps, request, folder, dead.splice(0));
  await sweepPool(deps, request, folder, pooled.splice(0));
  dead = pooled = [];
}

function sweptOf({ key, sizeBytes }: StoredKey): Swept {
  return { key, size: sizeBytes };
}

function isOld({ lastModifiedMs }: StoredKey, { now, graceMs }: SweepRequest): boolean {
  return lastModifiedMs <= now - Math.max(graceMs, fileDelayMs);
}

/** Indexes, documents, aliases and set-up files. */
async function deleteDead(
  { publisher, store }: SweepDeps,
  { repository, dryRun }: SweepRequest,
  { marks, report }: Folder,
  dead: readonly StoredKey[],
): Promise<void> {
  if (dead.length === 0) return;
  if (dryRun) {
    report.deleted.push(...dead.map(sweptOf));
    return;
  }
  await publisher.quietly(repository, async (held) => {
    await marks.readOn();
    for (const entry of dead) {
      if (marks.has(entry.key)) continue;
      held.confirm();
      await store.delete(entry.key);
      report.deleted.push(sweptOf(entry));
    }
  });
}

async function sweepPool(
  { db, store, identities }: SweepDeps,
  request: SweepRequest,
  { format, report }: Folder,
  entries: readonly StoredKey[],
): Promise<void> {
  const paths = entries.map(({ key }) => key);
  const rows = new Map((await findByPaths(db, paths)).map((row) => [row.path, row.collected_at]));
  const isDead = (entry: StoredKey, collectedAt: number | null | undefined): boolean =>
    collectedAt === undefined
      ? isOld(entry, request)
      : collectedAt !== null && collectedAt <= request.now - fileDelayMs;
  for (const entry of entries) {
    const { key } = entry;
    const collectedAt = request.marked.has(key) ? request.now : rows.get(key);
    if (!isDead(entry, collectedAt)) {
      if (collectedAt !== undefined && collectedAt !== null) report.waiting.push(sweptOf(entry));
      continue;
    }
    if (request.dryRun) {
      report.deleted.push(sweptOf(entry));
      continue;
    }
    const filename = key.slice(key.lastIndexOf('/') + 1);
    await identities.run(packageLock(request.repository, format ?? '', filename), async (held) => {
      const [row] = await findByPaths(db, [key]);
      if (!isDead(entry, row?.collected_at)) return;
      held.confirm();
      await store.delete(key);
      report.deleted.push(sweptOf(entry));
    });
  }
}

/** Every key that a stored generation of a repository's channels names. */
class Marks {
  readonly #db: Catalog;
  readonly #request: SweepRequest;
  readonly #kept = new Set<string>();
  readonly #waiting = new Set<string>();
  /** The last generation that was looked at, by channel. */
  readonly #read = new Map<string, number>();

  constructor(db: Catalog, request: SweepRequest) {
    this.#db = db;
    this.#request = request;
  }

  has(key: string): boolean {
    return this.#kept.has(key) || this.#waiting.has(key);
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key) && !this.#kept.has(key);
  }

  async read(): Promise<void> {
    for (const channel of await listAllChannels(this.#db, this.#request.repository))
      await this.#readChannel(channel);
  }

  /** Adds what was committed since: of channels that moved on, and of new ones. */
  async readOn(): Promise<void> {
    for (const channel of await listAllChannels(this.#db, this.#request.repository))
      if (this.#read.get(channel.id) !== channel.head) await this.#readChannel(channel);
  }

  async #readChannel(channel: ChannelRow): Promise<void> {
    const since = this.#request.now - fileDelayMs;
    for (const pin of await listPins(this.#db, channel.id))
      for (const { key } of pinAliases(channel, pin)) this.#kept.add(key);
    let after = this.#read.get(channel.id) ?? 0;
    for (;;) {
      const rows = await listStoredGenerations(this.#db, channel.id, {
        since,
        after,
        limit: generationsPerPage,
      });
      for (const row of rows) this.#add(channel, row);
      after = rows.at(-1)?.number ?? channel.head;
      if (rows.length < generationsPerPage) break;
    }
    this.#read.set(channel.id, channel.head);
  }

  #add(channel: ChannelRow, row: GenerationRow): void {
    const isKept = row.collected_at === null && !this.#request.marked.has(generationKey(row));
    const marks = isKept ? this.#kept : this.#waiting;
    for (const key of keysOf(channel, row)) marks.add(key);
  }
}

/** Everything that a generation names; the head also what clients start from. */
function* keysOf(channel: ChannelRow, row: GenerationRow): Generator<string> {
  const { named, plain, signed, aliases } = expectedOf(channel, row);
  for (const { key } of [...named, ...plain, ...signed, ...aliases]) yield key;
  if (row.number !== channel.head) return;
  const visible = parseVisible(row.pointers);
  for (const { key } of [...visible.aliases, ...visible.pointers]) yield key;
  const form = publishedForm(channel, row.settings);
  const trust = { armored: '', producersKey: null, packagesSigned: true };
  for (const { key } of formatOf(channel.format).channels.setupFiles(form, trust)) yield key;
}
