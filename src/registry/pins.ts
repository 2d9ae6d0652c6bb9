/** Pins: names for generations, which are kept as long as they have one and served under `snapshots/<name>/`. */
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow, PinRow } from '../db/catalog.ts';
import { getChannel, listChannels } from '../db/channels.ts';
import { deletePin, findPin, listPins, putPin } from '../db/pins.ts';
import { AppError } from '../errors.ts';
import { formatOf } from '../formats/formats.ts';
import type { Store } from '../store/store.ts';
import { needChannel } from './find.ts';
import { needGeneration } from './history.ts';
import type { Mutexes } from './mutexes.ts';
import { recordEvent } from './record-event.ts';
import { transact } from '../db/transact.ts';

export type PinDeps = {
  readonly db: Catalog;
  readonly store: Store;
  readonly clock: Clock;
  readonly identities: Mutexes;
};

export type PinRequest = {
  readonly actor: Actor;
  readonly repository: string;
  readonly channel: string;
  readonly name: string;
};

/**
 * Names a generation, the head unless another is given, or moves the name to it. Throws `not_found` and
 * `package_collected`.
 */
export async function pinGeneration(
  deps: PinDeps,
  { actor, repository, channel: channelName, name, generation }: PinRequest & { generation: number | null },
): Promise<{ pin: PinRow; created: boolean }> {
  authorise(actor, 'admin', repository);
  const { id } = await needChannel(deps.db, actor, repository, channelName);
  return await deps.identities.run(`channel ${id}`, async () => {
    const channel = await getChannel(deps.db, id);
    const result = await transact(deps.db, async (db) => {
      const row = await needGeneration(db, channel, generation ?? channel.head);
      if (row.collected_at !== null)
        throw new AppError(
          'package_collected',
          `The files of generation ${row.number} of ${id} were collected; it cannot be pinned any more.`,
        );
      const old = await findPin(db, id, name);
      if (old?.generation === row.number) return { pin: old, created: false };
      const pin: PinRow = {
        channel: id,
        name,
        generation: row.number,
        created_at: deps.clock.now(),
        created_by: actor.kind === 'anonymous' ? '' : actor.name,
      };
      await putPin(db, pin);
      await recordPin(db, actor, channel, { at: pin.created_at, kind: 'pin', name, generation: row.number });
      return { pin, created: !old };
    });
    // After the row: what the name shows must be kept already.
    await showPin(deps.store, channel, result.pin);
    return result;
  });
}

/** Takes the name away; the generation is kept only as long as others are. Throws `not_found`. */
export async function unpin(deps: PinDeps, request: PinRequest): Promise<void> {
  const { actor, repository, name } = request;
  authorise(actor, 'admin', repository);
  const channel = await needChannel(deps.db, actor, repository, request.channel);
  await deps.identities.run(`channel ${channel.id}`, async () => {
    const pin = await needPin(deps.db, channel, name);
    const shown = pinAliases(channel, pin).at(-1);
    // Before the row: the name must never show what is no longer kept. The pool may be another channel's too.
    if (shown) await deps.store.delete(shown.key);
    await transact(deps.db, async (db) => {
      await deletePin(db, channel.id, name);
      const { generation } = pin;
      await recordPin(db, actor, channel, { at: deps.clock.now(), kind: 'unpin', name, generation });
    });
  });
}

/** Throws `not_found`. */
export async function needPin(db: Catalog, channel: ChannelRow, name: string): Promise<PinRow> {
  const pin = await findPin(db, channel.id, name);
  if (!pin) throw new AppError('not_found', `${channel.id} has no pin "${name}".`);
  return pin;
}

/** Where a pin shows its generation, the channel's own place last. */
export function pinAliases(channel: ChannelRow, pin: PinRow): readonly { key: string; target: string }[] {
  const place = { repository: channel.repository, channel: channel.name };
  return formatOf(channel.format).channels.snapshots.pin(place, pin.name, pin.generation);
}

async function showPin(store: Store, channel: ChannelRow, pin: PinRow): Promise<void> {
  for (const { key, target } of pinAliases(channel, pin)) await store.putAlias(key, target);
}

/** After a start: what was recorded and not yet shown. */
export async function showPins({ db, store }: Pick<PinDeps, 'db' | 'store'>): Promise<void> {
  for (const channel of await listChannels(db)) await showPinsOf({ db, store }, channel);
}

/** The same for the pins of one channel. */
export async function showPinsOf(
  { db, store }: Pick<PinDeps, 'db' | 'store'>,
  channel: ChannelRow,
): Promise<void> {
  for (const pin of await listPins(db, channel.id)) await showPin(store, channel, pin);
}

async function recordPin(
  db: Catalog,
  actor: Actor,
  channel: ChannelRow,
  { at, kind, ...detail }: { at: number; kind: 'pin' | 'unpin'; name: string; generation: number },
): Promise<void> {
  await recordEvent(db, {
    at,
    actor,
    repository: channel.repository,
    channel: channel.name,
    kind,
    detail,
  });
}
