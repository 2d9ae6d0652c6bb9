/** Generations that somebody named: DESIGN, "Retention". */
import type { Catalog, PinRow } from './catalog.ts';

export async function findPin(db: Catalog, channel: string, name: string): Promise<PinRow | undefined> {
  return await db
    .selectFrom('pins')
    .selectAll()
    .where('channel', '=', channel)
    .where('name', '=', name)
    .executeTakeFirst();
}

/** The pins of a channel by name. */
export async function listPins(db: Catalog, channel: string): Promise<PinRow[]> {
  return await db.selectFrom('pins').selectAll().where('channel', '=', channel).orderBy('name').execute();
}

/** Writes a pin, over the one of that name. */
export async function putPin(db: Catalog, row: PinRow): Promise<void> {
  await deletePin(db, row.channel, row.name);
  await db.insertInto('pins').values(row).execute();
}

export async function deletePin(db: Catalog, channel: string, name: string): Promise<void> {
  await db.deleteFrom('pins').where('channel', '=', channel).where('name', '=', name).execute();
}
