import type { Catalog, GenerationRow, PackageRow } from './catalog.ts';

export type Arrival = Pick<PackageRow, 'id' | 'name' | 'version' | 'architecture' | 'summary'> &
  Pick<GenerationRow, 'number' | 'cause' | 'actor' | 'committed_at'> & { channel: string; component: string };

/** Every time that a package of this name came into a channel of a repository, the latest first. */
export async function listArrivals(
  db: Catalog,
  { repository, name, limit }: { repository: string; name: string; limit: number },
): Promise<Arrival[]> {
  return await db
    .selectFrom('packages as package')
    .innerJoin('channel_packages as member', 'member.package', 'package.id')
    .innerJoin('generations as generation', (join) =>
      join
        .onRef('generation.channel', '=', 'member.channel')
        .onRef('generation.number', '=', 'member.added_in'),
    )
    .select(['package.id', 'package.name', 'package.version', 'package.architecture', 'package.summary'])
    .select(['member.channel', 'member.component'])
    .select(['generation.number', 'generation.cause', 'generation.actor', 'generation.committed_at'])
    .where('package.repository', '=', repository)
    .where('package.name', '=', name)
    .orderBy('generation.committed_at', 'desc')
    .orderBy('member.channel')
    .orderBy('package.id')
    .limit(limit)
    .execute();
}
