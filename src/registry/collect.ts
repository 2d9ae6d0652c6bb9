/**
 * Collection: finds what no generation that has to be kept needs any more and marks it in the catalog; an hour
 * later its files are deleted (sweep.ts, which says why that is safe). The rows stay: an identity is taken for ever,
 * and history goes back to the first generation.
 *
 * A generation is kept while it is pinned, is one of a channel's last, or was served within the grace time: a
 * machine that read its InRelease then still finds every file that it names. A package is kept while a kept
 * generation holds it, while a change that would put it into a channel is pending, and for a while after its last
 * upload. Both are found and marked in one transaction. A rollback, a promotion or a publication that wants a
 * package looks for the mark in the transaction that records its request (change-channel.ts). So one of the two
 * comes first: either the request is recorded, and the package stays; or the mark is there, and the request is
 * refused with `package_collected`. (SQLite runs writing transactions one after the other; another database has to
 * run these two as serializable.)
 */
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { ChannelRow, RepositoryRow } from '../db/catalog.ts';
import { getChannel, listAllChannels, listChannels } from '../db/channels.ts';
import {
  collectGenerations,
  collectPackages,
  listAwaited,
  listCollectable,
  listKeptGenerations,
  listMemberships,
  listPinned,
  type Collectable,
  type GenerationAge,
  type Membership,
} from '../db/collection.ts';
import type { ChangeReport } from './change-channel.ts';
import { deleteDocument, listDocumentStays } from '../db/documents.ts';
import { needRepository } from './find.ts';
import { recordEvent } from './record-event.ts';
import { expire } from './expire.ts';
import type { SetupFiles } from './setup-files.ts';
import { retain } from './retain.ts';
import { generationKey, sweep, type Swept, type SweepDeps } from './sweep.ts';
import { transact } from '../db/transact.ts';

/** Generations of a channel that are kept whatever their age. */
const lastGenerations = 3;
const packagesPerTransaction = 1000;

/** How long things are kept that nothing but time speaks for. */
export type KeepTimes = {
  /** A generation after the next one was published. */
  readonly graceMs: number;
  /** A package that no channel holds after its last upload. */
  readonly stagedMs: number;
};

export type CollectDeps = SweepDeps & {
  readonly clock: Clock;
  readonly keepTimes: KeepTimes;
  readonly setupFiles: SetupFiles;
};

export type CollectRequest = {
  readonly actor: Actor;
  readonly repository: string;
  /** Answers with what would be done, and does nothing. */
  readonly dryRun: boolean;
};

export type CollectedPackage = {
  readonly format: 'apt' | 'yum';
  readonly distribution: string | null;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly key: string;
  readonly size: number;
};

export type Collection = {
  readonly repository: string;
  /** Marked now. Their files go with a collection an hour later. */
  readonly generations: readonly { readonly channel: string; readonly generation: number }[];
  readonly packages: readonly CollectedPackage[];
  /** Files that are gone now, since they were marked an hour ago, or nothing ever came to name them. */
  readonly deleted: readonly Swept[];
  /** Files that are to go within the hour. */
  readonly waiting: readonly Swept[];
  readonly bytes: { readonly deleted: number; readonly waiting: number };
  /** What left the channels because of their retention, one generation each. */
  readonly retained: readonly ChangeReport[];
  /** Ephemeral channels whose time was over. */
  readonly expired: readonly string[];
};

/** Collects one repository; one collection at a time. Throws `not_found`. */
export async function collect(deps: CollectDeps, request: CollectRequest): Promise<Collection> {
  const { actor, repository } = request;
  authorise(actor, 'admin', repository);
  const row = await needRepository(deps.db, actor, repository);
  return await deps.identities.run('collection', () => collectAlone(deps, request, row));
}

async function collectAlone(
  deps: CollectDeps,
  request: CollectRequest,
  row: RepositoryRow,
): Promise<Collection> {
  const { actor, repository, dryRun } = request;
  const now = deps.clock.now();
  const kept = new Map<string, Kept>();
  const generations: { channel: string; number: number }[] = [];
  for (const channel of await listAllChannels(deps.db, repository)) {
    const marked = await markGenerations(deps, channel, now, dryRun);
    kept.set(channel.id, marked.kept);
    generations.push(...marked.outdated.map((number) => ({ channel: channel.id, number })));
  }
  const packages = await markPackages(deps, repository, kept, now, dryRun);
  if (!dryRun) await dropDocuments(deps, kept);
  const marked = new Set([...generations.map(generationKey), ...packages.map(({ path }) => path)]);
  const { graceMs } = deps.keepTimes;
  const files = await sweep(deps, { repository, now, graceMs, dryRun, marked });
  // Last, so that what is said of the rest holds for a dry run too: what leaves now is collected another time.
  const expired: string[] = [];
  for (const channel of await listChannels(deps.db, repository))
    if (await expire(deps, { actor, channel, dryRun })) expired.push(channel.name);
  const retained: ChangeReport[] = [];
  for (const channel of await listChannels(deps.db, repository)) {
    const report = await retain(deps, { actor, repository: row, channel, dryRun });
    if (report && report.status !== 'unchanged') retained.push(report);
  }
  const collection: Collection = {
    repository,
    generations: generations.map(({ channel, number }) => ({
      channel: channel.slice(repository.length + 1),
      generation: number,
    })),
    packages: packages.map(describe),
    ...files,
    bytes: { deleted: sum(files.deleted), waiting: sum(files.waiting) },
    retained,
    expired,
  };
  if (!dryRun) await tell(deps, request, collection, now);
  return collection;
}

function describe(row: Collectable): CollectedPackage {
  const { format, distribution, name, version, architecture, path, size_bytes } = row;
  return {
    format,
    distribution: distribution === '' ? null : distribution,
    name,
    version,
    architecture,
    key: path,
    size: size_bytes,
  };
}

function sum(files: readonly Swept[]): number {
  return files.reduce((bytes, { size }) => bytes + size, 0);
}

/** The generations of a channel that are kept, and those that follow. */
class Kept {
  readonly #head: number;
  readonly #numbers: readonly number[];

  constructor(head: number, numbers: readonly number[]) {
    this.#head = head;
    this.#numbers = numbers;
  }

  /** Whether a membership holds in one of them. */
  holds({ added_in, removed_in }: Pick<Membership, 'added_in' | 'removed_in'>): boolean {
    if (added_in > this.#head) return true;
    const first = this.#numbers[lowerBound(this.#numbers, added_in)];
    return first !== undefined && (removed_in === null || first < removed_in);
  }
}

/** The place of the first number in an ascending list that is not below `least`. */
function lowerBound(numbers: readonly number[], least: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] ?? least) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function markGenerations(
  { db, keepTimes }: CollectDeps,
  { id }: ChannelRow,
  now: number,
  dryRun: boolean,
): Promise<{ outdated: number[]; kept: Kept }> {
  return await transact(db, async (transaction) => {
    const channel = await getChannel(transaction, id);
    const ages = await listKeptGenerations(transaction, id);
    const pinned = await listPinned(transaction, id);
    const isNeeded = needs(channel, ages, pinned, now - keepTimes.graceMs);
    const outdated = ages.filter((age) => !isNeeded(age)).map(({ number }) => number);
    if (!dryRun) await collectGenerations(transaction, id, outdated, now);
    const kept = ages.filter(isNeeded).map(({ number }) => number);
    return { outdated, kept: new Kept(channel.head, kept) };
  });
}

/** Whether a generation has to be kept: `since` is when the grace time began. */
function needs(
  { head, deleted_at }: ChannelRow,
  ages: readonly GenerationAge[],
  pinned: ReadonlySet<number>,
  since: number,
): (age: GenerationAge) => boolean {
  const committed = new Map(ages.map(({ number, committed_at }) => [number, committed_at]));
  return ({ number }) => {
    if (pinned.has(number)) return true;
    if (deleted_at === null && number > head - lastGenerations) return true;
    // It was served until the next one came. Where that one was collected, this is older still.
    const servedUntil = number === head ? deleted_at : committed.get(number + 1);
    return servedUntil !== undefined && servedUntil !== null && servedUntil > since;
  };
}

async function markPackages(
  { db, keepTimes }: CollectDeps,
  repository: string,
  kept: ReadonlyMap<string, Kept>,
  now: number,
  dryRun: boolean,
): Promise<Collectable[]> {
  const found: Collectable[] = [];
  const until = now - keepTimes.stagedMs;
  for (let after: Collectable | null = null; ;) {
    const limit = packagesPerTransaction;
    const { page, dead } = await transact(db, async (transaction) => {
      const rows: Collectable[] = await listCollectable(transaction, repository, { until, after, limit });
      const ids = rows.map(({ id }) => id);
      const needed = new Set(await listAwaited(transaction, ids));
      for (const member of await listMemberships(transaction, ids))
        // A channel that came since holds what it has.
        if (kept.get(member.channel)?.holds(member) ?? true) needed.add(member.package);
      const unneeded = rows.filter(({ id }) => !needed.has(id));
      if (!dryRun) await collectPackages(transaction, unneeded, now);
      return { page: rows, dead: unneeded };
    });
    found.push(...dead);
    after = page.at(-1) ?? null;
    if (page.length < limit) return found;
  }
}

/** Texts that no kept generation of any channel has: they are the size of an index, and are uploaded every day. */
async function dropDocuments({ db }: CollectDeps, kept: ReadonlyMap<string, Kept>): Promise<void> {
  await transact(db, async (transaction) => {
    const dead = new Map<string, boolean>();
    for (const { sha256, channel, added_in, removed_in } of await listDocumentStays(transaction)) {
      // A channel of another repository, or one that came since, holds what it has.
      const isHeld =
        channel !== null && (kept.get(channel)?.holds({ added_in: added_in ?? 0, removed_in }) ?? true);
      dead.set(sha256, (dead.get(sha256) ?? true) && !isHeld);
    }
    for (const [sha256, isDead] of dead) if (isDead) await deleteDocument(transaction, sha256);
  });
}

async function tell(
  { db }: CollectDeps,
  { actor, repository }: CollectRequest,
  { generations, packages, deleted, bytes }: Collection,
  now: number,
): Promise<void> {
  if (generations.length + packages.length + deleted.length === 0) return;
  const detail = {
    generations: generations.length,
    packages: packages.length,
    files: deleted.length,
    bytes: bytes.deleted,
  };
  await recordEvent(db, { at: now, actor, repository, kind: 'collect', detail });
}
