/** Creating a channel, and changing what may change of it. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow, RepositoryRow } from '../db/catalog.ts';
import { findChannel, getChannel, insertChannel, updateChannel } from '../db/channels.ts';
import { AppError } from '../errors.ts';
import type { FormatName } from '../formats/package.ts';
import type { Publisher } from '../publish/publisher.ts';
import { withOptions, type ChannelOptions } from '../db/channel-options.ts';
import { needChannel, needRepository } from './find.ts';
import type { Mutexes } from './mutexes.ts';
import { recordEvent } from './record-event.ts';
import type { SetupFiles } from './setup-files.ts';
import { transact } from '../db/transact.ts';

export type ChannelSettings = {
  readonly format: FormatName;
  readonly distribution?: string | undefined;
  readonly origin?: string | undefined;
  readonly label?: string | undefined;
  readonly description?: string | undefined;
  readonly components?: readonly string[] | undefined;
  readonly architectures?: readonly string[] | undefined;
} & ChannelOptions;

export type PutChannelDeps = {
  readonly db: Catalog;
  readonly clock: Clock;
  readonly publisher: Publisher;
  readonly setupFiles: SetupFiles;
  readonly identities: Mutexes;
};

/** What a change of settings would be, before it is made. */
export type ChannelPlan = {
  readonly now: ChannelRow;
  readonly then: ChannelRow;
  /** Names the change: `putChannel` does this one, or throws `plan_changed`. */
  readonly plan: string;
};

/** What `putChannel` would make of a channel that is there. Throws what it throws. */
export async function planChannel(
  { db }: Pick<PutChannelDeps, 'db'>,
  actor: Actor,
  repository: string,
  name: string,
  settings: ChannelSettings,
): Promise<ChannelPlan> {
  authorise(actor, 'admin', repository);
  const now = await needChannel(db, actor, repository, name);
  refuseForeign(settings);
  refuseFixed(now, settings);
  const then = withSettings(now, settings);
  return { now, then, plan: planName(now, then) };
}

function planName(now: ChannelRow, then: ChannelRow): string {
  return createHash('sha256')
    .update(JSON.stringify([now, then]))
    .digest('hex');
}

/** Creates a channel, published empty at once, or updates the settings that are given. */
export async function putChannel(
  deps: PutChannelDeps,
  actor: Actor,
  repositoryName: string,
  name: string,
  settings: ChannelSettings,
  plan?: string,
): Promise<{ channel: ChannelRow; created: boolean }> {
  authorise(actor, 'admin', repositoryName);
  const repository = await needRepository(deps.db, actor, repositoryName);
  refuseForeign(settings);
  return await deps.identities.run(`channel ${repositoryName}/${name}`, async () => {
    const { id, created } = await transact(
      deps.db,
      async (db) => await record({ ...deps, db }, actor, repository, name, settings, plan),
    );
    await deps.setupFiles.write(await getChannel(deps.db, id));
    // Also when it is empty, so that a machine can be set up before the first package is there.
    await deps.publisher.publish(id);
    return { channel: await getChannel(deps.db, id), created };
  });
}

/** Writes the row and the event; neither when the channel is as it is asked for already. */
async function record(
  { db, clock }: Pick<PutChannelDeps, 'db' | 'clock'>,
  actor: Actor,
  repository: RepositoryRow,
  name: string,
  settings: ChannelSettings,
  plan: string | undefined,
): Promise<{ id: string; created: boolean }> {
  const old = await findChannel(db, repository.name, name);
  if (old) refuseFixed(old, settings);
  const begun = old ?? newChannel(repository, name, settings.format, clock.now());
  // Who asks for a channel by name that has expired gets one that stays.
  const stays =
    begun.deleted_at === null ? {} : { deleted_at: null, expires_at: null, expires_after_ms: null };
  const channel = { ...withSettings(begun, settings), ...stays };
  if (old && plan !== undefined && planName(old, channel) !== plan)
    throw new AppError('plan_changed', `${old.id} is no longer as it was when this was planned.`);
  const { id, origin, label, description, components, architectures, options } = channel;
  if (old && isDeepStrictEqual(old, channel)) return { id, created: false };
  const fields = { origin, label, description, components, architectures, options };
  if (old) await updateChannel(db, id, { ...fields, ...stays });
  else await insertChannel(db, channel);
  await recordEvent(db, {
    at: clock.now(),
    actor,
    repository: repository.name,
    channel: name,
    kind: old ? 'channel-update' : 'channel-create',
    detail: settings,
  });
  return { id, created: !old };
}

/** What every machine is likely to be; more are added as packages for them come. */
const firstArchitectures = 'amd64 arm64';

/** The row of a channel with the settings that one has of which nothing is said. */
export function newChannel(
  repository: RepositoryRow,
  name: string,
  format: FormatName,
  now: number,
): ChannelRow {
  return {
    id: `${repository.name}/${name}`,
    repository: repository.name,
    name,
    format,
    distribution: '',
    origin: repository.origin,
    label: repository.name,
    description: repository.description,
    components: 'main',
    architectures: format === 'apt' ? firstArchitectures : '',
    options: '{}',
    deleted_at: null,
    expires_at: null,
    expires_after_ms: null,
    head: 0,
    created_at: now,
  };
}

function withSettings(row: ChannelRow, settings: ChannelSettings): ChannelRow {
  const { components, architectures } = settings;
  return {
    ...row,
    distribution: settings.distribution ?? row.distribution,
    origin: settings.origin ?? row.origin,
    label: settings.label ?? row.label,
    description: settings.description ?? row.description,
    components: components ? [...new Set(components)].join(' ') : row.components,
    architectures: architectures ? [...new Set(architectures)].sort().join(' ') : row.architectures,
    options: withOptions(row, settings),
  };
}

/** Components and architectures are apt's: a yum channel has one index, for every machine. */
function refuseForeign(settings: ChannelSettings): void {
  if (settings.format === 'apt') return;
  for (const field of ['components', 'architectures'] as const)
    if (settings[field] !== undefined)
      throw new AppError('bad_request', `A yum channel has no ${field}.`, { part: 'body', field });
}

/** What clients pin or paths depend on stays as it was first published (apt.md 5.2.6). */
function refuseFixed(old: ChannelRow, settings: ChannelSettings): void {
  for (const field of ['format', 'distribution', 'origin', 'label'] as const) {
    const wanted = settings[field];
    if (wanted !== undefined && wanted !== old[field])
      throw new AppError(
        'fixed_at_publication',
        `The ${field} of ${old.id} is "${old[field]}" and was published; it cannot become "${wanted}".`,
        { field },
      );
  }
  for (const field of ['components', 'architectures'] as const) {
    const missing = old[field]
      .split(' ')
      .filter((item) => item !== '' && settings[field]?.includes(item) === false);
    if (missing.length > 0)
      throw new AppError(
        'fixed_at_publication',
        `The ${field} of ${old.id} can only grow: machines ask for ${missing.join(', ')}.`,
        { field },
      );
  }
}
