/** Taking a package out of a channel's index. Its file stays while a kept generation names it. */
import { authorise, type Actor } from '../auth/permissions.ts';
import { listNamed } from '../db/channel-packages.ts';
import { changeChannel, type ChangeDeps, type ChangeReport } from './change-channel.ts';
import { needChannel } from './find.ts';
import { selectPackages } from './select-packages.ts';

export type YankRequest = {
  readonly actor: Actor;
  readonly repository: string;
  readonly channel: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly dryRun?: boolean;
  /** Goes on where the guard-rails would stop; so does a call that does not say. */
  readonly force?: boolean;
  readonly plan?: string | undefined;
};

/**
 * Yanks a package from every component of a channel. A program has nothing to force: a yank names what it takes
 * away. A person is asked. Throws `not_found`, `needs_force`.
 */
export async function yankPackage(deps: ChangeDeps, request: YankRequest): Promise<ChangeReport> {
  const { actor, name, version, architecture } = request;
  authorise(actor, 'upload', request.repository);
  const channel = await needChannel(deps.db, actor, request.repository, request.channel);
  return await changeChannel(deps, {
    actor,
    channel,
    kind: 'yank',
    detail: (changes) => ({ components: changes.map((change) => change.package.component) }),
    dryRun: request.dryRun ?? false,
    force: request.force ?? true,
    plan: request.plan,
    changes: async () => {
      const held = await listNamed(deps.db, channel.id, [name]);
      const chosen = selectPackages(held, [{ name, version, architecture }], channel.id);
      return chosen.map((item) => ({ action: 'remove', package: item }));
    },
  });
}
