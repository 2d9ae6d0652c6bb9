import type { Catalog, EventRow, UploadRow } from './catalog.ts';

export async function insertEvent(db: Catalog, row: EventRow): Promise<void> {
  await db.insertInto('events').values(row).execute();
}

export type EventFilter = {
  repository?: string;
  channel?: string;
  kind?: string;
  actor?: string;
  before?: string;
  limit: number;
};

/** Events, the newest first. */
export async function listEvents(db: Catalog, filter: EventFilter): Promise<EventRow[]> {
  let query = db.selectFrom('events').selectAll().orderBy('id', 'desc').limit(filter.limit);
  if (filter.repository !== undefined) query = query.where('repository', '=', filter.repository);
  if (filter.channel !== undefined) query = query.where('channel', '=', filter.channel);
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor);
  if (filter.before !== undefined) query = query.where('id', '<', filter.before);
  return await query.execute();
}

/** Every upload of a package, the oldest first, with the event that says who, when and where to. */
export async function listUploads(db: Catalog, packageId: string): Promise<(UploadRow & EventRow)[]> {
  return await db
    .selectFrom('uploads as upload')
    .innerJoin('events as event', 'event.id', 'upload.event')
    .selectAll('event')
    .selectAll('upload')
    .where('upload.package', '=', packageId)
    .orderBy('upload.event')
    .execute();
}

/** Uploads of these packages, the last first, with who made them. */
export async function listUploadsOf(
  db: Catalog,
  packages: readonly string[],
  limit: number,
): Promise<(UploadRow & Pick<EventRow, 'at' | 'actor' | 'channel'>)[]> {
  if (packages.length === 0) return [];
  return await db
    .selectFrom('uploads as upload')
    .innerJoin('events as event', 'event.id', 'upload.event')
    .selectAll('upload')
    .select(['event.at', 'event.actor', 'event.channel'])
    .where('upload.package', 'in', packages)
    .orderBy('upload.event', 'desc')
    .limit(limit)
    .execute();
}
