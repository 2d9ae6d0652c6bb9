/** Taking a package out of a channel's index. Its file stays while a kept generation names it. */
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog } from '../db/catalog.ts';
import { findMembership, insertPendingChanges } from '../db/membership.ts';
import { findByIdentity, withdraw } from '../db/packages.ts';
import { AppError } from '../errors.ts';
import { createId } from '../ids.ts';
import type { Publisher } from '../publish/publisher.ts';
import { needChannel } from './find.ts';
import { recordEvent } from './record-event.ts';

export type YankDeps = { readonly db: Catalog; readonly clock: Clock; readonly publisher: Publisher };

export type YankRequest = {
  readonly actor: Actor;
  readonly repository: string;
  readonly channel: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
};

/** Yanks a package from every component of a channel; answers the generation that is without it. */
export async function yankPackage(deps: YankDeps, request: YankRequest): Promise<{ generation: number }> {
  authorise(request.actor, 'upload', request.repository);
  const channel = await needChannel(deps.db, request.actor, request.repository, request.channel);
  const { repository, format, distribution } = channel;
  const { name, version, architecture } = request;
  const found = await findByIdentity(deps.db, {
    repository,
    format,
    distribution,
    name,
    version,
    architecture,
  });
  const components = found ? await findMembership(deps.db, channel.id, found.id) : [];
  if (!found || components.length === 0)
    throw new AppError('not_found', `${channel.id} holds no package ${name} ${version} ${architecture}.`);
  const at = deps.clock.now();
  const event = await deps.db.transaction().execute(async (db) => {
    const recorded = await recordEvent(db, {
      at,
      actor: request.actor,
      repository,
      channel: channel.name,
      package: found.id,
      kind: 'yank',
      detail: { components },
    });
    await insertPendingChanges(
      db,
      components.map((component) => ({
        id: createId(at),
        channel: channel.id,
        action: 'remove' as const,
        package: found.id,
        component,
        event: recorded,
      })),
    );
    return recorded;
  });
  return { generation: await publish(deps, channel.id, event) };
}

/** As in upload-package.ts: what could not be published is taken back before it is refused. */
async function publish({ db, publisher }: YankDeps, channel: string, event: string): Promise<number> {
  try {
    return await publisher.publish(channel);
  } catch (error) {
    const { changes } = await db.transaction().execute((transaction) => withdraw(transaction, event, null));
    if (changes) throw error;
    return await publisher.served(channel);
  }
}
