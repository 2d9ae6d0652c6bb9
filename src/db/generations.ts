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
    .where('channels.deleted_at', 'is', null)
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

/** A generation as lists show it: without its documents. */
export type GenerationBrief = Pick<
  GenerationRow,
  'number' | 'committed_at' | 'cause' | 'actor' | 'added' | 'removed' | 'packages' | 'collected_at'
>;

const brief = [
  'number',
  'committed_at',
  'cause',
  'actor',
  'added',
  'removed',
  'packages',
  'collected_at',
] as const;

/** The generations of a channel without their documents, the newest first. */
export async function listGenerationBriefs(
  db: Catalog,
  channel: string,
  page: { before?: number; limit: number },
): Promise<GenerationBrief[]> {
  let query = db
    .selectFrom('generations')
    .select(brief)
    .where('channel', '=', channel)
    .orderBy('number', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('number', '<', page.before);
  return await query.execute();
}

/** Generations of several channels by their numbers, with what lists show. */
export async function findGenerationBriefs(
  db: Catalog,
  channel: string,
  numbers: readonly number[],
): Promise<GenerationBrief[]> {
  if (numbers.length === 0) return [];
  return await db
    .selectFrom('generations')
    .select(brief)
    .where('channel', '=', channel)
    .where('number', 'in', numbers)
    .execute();
}

/** The generation that a channel served at a moment; undefined before its first. */
export async function generationAt(
  db: Catalog,
  channel: string,
  moment: number,
): Promise<number | undefined> {
  const row = await db
    .selectFrom('generations')
    .select('number')
    .where('channel', '=', channel)
    .where('committed_at', '<=', moment)
    .orderBy('committed_at', 'desc')
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.number;
}
