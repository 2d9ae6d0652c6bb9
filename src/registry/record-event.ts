import { actorName, type Actor } from '../auth/permissions.ts';
import type { Catalog } from '../db/catalog.ts';
import { insertEvent } from '../db/events.ts';
import { enqueueEvents } from '../db/webhooks.ts';
import { createId } from '../ids.ts';

/** What was done, in the words of the audit page. */
export const eventKinds = [
  'repository-create',
  'repository-update',
  'channel-create',
  'channel-update',
  'channel-expire',
  'expire',
  'key-generate',
  'token-create',
  'token-revoke',
  'sign-in',
  'sign-out-everywhere',
  'upload',
  'stage',
  'yank',
  'promote',
  'rollback',
  'resume',
  'pin',
  'unpin',
  'publish',
  'document',
  'webhook-create',
  'webhook-delete',
  'retention',
  'collect',
] as const;
export type EventKind = (typeof eventKinds)[number];

/** Told of at once; what is published is told of when the generation is there that holds it (publish/round.ts). */
const toldAtOnce = new Set<EventKind>([
  'repository-update',
  'channel-create',
  'channel-update',
  'channel-expire',
  'stage',
]);

export type NewEvent = {
  readonly at: number;
  readonly actor: Actor;
  /** Empty for what concerns the whole server. */
  readonly repository: string;
  readonly channel?: string;
  readonly package?: string;
  readonly kind: EventKind;
  readonly detail: Readonly<Record<string, unknown>>;
};

/** Writes an event, in the transaction of the change that it tells of; returns its id. */
export async function recordEvent(db: Catalog, event: NewEvent): Promise<string> {
  const id = createId(event.at);
  await insertEvent(db, {
    id,
    at: event.at,
    repository: event.repository,
    channel: event.channel ?? null,
    generation: null,
    package: event.package ?? null,
    kind: event.kind,
    actor: actorName(event.actor),
    token: event.actor.kind === 'token' ? event.actor.id : null,
    detail: JSON.stringify(event.detail),
  });
  if (toldAtOnce.has(event.kind)) await enqueueEvents(db, [id], event.at);
  return id;
}
