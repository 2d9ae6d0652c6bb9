/** The operator's decision that a channel goes on from a catalog that is older than what clients have seen. */
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog } from '../db/catalog.ts';
import type { Publisher } from '../publish/publisher.ts';
import { needChannel } from './find.ts';
import { recordEvent } from './record-event.ts';

export type ResumeDeps = {
  readonly db: Catalog;
  readonly clock: Clock;
  readonly publisher: Pick<Publisher, 'resume'>;
};

export type Resumed = { readonly channel: string; readonly generation: number };

/** Throws `forbidden`, `not_found`, and `channel_ahead` while the clock is behind what clients have seen. */
export async function resumeChannel(
  { db, clock, publisher }: ResumeDeps,
  { actor, repository, channel: name }: { actor: Actor; repository: string; channel: string },
): Promise<Resumed> {
  authorise(actor, 'admin', repository);
  const channel = await needChannel(db, actor, repository, name);
  const generation = await publisher.resume(channel.id);
  const event = { at: clock.now(), actor, repository, channel: channel.id, kind: 'resume' } as const;
  await recordEvent(db, { ...event, detail: { generation } });
  return { channel: name, generation };
}
