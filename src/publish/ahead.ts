/**
 * Whether clients have been shown more of a channel than the catalog knows: it was restored from before. To publish
 * from it as if nothing was would take packages from machines without anybody having said so.
 */
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { getChannel, listChannels } from '../db/channels.ts';
import { findGeneration } from '../db/generations.ts';
import type { SnapshotPlace } from '../formats/format.ts';
import { formatNames, formatOf } from '../formats/formats.ts';
import { channelOfSetupFile } from '../formats/tree.ts';
import type { FormatName } from '../formats/package.ts';
import type { Store } from '../store/store.ts';

type AheadDeps = { readonly db: Catalog; readonly store: Store };

/** The time of what clients are shown, in seconds since 1970, when it is later than the catalog's; else null. */
export async function dateAhead(
  { db, store }: AheadDeps,
  { id, format, repository, name }: ChannelRow,
): Promise<number | null> {
  // Before the catalog: another server on it may publish meanwhile, and commits first.
  const shown = await dateShown(store, format, { repository, channel: name });
  if (shown === null) return null;
  const { head } = await getChannel(db, id);
  const known = await findGeneration(db, id, head);
  return shown > (known?.date ?? 0) ? shown : null;
}

/** The time of what clients of a channel are shown, in seconds since 1970; null when it is nothing. */
async function dateShown(store: Store, format: FormatName, place: SnapshotPlace): Promise<number | null> {
  const { snapshots } = formatOf(format).channels;
  const file = await store.open(snapshots.document(place, null));
  return (file && snapshots.read((await file.bytes()).toString())?.date) ?? null;
}

/**
 * Channels that machines were set up for and that the catalog does not have: by id, with the time of what is shown.
 * They are known by their set-up files, which are written once the channel is recorded and go before it does.
 */
export async function channelsUnknown({ db, store }: AheadDeps): Promise<Map<string, number>> {
  const places = new Map<string, SnapshotPlace>();
  // Before the catalog, as above.
  for await (const { key } of store.list('setup/')) {
    const place = channelOfSetupFile(key);
    if (place) places.set(`${place.repository}/${place.channel}`, place);
  }
  for (const { id } of await listChannels(db)) places.delete(id);
  const unknown = new Map<string, number>();
  for (const [id, place] of places)
    for (const format of formatNames) {
      const date = await dateShown(store, format, place);
      if (date !== null) unknown.set(id, date);
    }
  return unknown;
}
