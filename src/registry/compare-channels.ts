/** What two channels of one format hold differently. */
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { listNamed, listOnlyIn } from '../db/channel-packages.ts';
import { listDocuments } from '../db/documents.ts';
import { AppError } from '../errors.ts';
import { formatOf } from '../formats/formats.ts';
import { documentMoves } from '../publish/documents.ts';
import { differenceOf, type Difference } from './difference.ts';

/** What a machine of `other` would meet if that held what `channel` holds. Throws `promotion_mismatch`. */
export async function compareChannels(
  db: Catalog,
  channel: ChannelRow,
  other: ChannelRow,
): Promise<Difference> {
  if (channel.format !== other.format)
    throw new AppError(
      'promotion_mismatch',
      `${channel.id} is for ${channel.format}, ${other.id} for ${other.format}.`,
    );
  const differing = [
    ...(await listOnlyIn(db, channel.id, other.id)),
    ...(await listOnlyIn(db, other.id, channel.id)),
  ];
  const names = [...new Set(differing.map(({ name }) => name))];
  const [before, after] = await Promise.all([
    listNamed(db, other.id, names),
    listNamed(db, channel.id, names),
  ]);
  const documents = documentMoves(await listDocuments(db, other.id), await listDocuments(db, channel.id));
  return differenceOf(before, after, formatOf(channel.format).packages.compareVersions, documents);
}
