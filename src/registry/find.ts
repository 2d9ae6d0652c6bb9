/** Looking up what a request names, as far as the one who asks may know of it. */
import { maySee, type Actor } from '../auth/permissions.ts';
import type { Catalog, ChannelRow, RepositoryRow } from '../db/catalog.ts';
import { findChannel } from '../db/channels.ts';
import { findRepository } from '../db/repositories.ts';
import { AppError } from '../errors.ts';

/** A private repository answers like one that is not there to who may not see it. */
export async function needRepository(db: Catalog, actor: Actor, name: string): Promise<RepositoryRow> {
  const repository = await findRepository(db, name);
  if (!repository || !maySee(actor, repository))
    throw new AppError('not_found', `There is no repository "${name}".`);
  return repository;
}

/** Throws `not_found`, and `channel_expired` for an ephemeral channel that is there no more. */
export async function needChannel(
  db: Catalog,
  actor: Actor,
  repository: string,
  name: string,
): Promise<ChannelRow> {
  await needRepository(db, actor, repository);
  const channel = await findChannel(db, repository, name);
  if (channel && channel.deleted_at !== null)
    throw new AppError(
      'channel_expired',
      `The channel "${name}" of "${repository}" expired on ${new Date(channel.deleted_at).toISOString().slice(0, 10)}.`,
    );
  if (!channel) throw new AppError('not_found', `The repository "${repository}" has no channel "${name}".`);
  return channel;
}
