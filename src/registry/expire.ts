/**
 * The end of an ephemeral channel, in steps that a crash may stand between: an empty generation for the machines that
 * still follow it, its set-up files go, and then the mark, from which on it is no channel any more and its packages
 * may be collected. Until the mark is there the next collection begins again, and finds done what was done.
 */
import type { Actor } from '../auth/permissions.ts';
import type { ChannelRow } from '../db/catalog.ts';
import { getChannel, markExpired } from '../db/channels.ts';
import { listAll } from '../db/channel-packages.ts';
import { listDocuments } from '../db/documents.ts';
import { changeChannel, documentsLike, type ChangeDeps } from './change-channel.ts';
import { recordEvent } from './record-event.ts';
import type { SetupFiles } from './setup-files.ts';
import { transact } from '../db/transact.ts';

export type ExpireDeps = ChangeDeps & { readonly setupFiles: SetupFiles };

function isDue({ expires_at, deleted_at }: ChannelRow, now: number): boolean {
  return expires_at !== null && deleted_at === null && expires_at <= now;
}

/** Ends a channel whose time is over; false when it is not, or when an upload came in between and it lives on. */
export async function expire(
  deps: ExpireDeps,
  {
    actor,
    channel,
    dryRun,
  }: { readonly actor: Actor; readonly channel: ChannelRow; readonly dryRun: boolean },
): Promise<boolean> {
  const { db, clock, identities, setupFiles } = deps;
  if (!isDue(channel, clock.now())) return false;
  if (dryRun) return true;
  const stillDue = async (): Promise<boolean> => isDue(await getChannel(db, channel.id), clock.now());
  await changeChannel(deps, {
    actor,
    channel,
    kind: 'expire',
    detail: () => ({}),
    dryRun: false,
    // Nobody is there to be asked; who needs it longer uploads.
    force: true,
    changes: async () =>
      (await stillDue())
        ? (await listAll(db, channel.id)).map((item) => ({ action: 'remove', package: item }))
        : [],
    documents: async () =>
      (await stillDue()) ? documentsLike(new Map(), await listDocuments(db, channel.id)) : [],
  });
  return await identities.run(`channel ${channel.id}`, async () => {
    if (!(await stillDue())) return false;
    await setupFiles.remove(channel);
    const now = clock.now();
    const isMarked = await transact(db, async (transaction) => {
      if (!(await markExpired(transaction, channel.id, now))) return false;
      const { repository, name } = channel;
      await recordEvent(transaction, {
        at: now,
        actor,
        repository,
        channel: name,
        kind: 'channel-expire',
        detail: {},
      });
      return true;
    });
    // An upload came just now.
    if (!isMarked) await setupFiles.write(await getChannel(db, channel.id));
    return isMarked;
  });
}
