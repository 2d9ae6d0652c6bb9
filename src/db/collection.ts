/** What nothing needs any more, and its marks: DESIGN, "Retention". The rows stay; only their files go. */
import type { Catalog, GenerationRow, PackageRow } from './catalog.ts';
import { inRuns } from './runs.ts';

export type GenerationAge = Pick<GenerationRow, 'number' | 'committed_at'>;

/** The generations of a channel whose files are kept, by number. */
export async function listKeptGenerations(db: Catalog, channel: string): Promise<GenerationAge[]> {
  return await db
    .selectFrom('generations')
    .select(['number', 'committed_at'])
    .where('channel', '=', channel)
    .where('collected_at', 'is', null)
    .orderBy('number')
    .execute();
}

/** The generations of a channel that somebody named. */
export async function listPinned(db: Catalog, channel: string): Promise<Set<number>> {
  const rows = await db.selectFrom('pins').select('generation').where('channel', '=', channel).execute();
  return new Set(rows.map(({ generation }) => generation));
}

/** Marks generations as collected; those that are marked already stay as they are. */
export async function collectGenerations(
  db: Catalog,
  channel: string,
  numbers: readonly number[],
  now: number,
): Promise<void> {
  await inRuns(numbers, async (run) => {
    await db
      .updateTable('generations')
      .set({ collected_at: now })
      .where('channel', '=', channel)
      .where('number', 'in', run)
      .where('collected_at', 'is', null)
      .execute();
    return [];
  });
}

/** A package that may be collected, as far as a report shows it. */
export type Collectable = Pick<
  PackageRow,
  'id' | 'format' | 'distribution' | 'name' | 'version' | 'architecture' | 'path' | 'size_bytes' | 'staged_at'
>;

/** A page of the packages whose files are kept and that were last uploaded up to `until`, the oldest first. */
export async function listCollectable(
  db: Catalog,
  repository: string,
  { until, after, limit }: { until: number; after: Collectable | null; limit: number },
): Promise<Collectable[]> {
  let query = db
    .selectFrom('packages')
    .select([
      'id',
      'format',
      'distribution',
      'name',
      'version',
      'architecture',
      'path',
      'size_bytes',
      'staged_at',
    ])
    .where('repository', '=', repository)
    .where('collected_at', 'is', null)
    .where('staged_at', '<=', until)
    .orderBy('staged_at')
    .orderBy('id')
    .limit(limit);
  if (after)
    query = query.where((where) =>
      where.or([
        where('staged_at', '>', after.staged_at),
        where.and([where('staged_at', '=', after.staged_at), where('id', '>', after.id)]),
      ]),
    );
  return await query.execute();
}

export type Membership = {
  readonly package: string;
  readonly channel: string;
  readonly added_in: number;
  readonly removed_in: number | null;
};

/** Every generation of every channel in which these packages are or were. */
export async function listMemberships(db: Catalog, packages: readonly string[]): Promise<Membership[]> {
  return await inRuns(packages, (run) =>
    db
      .selectFrom('channel_packages')
      .select(['package', 'channel', 'added_in', 'removed_in'])
      .where('package', 'in', run)
      .execute(),
  );
}

/** Those of these packages that wait to be put into a channel. */
export async function listAwaited(db: Catalog, packages: readonly string[]): Promise<string[]> {
  const rows = await inRuns(packages, (run) =>
    db
      .selectFrom('pending_changes')
      .select('package')
      .where('package', 'in', run)
      .where('action', '=', 'add')
      .execute(),
  );
  return rows.map((row) => row.package);
}

/** Marks packages as collected. */
export async function collectPackages(
  db: Catalog,
  packages: readonly Collectable[],
  now: number,
): Promise<void> {
  const ids = packages.map(({ id }) => id);
  await inRuns(ids, async (run) => {
    await db.updateTable('packages').set({ collected_at: now }).where('id', 'in', run).execute();
    return [];
  });
}

/** Those of these packages whose files were collected. */
export async function listCollected(
  db: Catalog,
  packages: readonly string[],
): Promise<Pick<PackageRow, 'name' | 'version' | 'collected_at'>[]> {
  return await inRuns(packages, (run) =>
    db
      .selectFrom('packages')
      .select(['name', 'version', 'collected_at'])
      .where('id', 'in', run)
      .where('collected_at', 'is not', null)
      .execute(),
  );
}

/** A package's bytes came again: its file is there, and is kept for a while whatever holds it. */
export async function keepPackage(db: Catalog, id: string, now: number): Promise<void> {
  await db.updateTable('packages').set({ collected_at: null, staged_at: now }).where('id', '=', id).execute();
}

/** The packages of these files, those that are in the catalog. */
export async function findByPaths(
  db: Catalog,
  paths: readonly string[],
): Promise<Pick<PackageRow, 'path' | 'collected_at'>[]> {
  return await inRuns(paths, (run) =>
    db.selectFrom('packages').select(['path', 'collected_at']).where('path', 'in', run).execute(),
  );
}

/**
 * A page of the generations of a channel whose files are in the tree: kept, or collected after `since`. By number,
 * above `after`.
 */
export async function listStoredGenerations(
  db: Catalog,
  channel: string,
  { since, after, limit }: { since: number; after: number; limit: number },
): Promise<GenerationRow[]> {
  return await db
    .selectFrom('generations')
    .selectAll()
    .where('channel', '=', channel)
    .where('number', '>', after)
    .where((where) => where.or([where('collected_at', 'is', null), where('collected_at', '>', since)]))
    .orderBy('number')
    .limit(limit)
    .execute();
}

/** When each member of a channel's head came into it, by its package and component: `package component`. */
export async function listMemberTimes(db: Catalog, channel: string): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('channel_packages as member')
    .innerJoin('generations as generation', (join) =>
      join
        .onRef('generation.channel', '=', 'member.channel')
        .onRef('generation.number', '=', 'member.added_in'),
    )
    .select(['member.package', 'member.component', 'generation.committed_at'])
    .where('member.channel', '=', channel)
    .where('member.removed_in', 'is', null)
    .execute();
  return new Map(rows.map((row) => [`${row.package} ${row.component}`, row.committed_at]));
}

/** The files of the packages of a repository that a channel holds, or has held, and that are still there. */
export async function listPublishedFiles(
  db: Catalog,
  repository: string,
): Promise<Pick<PackageRow, 'path' | 'sha256'>[]> {
  return await db
    .selectFrom('packages')
    .select(['path', 'sha256'])
    .where('repository', '=', repository)
    .where('collected_at', 'is', null)
    .where((where) =>
      where.exists(
        where
          .selectFrom('channel_packages')
          .select('channel_packages.package')
          .whereRef('channel_packages.package', '=', 'packages.id'),
      ),
    )
    .orderBy('path')
    .execute();
}
