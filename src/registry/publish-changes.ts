/** Many changes of one channel as one generation: packages that were staged come in, others go out. */
import { authorise, type Actor } from '../auth/permissions.ts';
import type { ChannelRow } from '../db/catalog.ts';
import { findByDigests, listAll, listNamed, type ChannelPackage } from '../db/channel-packages.ts';
import { AppError } from '../errors.ts';
import { changeChannel, type Change, type ChangeDeps, type ChangeReport } from './change-channel.ts';
import { placeKey } from './difference.ts';
import { needChannel } from './find.ts';
import { refuseCollected } from './refuse-collected.ts';
import { selectPackages, type Selector } from './select-packages.ts';
import { chooseComponent } from './upload-package.ts';

export type PublishRequest = {
  readonly actor: Actor;
  readonly repository: string;
  readonly channel: string;
  /** Null for the channel's first component. */
  readonly component: string | null;
  /** SHA-256 of packages of the repository, as served or as uploaded. */
  readonly add: readonly string[];
  readonly remove: readonly Selector[];
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly plan?: string | undefined;
};

/** Throws `not_found`, `promotion_mismatch`, `package_collected` and what `changeChannel` throws. */
export async function publishChanges(deps: ChangeDeps, request: PublishRequest): Promise<ChangeReport> {
  const { actor, repository, dryRun, force } = request;
  authorise(actor, 'upload', repository);
  const channel = await needChannel(deps.db, actor, repository, request.channel);
  const component = chooseComponent(channel, request.component);
  return await changeChannel(deps, {
    actor,
    channel,
    kind: 'publish',
    detail: () => ({ add: request.add.length, remove: request.remove, component }),
    dryRun,
    force,
    plan: request.plan,
    changes: async () => {
      const wanted = await needPackages(deps, channel, component, request.add);
      // Selectors are held against everything; that is much in a large channel.
      const held =
        request.remove.length > 0
          ? await listAll(deps.db, channel.id)
          : await listNamed(deps.db, channel.id, [...new Set(wanted.map(({ name }) => name))]);
      const there = new Set(held.map(placeKey));
      return [
        ...selectPackages(held, request.remove, channel.id).map((item): Change => ({
          action: 'remove',
          package: item,
        })),
        ...wanted
          .filter((item) => !there.has(placeKey(item)))
          .map((item): Change => ({ action: 'add', package: item })),
      ];
    },
  });
}

async function needPackages(
  { db }: ChangeDeps,
  channel: ChannelRow,
  component: string,
  digests: readonly string[],
): Promise<ChannelPackage[]> {
  const found = await findByDigests(db, channel, digests);
  const known = new Set(found.flatMap((item) => [item.sha256, item.uploaded_sha256]));
  const missing = digests.find((digest) => !known.has(digest));
  if (missing !== undefined)
    throw new AppError(
      'not_found',
      `The repository has no ${channel.format} package with the SHA-256 ${missing}` +
        (channel.distribution === '' ? '.' : ` for ${channel.distribution}.`),
    );
  refuseCollected(found, 'The publication');
  return found.map((item) => ({ ...item, component }));
}
