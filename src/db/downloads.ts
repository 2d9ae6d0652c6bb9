import type { Catalog } from './catalog.ts';
import { transact } from './transact.ts';

export const msPerDay = 86_400_000;

export type DownloadCount = { readonly path: string; readonly day: number; readonly count: number };

/** Adds counts to those of the packages at these paths of the store; what is no package's path is left out. */
export async function addDownloads(db: Catalog, counts: readonly DownloadCount[]): Promise<void> {
  await transact(db, async (transaction) => {
    for (const { path, day, count } of counts)
      await transaction
        .insertInto('downloads')
        .columns(['package', 'day', 'count'])
        .expression((from) =>
          from
            .selectFrom('packages')
            .select((select) => ['id', select.val(day).as('day'), select.val(count).as('count')])
            .where('path', '=', path),
        )
        .onConflict((conflict) =>
          conflict.columns(['package', 'day']).doUpdateSet((row) => ({
            count: row('downloads.count', '+', row.ref('excluded.count')),
          })),
        )
        .execute();
  });
}

export type PackageDownloads = {
  /** The package's id. */
  readonly package: string;
  /** Days since 1970-01-01, in UTC. */
  readonly day: number;
  readonly count: number;
};

/** Downloads of every version of a name since a day, by day; days without any have no row. */
export async function downloadsOf(
  db: Catalog,
  { repository, name, since }: { repository: string; name: string; since: number },
): Promise<PackageDownloads[]> {
  return await db
    .selectFrom('downloads as download')
    .innerJoin('packages as package', 'package.id', 'download.package')
    .select(['download.package', 'download.day', 'download.count'])
    .where('package.repository', '=', repository)
    .where('package.name', '=', name)
    .where('download.day', '>=', since)
    .orderBy('download.day')
    .orderBy('download.package')
    .execute();
}
