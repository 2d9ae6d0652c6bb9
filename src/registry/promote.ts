/** Putting packages of one channel, all or some, into another, in one generation. */
import { authorise, type Actor } from '../auth/permissions.ts';
import type { ChannelRow } from '../db/catalog.ts';
import { listAll, type ChannelPackage } from '../db/channel-packages.ts';
import { getChannel } from '../db/channels.ts';
import { listDocuments } from '../db/documents.ts';
import { AppError } from '../errors.ts';
import {
  changeChannel,
  documentsLike,
  type Change,
  type ChangeDeps,
  type ChangeReport,
} from './change-channel.ts';
import { placeKey } from './difference.ts';
import { needChannel } from './find.ts';
import { selectPackages, type Selector } from './select-packages.ts';

export type PromoteRequest = {
  readonly actor: Actor;
  readonly repository: string;
  readonly from: string;
  readonly to: string;
  /** Null for everything that the channel holds. */
  readonly packages: readonly Selector[] | null;
  /** The target holds just what the source holds afterwards; what only the target has goes. */
  readonly exact: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly plan?: string | undefined;
};

/** Throws `promotion_mismatch`, `not_found` and what `changeChannel` throws. */
export async function promote(deps: ChangeDeps, request: PromoteRequest): Promise<ChangeReport> {
  const { actor, repository, dryRun, force } = request;
  authorise(actor, 'upload', repository);
  const source = await needChannel(deps.db, actor, repository, request.from);
  const target = await needChannel(deps.db, actor, repository, request.to);
  refuseMismatch(source, target);
  const { head } = await getChannel(deps.db, source.id);
  return await changeChannel(deps, {
    actor,
    channel: target,
    kind: 'promote',
    detail: () => ({ from: source.name, generation: head, packages: request.packages, exact: request.exact }),
    dryRun,
    force,
    plan: request.plan,
    changes: async () => {
      const offered = await listAll(deps.db, source.id);
      const chosen = request.packages ? selectPackages(offered, request.packages, source.id) : offered;
      refuseComponents(chosen, target);
      const held = await listAll(deps.db, target.id);
      return changesFor(chosen, held, request.exact);
    },
    documents: async () => {
      // They are of the channel as a whole: chosen packages come without them.
      if (request.packages) return [];
      const gone = request.exact ? await listDocuments(deps.db, target.id) : new Map<string, never>();
      return documentsLike(await listDocuments(deps.db, source.id), gone);
    },
  });
}

function changesFor(
  chosen: readonly ChannelPackage[],
  held: readonly ChannelPackage[],
  exact: boolean,
): Change[] {
  const there = new Set(held.map(placeKey));
  const wanted = new Set(chosen.map(placeKey));
  const gone = exact ? held.filter((item) => !wanted.has(placeKey(item))) : [];
  return [
    ...gone.map((item): Change => ({ action: 'remove', package: item })),
    ...chosen
      .filter((item) => !there.has(placeKey(item)))
      .map((item): Change => ({ action: 'add', package: item })),
  ];
}

function refuseMismatch(source: ChannelRow, target: ChannelRow): void {
  if (source.id === target.id)
    throw new AppError('promotion_mismatch', `${source.id} cannot be promoted into itself.`);
  for (const field of ['format', 'distribution'] as const)
    if (source[field] !== target[field])
      throw new AppError(
        'promotion_mismatch',
        `${source.id} has the ${field} "${source[field]}", ${target.id} has "${target[field]}".`,
        { field },
      );
}

function refuseComponents(chosen: readonly ChannelPackage[], target: ChannelRow): void {
  const known = target.components.split(' ');
  const missing = [...new Set(chosen.map((item) => item.component))].filter((name) => !known.includes(name));
  if (missing.length > 0)
    throw new AppError(
      'promotion_mismatch',
      `${target.id} has not the components ${missing.join(', ')} that the packages stand in.`,
      { field: 'components' },
    );
}
