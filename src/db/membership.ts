/** What is in a channel, by generation: DESIGN, "Commit and recovery". */
import { sql, type ExpressionBuilder } from 'kysely';
import type { Catalog, ChannelRow, PackageRow, PendingChangeRow, Tables } from './catalog.ts';
import { inRuns } from './runs.ts';
import { prefixRange } from './prefix.ts';

/** A package in a component, as far as its place in an index goes: a channel may have very many. */
export type Member = Pick<PackageRow, 'name' | 'version' | 'architecture' | 'sha256'> & {
  package: string;
  component: string;
};

/** A member with everything that the lists of packages show. */
export type MemberDetail = PackageRow & { component: string; added_in: number };

/** Memberships that are read at once. */
const membersPerPage = 5000;

/** What generation `generation` of a channel holds, in pages: a channel may have very many members. */
export async function* pagesOfMembers(
  db: Catalog,
  channel: string,
  generation: number,
  perPage = membersPerPage,
): AsyncGenerator<Member[], void, undefined> {
  const query = db
    .selectFrom('channel_packages as member')
    .innerJoin('packages as package', 'package.id', 'member.package')
    .select([
      'member.package',
      'member.component',
      'package.name',
      'package.version',
      'package.architecture',
      'package.sha256',
    ])
    .where('member.channel', '=', channel)
    .where('member.added_in', '<=', generation)
    .where((where) =>
      where.or([where('member.removed_in', 'is', null), where('member.removed_in', '>', generation)]),
    )
    .orderBy('member.package')
    .limit(perPage);
  for (let last = ''; ;) {
    const page = await query.where('member.package', '>', last).execute();
    last = page.at(-1)?.package ?? '';
    if (page.length < perPage) {
      yield page;
      return;
    }
    // The last package may have more components than fit: they come together, with the next page.
    const whole = page.filter((member) => member.package !== last);
    if (whole.length === 0) throw new RangeError(`${last} has ${page.length} components in ${channel}`);
    yield whole;
    last = whole.at(-1)?.package ?? '';
  }
}

/** Where a page ends: a package may stand in several components. */
export type MemberPlace = { readonly name: string; readonly id: string; readonly component: string };
export type MemberFilter = { name?: string; after?: MemberPlace; limit: number };

type Where = ExpressionBuilder<
  Tables & { member: Tables['channel_packages']; package: Tables['packages'] },
  'member' | 'package'
>;

/** Behind a place in the order of the lists. The first condition follows from the others, and is where the index begins. */
const behind = (after: MemberPlace) => (where: Where) =>
  where.and([
    where('member.name', '>=', after.name),
    where.or([
      where('member.name', '>', after.name),
      where('member.package', '>', after.id),
      where.and([where('member.package', '=', after.id), where('member.component', '>', after.component)]),
    ]),
  ]);

/** A page of what the head of a channel holds, by name, then by age, the oldest first, then by component. */
export async function listMemberDetails(
  db: Catalog,
  channel: string,
  filter: MemberFilter,
): Promise<MemberDetail[]> {
  let query = db
    .selectFrom('channel_packages as member')
    .innerJoin('packages as package', 'package.id', 'member.package')
    .selectAll('package')
    .select(['member.component', 'member.added_in'])
    .where('member.channel', '=', channel)
    .where('member.removed_in', 'is', null)
    .orderBy('member.name')
    .orderBy('member.package')
    .orderBy('member.component')
    .limit(filter.limit);
  const { name, after } = filter;
  if (name !== undefined) query = query.where('member.name', '=', name);
  if (after !== undefined) query = query.where(behind(after));
  return await query.execute();
}

/** The components in which the head of a channel holds a package; none when it does not. */
export async function findMembership(db: Catalog, channel: string, packageId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('channel_packages')
    .select('component')
    .where('channel', '=', channel)
    .where('package', '=', packageId)
    .where('removed_in', 'is', null)
    .execute();
  return rows.map((row) => row.component);
}

/** Every channel that holds or held a package, with the generations in which it came and went. */
export async function listPlaces(
  db: Catalog,
  packageId: string,
): Promise<{ channel: string; component: string; added_in: number; removed_in: number | null }[]> {
  return await db
    .selectFrom('channel_packages')
    .select(['channel', 'component', 'added_in', 'removed_in'])
    .where('package', '=', packageId)
    .orderBy('channel')
    .orderBy('added_in')
    .execute();
}

export async function countMembers(db: Catalog, channel: string): Promise<number> {
  const row = await db
    .selectFrom('channel_packages')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('channel', '=', channel)
    .where('removed_in', 'is', null)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Bodies of one kind for these packages, by package id. */
export async function loadEntries(
  db: Catalog,
  kind: string,
  packages: readonly string[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const run = 1000;
  for (let start = 0; start < packages.length; start += run) {
    const rows = await db
      .selectFrom('entries')
      .select(['package', 'body'])
      .where('kind', '=', kind)
      .where('package', 'in', packages.slice(start, start + run))
      .execute();
    for (const row of rows) found.set(row.package, row.body);
  }
  return found;
}

export async function addMember(
  db: Catalog,
  row: { channel: string; package: string; component: string; added_in: number },
): Promise<void> {
  await db
    .insertInto('channel_packages')
    .values((from) => ({
      ...row,
      // Empty for what is no package: the foreign key then says so.
      name: from.fn.coalesce(
        from.selectFrom('packages').select('packages.name').where('packages.id', '=', row.package),
        from.val(''),
      ),
      removed_in: null,
    }))
    .execute();
}

export async function removeMember(
  db: Catalog,
  row: { channel: string; package: string; component: string; removed_in: number },
): Promise<void> {
  await db
    .updateTable('channel_packages')
    .set({ removed_in: row.removed_in })
    .where('channel', '=', row.channel)
    .where('package', '=', row.package)
    .where('component', '=', row.component)
    .where('removed_in', 'is', null)
    .execute();
}

export async function insertPendingChanges(db: Catalog, rows: readonly PendingChangeRow[]): Promise<void> {
  await inRuns(rows, (run) => db.insertInto('pending_changes').values(run).execute());
}

/** A pending change with the package it is about, and who asked for what. */
export type PendingChange = PendingChangeRow &
  Pick<PackageRow, 'name' | 'version' | 'architecture' | 'path' | 'sha256' | 'size_bytes'> & {
    actor: string;
    cause: string;
    /** The generation in which the package came, where the head holds it; null where it does not. */
    member_since: number | null;
  };

/**
 * The pending changes of a channel with generation `head`, in the order in which they were asked for: about `limit`
 * of them, but what one event asks for is never parted.
 */
export async function listPendingChanges(
  db: Catalog,
  { id: channel, head }: Pick<ChannelRow, 'id' | 'head'>,
  limit: number,
): Promise<{ changes: PendingChange[]; more: boolean }> {
  const rows = db
    .selectFrom('pending_changes as change')
    .innerJoin('packages as package', 'package.id', 'change.package')
    .innerJoin('events as event', 'event.id', 'change.event')
    .leftJoin('channel_packages as member', (join) =>
      join
        .onRef('member.channel', '=', 'change.channel')
        .onRef('member.package', '=', 'change.package')
        .onRef('member.component', '=', 'change.component')
        .on('member.added_in', '<=', head)
        .on((on) => on.or([on('member.removed_in', 'is', null), on('member.removed_in', '>', head)])),
    )
    .selectAll('change')
    .select([
      'package.name',
      'package.version',
      'package.architecture',
      'package.path',
      'package.sha256',
      'package.size_bytes',
      'event.actor',
      'event.kind as cause',
      'member.added_in as member_since',
    ])
    .where('change.channel', '=', channel)
    .orderBy('change.id');
  const first = await rows.limit(limit).execute();
  const last = first.at(-1);
  if (!last || first.length < limit) return { changes: first, more: false };
  const rest = await rows.where('change.event', '=', last.event).where('change.id', '>', last.id).execute();
  return { changes: [...first, ...rest], more: true };
}

/**
 * Settles pending changes: they are gone, and their events name the generation that holds them. False when one
 * of them was taken back meanwhile.
 */
export async function settleChanges(
  db: Catalog,
  changes: readonly PendingChangeRow[],
  generation: number,
): Promise<boolean> {
  const run = 500;
  let settled = 0n;
  for (let start = 0; start < changes.length; start += run) {
    const part = changes.slice(start, start + run);
    const deleted = await db
      .deleteFrom('pending_changes')
      .where(
        'id',
        'in',
        part.map((change) => change.id),
      )
      .executeTakeFirst();
    settled += deleted.numDeletedRows;
    await db
      .updateTable('events')
      .set({ generation: sql`coalesce(generation, ${generation})` })
      .where('id', 'in', [...new Set(part.map((change) => change.event))])
      .execute();
  }
  return settled === BigInt(changes.length);
}

/** A member as a list of packages shows it. */
export type MemberBrief = Pick<
  PackageRow,
  'id' | 'format' | 'distribution' | 'name' | 'version' | 'architecture' | 'summary' | 'size_bytes'
> & { component: string; added_in: number };

export type BriefFilter = {
  /** Null for the head. */
  readonly generation: number | null;
  /** Names that begin so; empty for all. */
  readonly prefix: string;
  readonly after?: MemberPlace;
  readonly limit: number;
};

/** A page of what a channel holds or held, in the order of `listMemberDetails`. */
export async function listMemberBriefs(
  db: Catalog,
  channel: string,
  { generation, prefix, after, limit }: BriefFilter,
): Promise<MemberBrief[]> {
  const range = prefixRange(prefix);
  let query = db
    .selectFrom('channel_packages as member')
    .innerJoin('packages as package', 'package.id', 'member.package')
    .select(['package.id', 'package.format', 'package.distribution', 'package.name', 'package.version'])
    .select(['package.architecture', 'package.summary', 'package.size_bytes'])
    .select(['member.component', 'member.added_in'])
    .where('member.channel', '=', channel)
    .orderBy('member.name')
    .orderBy('member.package')
    .orderBy('member.component')
    .limit(limit);
  if (prefix !== '') query = query.where('member.name', '>=', range.from).where('member.name', '<', range.to);
  if (generation === null) query = query.where('member.removed_in', 'is', null);
  else
    query = query
      .where('member.added_in', '<=', generation)
      .where((where) =>
        where.or([where('member.removed_in', 'is', null), where('member.removed_in', '>', generation)]),
      );
  if (after !== undefined) query = query.where(behind(after));
  return await query.execute();
}

export type Stay = {
  package: string;
  channel: string;
  component: string;
  added_in: number;
  removed_in: number | null;
};

/** Every channel that holds or held these packages, with the generations in which they came and went. */
export async function listStays(db: Catalog, packages: readonly string[]): Promise<Stay[]> {
  if (packages.length === 0) return [];
  return await db
    .selectFrom('channel_packages')
    .select(['package', 'channel', 'component', 'added_in', 'removed_in'])
    .where('package', 'in', packages)
    .orderBy('channel')
    .orderBy('added_in')
    .execute();
}

/** How many changes wait to be published, by channel; channels without any are left out. */
export async function countPending(db: Catalog): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('pending_changes')
    .select((select) => ['channel', select.fn.countAll<number>().as('count')])
    .groupBy('channel')
    .execute();
  return new Map(rows.map(({ channel, count }) => [channel, count]));
}
