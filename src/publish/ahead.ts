/**
 * Whether clients have been shown more of a channel than the catalog knows: it was restored from before. To publish
 * from it as if nothing was would take packages from machines without anybody having said so.
 */
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { getChannel } from '../db/channels.ts';
import { findGeneration } from '../db/generations.ts';
import { formatOf } from '../formats/formats.ts';
import type { Store } from '../store/store.ts';

type AheadDeps = { readonly db: Catalog; readonly store: Store };

/** The time of what clients are shown, in seconds since 1970, when it is later than the catalog's; else null. */
export async function dateAhead(
  { db, store }: AheadDeps,
  { id, format, repository, name }: ChannelRow,
): Promise<number | null> {
  const { snapshots } = formatOf(format).channels;
  // Before the catalog: another server on it may publish meanwhile, and commits first.
  const file = await store.open(snapshots.document({ repository, channel: name }, null));
  const shown = file && snapshots.read((await file.bytes()).toString());
  if (!shown) return null;
  const { head } = await getChannel(db, id);
  const known = await findGeneration(db, id, head);
  return shown.date > (known?.date ?? 0) ? shown.date : null;
}
