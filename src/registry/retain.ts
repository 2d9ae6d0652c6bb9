/** What leaves a channel by itself, by its age and its successors: a publication like any other, and no deletion. */
import type { Actor } from '../auth/permissions.ts';
import { listAll, type ChannelPackage } from '../db/channel-packages.ts';
import type { ChannelRow, RepositoryRow } from '../db/catalog.ts';
import { listMemberTimes } from '../db/collection.ts';
import { formatOf } from '../formats/formats.ts';
import { changeChannel, type ChangeDeps, type ChangeReport } from './change-channel.ts';
import { parseOptions, retention, type Retention } from '../db/channel-options.ts';
import { placeKey } from './difference.ts';

const dayMs = 86_400_000;
const repositoryRetention = retention.nullable();

/** What holds for the channels of a repository that say nothing of their own; null for nothing. */
export function parseRetention({ retention: text }: Pick<RepositoryRow, 'retention'>): Retention | null {
  return text === '' ? null : repositoryRetention.parse(JSON.parse(text));
}

/** What holds for a channel: its own, or that of its repository. */
function retentionOf(repository: RepositoryRow, channel: ChannelRow): Retention | null {
  const own = parseOptions(channel).retention;
  return own === undefined ? parseRetention(repository) : own;
}

export type RetainRequest = {
  readonly actor: Actor;
  readonly repository: RepositoryRow;
  readonly channel: ChannelRow;
  readonly dryRun: boolean;
};

/** Takes out what retention does not keep, in one generation; null when there is nothing that says so. */
export async function retain(deps: ChangeDeps, request: RetainRequest): Promise<ChangeReport | null> {
  const { actor, repository, channel, dryRun } = request;
  const kept = retentionOf(repository, channel);
  if (!kept) return null;
  return await changeChannel(deps, {
    actor,
    channel,
    kind: 'retention',
    detail: () => kept,
    dryRun,
    // The newest version of everything stays: what goes was superseded, and nobody is there to be asked.
    force: true,
    changes: async () => {
      const held = await listAll(deps.db, channel.id);
      const times = await listMemberTimes(deps.db, channel.id);
      const since = deps.clock.now() - (kept.keepDays ?? 0) * dayMs;
      const { compareVersions } = formatOf(channel.format).packages;
      return superseded(held, kept.keepVersions ?? 1, compareVersions)
        .filter((item) => (times.get(placeKey(item)) ?? 0) <= since)
        .map((item) => ({ action: 'remove', package: item }));
    },
  });
}

/** Packages that are not of the last `keep` versions of their name, architecture and component. */
function superseded(
  items: readonly ChannelPackage[],
  keep: number,
  compareVersions: (a: string, b: string) => number,
): ChannelPackage[] {
  const groups = new Map<string, ChannelPackage[]>();
  for (const item of items) {
    const key = `${item.name}\0${item.architecture}\0${item.component}`;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()].flatMap((group) => {
    const newestFirst = group.toSorted((a, b) => compareVersions(b.version, a.version));
    let versions = 0;
    return newestFirst.filter((item, i) => {
      const previous = newestFirst[i - 1];
      if (!previous || compareVersions(previous.version, item.version) !== 0) versions += 1;
      return versions > keep;
    });
  });
}
