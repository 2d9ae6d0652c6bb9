/** What a channel holds, by name and by relation: what changes to it are weighed with. */
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Relation, RelationKind } from '../formats/package.ts';
import type { Catalog, PackageRow, Tables } from './catalog.ts';
import { inRuns } from './runs.ts';

/** A package in a channel, as far as relations and versions go. */
export type ChannelPackage = Pick<
  PackageRow,
  | 'id'
  | 'name'
  | 'version'
  | 'architecture'
  | 'source_name'
  | 'source_version'
  | 'sha256'
  | 'size_bytes'
  | 'collected_at'
> & { component: string };

const columns = [
  'package.id',
  'package.name',
  'package.version',
  'package.architecture',
  'package.source_name',
  'package.source_version',
  'package.sha256',
  'package.size_bytes',

  'package.collected_at',
] as const;

type Scope = Tables & { member: Tables['channel_packages']; package: Tables['packages'] };
type Where = ExpressionBuilder<Scope, 'member' | 'package'>;

/** Whether a membership holds in a generation. */
const heldIn = (generation: number) => (where: Where) =>
  where.and([
    where('member.added_in', '<=', generation),
    where.or([where('member.removed_in', 'is', null), where('member.removed_in', '>', generation)]),
  ]);
const heldInHead = (where: Where): Expression<SqlBool> => where('member.removed_in', 'is', null);

/** The memberships of a channel, as far as the conditions say. */
async function membersWhere(
  db: Catalog,
  channel: string,
  ...conditions: ((where: Where) => Expression<SqlBool>)[]
): Promise<ChannelPackage[]> {
  return await db
    .selectFrom('channel_packages as member')
    .innerJoin('packages as package', 'package.id', 'member.package')
    .select(columns)
    .select('member.component')
    .where('member.channel', '=', channel)
    .where((where) => where.and(conditions.map((condition) => condition(where))))
    .execute();
}

/** Every version of these names that the head of a channel holds, or an older generation. */
export async function listNamed(
  db: Catalog,
  channel: string,
  names: readonly string[],
  generation?: number,
): Promise<ChannelPackage[]> {
  const held = generation === undefined ? heldInHead : heldIn(generation);
  return await inRuns(names, (run) =>
    // By their ids: SQLite would else go through all members of the channel.
    membersWhere(db, channel, held, (where) =>
      where('package.id', 'in', where.selectFrom('packages').select('id').where('name', 'in', run)),
    ),
  );
}

/** Those in the head that have a relation of one of these kinds with one of these names. */
export async function listRelated(
  db: Catalog,
  channel: string,
  kinds: readonly string[],
  names: readonly string[],
): Promise<ChannelPackage[]> {
  return await inRuns(names, (run) =>
    membersWhere(db, channel, heldInHead, (where) =>
      where(
        'package.id',
        'in',
        where
          .selectFrom('package_relations')
          .select('package')
          .where('kind', 'in', kinds)
          .where('name', 'in', run),
      ),
    ),
  );
}

const notInHeadOf = (other: string) => (where: Where) =>
  where.not(
    where.exists(
      where
        .selectFrom('channel_packages as there')
        .select('there.package')
        .where('there.channel', '=', other)
        .whereRef('there.package', '=', 'member.package')
        .whereRef('there.component', '=', 'member.component')
        .where('there.removed_in', 'is', null),
    ),
  );

/** What the head of one channel holds that the head of another does not. */
export async function listOnlyIn(db: Catalog, channel: string, other: string): Promise<ChannelPackage[]> {
  return await membersWhere(db, channel, heldInHead, notInHeadOf(other));
}

/** How many packages that are. */
export async function countOnlyIn(db: Catalog, channel: string, other: string): Promise<number> {
  const row = await db
    .selectFrom('channel_packages as member')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('member.channel', '=', channel)
    .where('member.removed_in', 'is', null)
    .where(notInHeadOf(other))
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Everything that the head of a channel holds. */
export async function listAll(db: Catalog, channel: string): Promise<ChannelPackage[]> {
  return await membersWhere(db, channel, heldInHead);
}

/**
 * What came into a channel after one generation and up to another and is there in the second, and what went and
 * was there in the first. Costs what changed, not what the channel holds.
 */
export async function listMoved(
  db: Catalog,
  channel: string,
  { after, upTo }: { after: number; upTo: number },
): Promise<{ added: ChannelPackage[]; removed: ChannelPackage[] }> {
  const within = (column: 'added_in' | 'removed_in') => (where: Where) =>
    where.and([where(`member.${column}`, '>', after), where(`member.${column}`, '<=', upTo)]);
  return {
    added: await membersWhere(db, channel, within('added_in'), heldIn(upTo)),
    removed: await membersWhere(db, channel, within('removed_in'), heldIn(after)),
  };
}

/** Changes that wait to be published, in their order, each with its package. */
export async function listPendingPackages(
  db: Catalog,
  channel: string,
): Promise<{ action: 'add' | 'remove'; package: ChannelPackage }[]> {
  const rows = await db
    .selectFrom('pending_changes as change')
    .innerJoin('packages as package', 'package.id', 'change.package')
    .select(columns)
    .select(['change.component', 'change.action'])
    .where('change.channel', '=', channel)
    .orderBy('change.id')
    .execute();
  return rows.map(({ action, ...item }) => ({ action, package: item }));
}

/** The relations of these packages, by package, in the order in which each has them. */
export async function loadRelations(db: Catalog, ids: readonly string[]): Promise<Map<string, Relation[]>> {
  const rows = await inRuns(ids, (run) =>
    db
      .selectFrom('package_relations')
      .select(['package', 'position', 'kind', 'text'])
      .distinct()
      .where('package', 'in', run)
      .orderBy('package')
      .orderBy('position')
      .execute(),
  );
  const found = new Map<string, Relation[]>(ids.map((id) => [id, []]));
  for (const { package: id, kind, text } of rows)
    // Written from facts.relations by record-upload.ts.
    found.get(id)?.push({ kind: kind as RelationKind, text });
  return found;
}

/** The packages of a channel's repository, format and distribution that these digests name: served or uploaded. */
export async function findByDigests(
  db: Catalog,
  { repository, format, distribution }: Pick<PackageRow, 'repository' | 'format' | 'distribution'>,
  digests: readonly string[],
): Promise<(Omit<ChannelPackage, 'component'> & { uploaded_sha256: string })[]> {
  const found = await inRuns(digests, (run) =>
    db
      .selectFrom('packages as package')
      .select(columns)
      .select(['package.uploaded_sha256', 'package.repository', 'package.format', 'package.distribution'])
      .where((where) =>
        where.or([where('package.sha256', 'in', run), where('package.uploaded_sha256', 'in', run)]),
      )
      .execute(),
  );
  // Not in the query: SQLite would go through all packages of the repository.
  return found.filter(
    (row) => row.repository === repository && row.format === format && row.distribution === distribution,
  );
}

/** Packages in the heads of a repository's channels of a format that none of these keys has signed, as `limit` allows. */
export async function listSignedByOthers(
  db: Catalog,
  { repository, format }: Pick<PackageRow, 'repository' | 'format'>,
  fingerprints: readonly string[],
  limit: number,
): Promise<Pick<PackageRow, 'filename'>[]> {
  return await db
    .selectFrom('packages as package')
    .select('package.filename')
    .where('package.repository', '=', repository)
    .where('package.format', '=', format)
    .where((where) =>
      where.or([
        where('package.signed_by', 'is', null),
        where('package.signed_by', 'not in', [...fingerprints, '']),
      ]),
    )
    .where((where) =>
      where.exists(
        where
          .selectFrom('channel_packages as member')
          .select('member.package')
          .whereRef('member.package', '=', 'package.id')
          .where('member.removed_in', 'is', null),
      ),
    )
    .orderBy('package.filename')
    .limit(limit)
    .execute();
}
