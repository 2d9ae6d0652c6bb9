import { createId } from '../ids.ts';
import type { Catalog, DeliveryRow, WebhookRow } from './catalog.ts';

export async function insertWebhook(db: Catalog, row: WebhookRow): Promise<void> {
  await db.insertInto('webhooks').values(row).execute();
}

export async function listWebhooks(db: Catalog, repository: string): Promise<WebhookRow[]> {
  return await db
    .selectFrom('webhooks')
    .selectAll()
    .where('repository', '=', repository)
    .orderBy('id')
    .execute();
}

export async function findWebhook(
  db: Catalog,
  repository: string,
  id: string,
): Promise<WebhookRow | undefined> {
  return await db
    .selectFrom('webhooks')
    .selectAll()
    .where('repository', '=', repository)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** Removes a webhook with what it was told and was still to be told. */
export async function deleteWebhook(db: Catalog, id: string): Promise<void> {
  await db.deleteFrom('deliveries').where('webhook', '=', id).execute();
  await db.deleteFrom('webhooks').where('id', '=', id).execute();
}

/** The deliveries of a webhook, the newest first. */
export async function listDeliveries(db: Catalog, webhook: string, limit: number): Promise<DeliveryRow[]> {
  return await db
    .selectFrom('deliveries')
    .selectAll()
    .where('webhook', '=', webhook)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

export async function insertDelivery(
  db: Catalog,
  { webhook, kind, body, now }: { webhook: string; kind: string; body: string; now: number },
): Promise<string> {
  const id = createId(now);
  const untold = { attempts: 0, next_at: now, tried_at: null, status: null, answer: '' };
  await db
    .insertInto('deliveries')
    .values({ id, webhook, kind, body, created_at: now, ...untold })
    .execute();
  return id;
}

/** Puts events into the queues of the webhooks that want to know of them. Costs one look-up where there are none. */
export async function enqueueEvents(db: Catalog, events: readonly string[], now: number): Promise<void> {
  if (events.length === 0) return;
  const some = await db.selectFrom('webhooks').select('id').limit(1).executeTakeFirst();
  if (!some) return;
  const run = 500;
  for (let start = 0; start < events.length; start += run) {
    const rows = await db
      .selectFrom('events as event')
      .innerJoin('webhooks as hook', 'hook.repository', 'event.repository')
      .leftJoin('packages as package', 'package.id', 'event.package')
      .selectAll('event')
      .select(['hook.id as hook', 'hook.kinds'])
      .select(['package.name', 'package.version', 'package.architecture', 'package.sha256', 'package.format'])
      .where('event.id', 'in', events.slice(start, start + run))
      .orderBy('event.id')
      .execute();
    for (const row of rows) {
      if (row.kinds !== '' && !row.kinds.split(' ').includes(row.kind)) continue;
      const { name, version, architecture, sha256, format } = row;
      const body = JSON.stringify({
        id: row.id,
        at: new Date(row.at).toISOString(),
        kind: row.kind,
        repository: row.repository,
        channel: row.channel,
        generation: row.generation,
        actor: row.actor,
        package: name === null ? null : { format, name, version, architecture, sha256 },
        detail: JSON.parse(row.detail) as unknown,
      });
      await insertDelivery(db, { webhook: row.hook, kind: row.kind, body, now });
    }
  }
}

export type DueDelivery = DeliveryRow & Pick<WebhookRow, 'url' | 'secret'>;

/** What is to be tried by now, the oldest first. */
export async function listDue(db: Catalog, now: number, limit: number): Promise<DueDelivery[]> {
  return await db
    .selectFrom('deliveries as delivery')
    .innerJoin('webhooks as hook', 'hook.id', 'delivery.webhook')
    .selectAll('delivery')
    .select(['hook.url', 'hook.secret'])
    .where('delivery.next_at', '<=', now)
    .orderBy('delivery.next_at')
    .orderBy('delivery.id')
    .limit(limit)
    .execute();
}

/** Takes a delivery for one attempt, to be tried again at `until` if nothing is heard of it. False: another has it. */
export async function claimDelivery(
  db: Catalog,
  { id, next_at }: Pick<DeliveryRow, 'id' | 'next_at'>,
  until: number,
): Promise<boolean> {
  const result = await db
    .updateTable('deliveries')
    .set({ next_at: until })
    .where('id', '=', id)
    .where('next_at', '=', next_at)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

export async function settleAttempt(
  db: Catalog,
  id: string,
  change: Pick<DeliveryRow, 'attempts' | 'next_at' | 'tried_at' | 'status' | 'answer'>,
): Promise<void> {
  await db.updateTable('deliveries').set(change).where('id', '=', id).execute();
}

/** Forgets deliveries that are over and older than `before`. */
export async function deleteOldDeliveries(db: Catalog, before: number): Promise<void> {
  await db.deleteFrom('deliveries').where('next_at', 'is', null).where('created_at', '<', before).execute();
}
