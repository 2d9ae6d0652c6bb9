/** Webhooks of a repository: who is told of what. */
import { randomBytes } from 'node:crypto';
import { actorName, authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, DeliveryRow, WebhookRow } from '../db/catalog.ts';
import {
  deleteWebhook,
  findWebhook,
  insertDelivery,
  insertWebhook,
  listDeliveries,
  listWebhooks,
} from '../db/webhooks.ts';
import { AppError } from '../errors.ts';
import { createId } from '../ids.ts';
import { parseReceiver } from '../webhooks/addresses.ts';
import { needRepository } from './find.ts';
import { recordEvent } from './record-event.ts';
import { transact } from '../db/transact.ts';

export type WebhookDeps = { readonly db: Catalog; readonly clock: Clock };

/** Events that a webhook can ask for; a test is sent by hand. */
export const webhookKinds = [
  'repository-update',
  'channel-create',
  'channel-update',
  'channel-expire',
  'upload',
  'stage',
  'yank',
  'promote',
  'rollback',
  'publish',
  'document',
] as const;

const shownDeliveries = 50;

export type NewWebhook = {
  readonly url: string;
  /** Empty for all. */
  readonly kinds: readonly string[];
  /** Made here when it is not given. */
  readonly secret?: string | undefined;
};

/** Sets a webhook up; the secret is in the answer and is shown no more. Throws `webhook_url`. */
export async function createWebhook(
  { db, clock }: WebhookDeps,
  actor: Actor,
  repository: string,
  { url, kinds, secret = `whsec_${randomBytes(32).toString('base64')}` }: NewWebhook,
): Promise<WebhookRow> {
  authorise(actor, 'admin', repository);
  await needRepository(db, actor, repository);
  const now = clock.now();
  const row: WebhookRow = {
    id: createId(now),
    repository,
    url: parseReceiver(url).href,
    secret,
    kinds: [...new Set(kinds)].join(' '),
    created_at: now,
    created_by: actorName(actor),
  };
  await transact(db, async (transaction) => {
    await insertWebhook(transaction, row);
    const detail = { id: row.id, url: row.url, kinds };
    await recordEvent(transaction, { at: now, actor, repository, kind: 'webhook-create', detail });
  });
  return row;
}

async function needWebhook(db: Catalog, actor: Actor, repository: string, id: string): Promise<WebhookRow> {
  authorise(actor, 'admin', repository);
  await needRepository(db, actor, repository);
  const row = await findWebhook(db, repository, id);
  if (!row) throw new AppError('not_found', `The repository "${repository}" has no webhook ${id}.`);
  return row;
}

export async function removeWebhook(
  { db, clock }: WebhookDeps,
  actor: Actor,
  repository: string,
  id: string,
): Promise<void> {
  const { url } = await needWebhook(db, actor, repository, id);
  const at = clock.now();
  await transact(db, async (transaction) => {
    await deleteWebhook(transaction, id);
    await recordEvent(transaction, { at, actor, repository, kind: 'webhook-delete', detail: { id, url } });
  });
}

export type WebhookWithLog = { readonly webhook: WebhookRow; readonly deliveries: readonly DeliveryRow[] };

/** Every webhook of a repository with its latest deliveries, the newest first. */
export async function webhooksOf(
  { db }: Pick<WebhookDeps, 'db'>,
  actor: Actor,
  repository: string,
): Promise<WebhookWithLog[]> {
  authorise(actor, 'admin', repository);
  await needRepository(db, actor, repository);
  return await Promise.all(
    (await listWebhooks(db, repository)).map(async (webhook) => ({
      webhook,
      deliveries: await listDeliveries(db, webhook.id, shownDeliveries),
    })),
  );
}

export async function deliveriesOf(
  { db }: Pick<WebhookDeps, 'db'>,
  actor: Actor,
  repository: string,
  id: string,
): Promise<DeliveryRow[]> {
  const { id: webhook } = await needWebhook(db, actor, repository, id);
  return await listDeliveries(db, webhook, shownDeliveries);
}

/** Puts a delivery into the queue that tells of nothing but itself; answers its id. */
export async function testWebhook(
  { db, clock }: WebhookDeps,
  actor: Actor,
  repository: string,
  id: string,
): Promise<string> {
  await needWebhook(db, actor, repository, id);
  const now = clock.now();
  const body = JSON.stringify({
    at: new Date(now).toISOString(),
    kind: 'test',
    repository,
    actor: actorName(actor),
  });
  return await insertDelivery(db, { webhook: id, kind: 'test', body, now });
}
