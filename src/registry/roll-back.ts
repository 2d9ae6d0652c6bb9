/** A new generation whose package set is that of an older one. History only grows. */
import { authorise, type Actor } from '../auth/permissions.ts';
import {
  changeChannel,
  documentsLike,
  type Change,
  type ChangeDeps,
  type ChangeReport,
} from './change-channel.ts';
import { needChannel } from './find.ts';
import { movedBetween, needGeneration } from './history.ts';
import { getChannel } from '../db/channels.ts';
import { listDocuments } from '../db/documents.ts';
import { refuseCollected } from './refuse-collected.ts';

export type RollBackRequest = {
  readonly actor: Actor;
  readonly repository: string;
  readonly channel: string;
  readonly generation: number;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly plan?: string | undefined;
};

/** Throws `not_found`, `package_collected` and what `changeChannel` throws. */
export async function rollBack(deps: ChangeDeps, request: RollBackRequest): Promise<ChangeReport> {
  const { actor, generation, dryRun, force } = request;
  authorise(actor, 'upload', request.repository);
  const channel = await needChannel(deps.db, actor, request.repository, request.channel);
  await needGeneration(deps.db, channel, generation);
  return await changeChannel(deps, {
    actor,
    channel,
    kind: 'rollback',
    detail: () => ({ generation }),
    dryRun,
    force,
    plan: request.plan,
    changes: async () => {
      const { head } = await getChannel(deps.db, channel.id);
      const { added, removed } = await movedBetween(deps.db, channel, head, generation);
      refuseCollected(added, `Generation ${generation}`);
      return [
        ...removed.map((item): Change => ({ action: 'remove', package: item })),
        ...added.map((item): Change => ({ action: 'add', package: item })),
      ];
    },
    documents: async () =>
      documentsLike(
        await listDocuments(deps.db, channel.id, generation),
        await listDocuments(deps.db, channel.id),
      ),
  });
}
