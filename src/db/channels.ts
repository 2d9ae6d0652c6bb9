import type { Catalog, ChannelRow } from './catalog.ts';
import { prefixRange } from './prefix.ts';

/** The channel of that name, also one that has expired. */
export async function findChannel(
  db: Catalog,
  repository: string,
  name: string,
): Promise<ChannelRow | undefined> {
  return await db
    .selectFrom('channels')
    .selectAll()
    .where('repository', '=', repository)
    .where('name', '=', name)
    .executeTakeFirst();
}

export async function getChannel(db: Catalog, id: string): Promise<ChannelRow> {
  return await db.selectFrom('channels').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** The channels of one repository, or of all, by id; those that have expired are left out. */
export async function listChannels(db: Catalog, repository?: string): Promise<ChannelRow[]> {
  let query = db.selectFrom('channels').selectAll().where('deleted_at', 'is', null).orderBy('id');
  if (repository !== undefined) query = query.where('repository', '=', repository);
  return await query.execute();
}

/** Every channel that a repository ever had, by id. */
export async function listAllChannels(db: Catalog, repository: string): Promise<ChannelRow[]> {
  return await db
    .selectFrom('channels')
    .selectAll()
    .where('repository', '=', repository)
    .orderBy('id')
    .execute();
}

export async function insertChannel(db: Catalog, row: ChannelRow): Promise<void> {
  await db.insertInto('channels').values(row).execute();
}

export async function updateChannel(
  db: Catalog,
  id: string,
  change: Partial<
    Pick<
      ChannelRow,
      | 'origin'
      | 'label'
      | 'description'
      | 'components'
      | 'architectures'
      | 'options'
      | 'expires_at'
      | 'expires_after_ms'
      | 'deleted_at'
    >
  >,
): Promise<void> {
  if (Object.keys(change).length === 0) return;
  await db.updateTable('channels').set(change).where('id', '=', id).execute();
}

/** Of an ephemeral channel. */
export async function updateExpiry(
  db: Catalog,
  id: string,
  change: Partial<Pick<ChannelRow, 'expires_at' | 'expires_after_ms' | 'deleted_at'>>,
): Promise<void> {
  await db.updateTable('channels').set(change).where('id', '=', id).execute();
}

/** The ephemeral channels that are there, of those whose names begin so. */
export async function countEphemeral(db: Catalog, repository: string, prefix: string): Promise<number> {
  const { from, to } = prefixRange(prefix);
  const row = await db
    .selectFrom('channels')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('repository', '=', repository)
    .where('name', '>=', from)
    .where('name', '<', to)
    .where('expires_at', 'is not', null)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Marks an empty ephemeral channel as gone. False when its time is not over, or something is on its way into it. */
export async function markExpired(db: Catalog, id: string, now: number): Promise<boolean> {
  const result = await db
    .updateTable('channels')
    .set({ deleted_at: now })
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .where('expires_at', '<=', now)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('pending_changes')
            .select('pending_changes.id')
            .where('pending_changes.channel', '=', id),
        ),
      ),
    )
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('channel_packages')
            .select('channel_packages.package')
            .where('channel_packages.channel', '=', id)
            .where('channel_packages.removed_in', 'is', null),
        ),
      ),
    )
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Moves the head, and what grew with it. False when the channel is no longer as the caller saw it. */
export async function moveHead(
  db: Catalog,
  seen: Pick<ChannelRow, 'id' | 'head' | 'architectures'>,
  to: Pick<ChannelRow, 'head' | 'architectures'>,
): Promise<boolean> {
  const result = await db
    .updateTable('channels')
    .set({ head: to.head, architectures: to.architectures })
    .where('id', '=', seen.id)
    .where('head', '=', seen.head)
    .where('architectures', '=', seen.architectures)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** A channel with what its head says of it; nothing before its first generation. */
export type ChannelHead = Pick<
  ChannelRow,
  | 'id'
  | 'repository'
  | 'name'
  | 'format'
  | 'distribution'
  | 'description'
  | 'head'
  | 'created_at'
  | 'expires_at'
> & {
  packages: number | null;
  date: number | null;
  signed_at: number | null;
  committed_at: number | null;
  cause: string | null;
  actor: string | null;
};

/** The channels of these repositories with their heads, by id; without those that have expired. */
export async function listHeads(db: Catalog, repositories: readonly string[]): Promise<ChannelHead[]> {
  if (repositories.length === 0) return [];
  return await db
    .selectFrom('channels')
    .leftJoin('generations', (join) =>
      join.onRef('generations.channel', '=', 'channels.id').onRef('generations.number', '=', 'channels.head'),
    )
    .select([
      'channels.id',
      'channels.repository',
      'channels.name',
      'channels.format',
      'channels.distribution',
      'channels.description',
      'channels.head',
      'channels.created_at',
      'channels.expires_at',
      'generations.packages',
      'generations.date',
      'generations.signed_at',
      'generations.committed_at',
      'generations.cause',
      'generations.actor',
    ])
    .where('channels.repository', 'in', repositories)
    .where('channels.deleted_at', 'is', null)
    .orderBy('channels.id')
    .execute();
}
