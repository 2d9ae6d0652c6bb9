import type { Catalog, GenerationRow } from './catalog.ts';

export async function findGeneration(
  db: Catalog,
  channel: string,
  number: number,
): Promise<GenerationRow | undefined> {
  return await db
    .selectFrom('generations')
    .selectAll()
    .where('channel', '=', channel)
    .where('number', '=', number)
    .executeTakeFirst();
}

/** The generations of a channel, the newest first. */
export async function listGenerations(
  db: Catalog,
  channel: string,
  page: { before?: number; limit: number },
): Promise<GenerationRow[]> {
  let query = db
    .selectFrom('generations')
    .selectAll()
    .where('channel', '=', channel)
    .orderBy('number', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('number', '<', page.before);
  return await query.execute();
}

/** The Date, in seconds, of the apt channel that was signed longest ago; undefined when there is none. */
export async function oldestHeadDate(db: Catalog): Promise<number | undefined> {
  const row = await db
    .selectFrom('channels')
    .innerJoin('generations', (join) =>
      join.onRef('generations.channel', '=', 'channels.id').onRef('generations.number', '=', 'channels.head'),
    )
    .select('generations.date')
    .where('channels.format', '=', 'apt')
    .orderBy('generations.date')
    .limit(1)
    .executeTakeFirst();
  return row?.date;
}

export async function insertGeneration(db: Catalog, row: GenerationRow): Promise<void> {
  await db.insertInto('generations').values(row).execute();
}

/** Records a new signing of the same generation. False when the row is not as the caller saw it. */
export async function updateSigning(
  db: Catalog,
  seen: Pick<GenerationRow, 'channel' | 'number' | 'date' | 'signed_at'>,
  change: Pick<GenerationRow, 'date' | 'signed_at' | 'pointers'>,
): Promise<boolean> {
  const result = await db
    .updateTable('generations')
    .set(change)
    .where('channel', '=', seen.channel)
    .where('number', '=', seen.number)
    .where('date', '=', seen.date)
    .where('signed_at', '=', seen.signed_at)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}
