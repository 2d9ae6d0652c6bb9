/**
 * Ephemeral channels: the first upload to a name that the repository's rules allow makes one, every upload moves its
 * expiry on, and when it has expired (expire.ts) the next one brings it back.
 */
import { z } from 'zod';
import type { Actor } from '../auth/permissions.ts';
import type { Catalog, ChannelRow, RepositoryRow } from '../db/catalog.ts';
import { countEphemeral, findChannel, insertChannel, updateExpiry } from '../db/channels.ts';
import { findRepository } from '../db/repositories.ts';
import { AppError } from '../errors.ts';
import { formatNames, formatOf } from '../formats/formats.ts';
import { needChannel, needRepository } from './find.ts';
import { distributionName } from './names.ts';
import { newChannel } from './put-channel.ts';
import { recordEvent } from './record-event.ts';

const dayMs = 86_400_000;
/** An hour. */
const leastDays = 1 / 24;

const rule = z.strictObject({
  prefix: z
    .string()
    .max(63)
    .regex(
      /^[a-z0-9][a-z0-9.+-]*[.+-]$/,
      'the start of channel names, which ends in ".", "+" or "-": "feature-"',
    )
    .meta({ description: 'What the names of the channels begin with: `feature-`.' }),
  distribution: distributionName.optional().meta({ description: 'Of the channels; without it none.' }),
  expiresAfterDays: z.number().min(leastDays).max(366).meta({ description: 'From the last upload on.' }),
  limit: z.int().min(1).max(1000).meta({ description: 'How many there may be at a time.' }),
});
export type EphemeralRule = z.infer<typeof rule>;

export const ephemeralRules = z.array(rule).max(16);

/** Empty when uploads make no channels. */
export function parseEphemeral({ ephemeral }: Pick<RepositoryRow, 'ephemeral'>): EphemeralRule[] {
  return ephemeral === '' ? [] : ephemeralRules.parse(JSON.parse(ephemeral));
}

/** The first rule that a channel's name falls under. */
function ruleFor(repository: RepositoryRow, name: string): EphemeralRule | undefined {
  return parseEphemeral(repository).find(
    ({ prefix }) => name.length > prefix.length && name.startsWith(prefix),
  );
}

/**
 * The channel that an upload goes to, or the one that it would make: that has an expiry, and `openEphemeral` makes
 * it. Throws what `needChannel` throws, and `wrong_format` when the file name says no format.
 */
export async function channelForUpload(
  db: Catalog,
  actor: Actor,
  place: { readonly repository: string; readonly channel: string; readonly filename: string },
  now: number,
): Promise<ChannelRow> {
  const repository = await needRepository(db, actor, place.repository);
  const row = await findChannel(db, repository.name, place.channel);
  const ephemeral = row?.deleted_at === null ? undefined : ruleFor(repository, place.channel);
  if (!ephemeral) return await needChannel(db, actor, repository.name, place.channel);
  // The format and the distribution of what was there before: its history goes on.
  if (row) return row;
  const format = formatNames.find((name) => place.filename.endsWith(formatOf(name).packages.extension));
  if (!format)
    throw new AppError('wrong_format', `The name "${place.filename}" ends in none of .deb and .rpm.`);
  return {
    ...newChannel(repository, place.channel, format, now),
    distribution: ephemeral.distribution ?? '',
    expires_after_ms: ephemeral.expiresAfterDays * dayMs,
  };
}

/**
 * Makes an ephemeral channel that is not there, brings one back that has expired, and moves the expiry of any on; in
 * the transaction of the upload. Throws `ephemeral_limit`, `wrong_format`, and `not_found` when the rule has gone meanwhile.
 */
export async function openEphemeral(
  db: Catalog,
  wanted: ChannelRow,
  actor: Actor,
  at: number,
): Promise<void> {
  if (wanted.expires_after_ms === null) return;
  const row = await findChannel(db, wanted.repository, wanted.name);
  // Another first upload was faster, of a package that this one cannot stand beside.
  if (row && (row.format !== wanted.format || row.distribution !== wanted.distribution))
    throw new AppError('wrong_format', `${row.id} is by now an ${row.format} channel.`);
  if (row?.deleted_at === null) {
    const expires_at = at + (row.expires_after_ms ?? 0);
    if (row.expires_after_ms !== null) await updateExpiry(db, row.id, { expires_at });
    return;
  }
  const { limit, prefix, expiresAfterDays } = await needRule(db, wanted);
  if ((await countEphemeral(db, wanted.repository, prefix)) >= limit)
    throw new AppError(
      'ephemeral_limit',
      `${wanted.repository} has ${limit} channels already whose names begin with "${prefix}".`,
    );
  const expires_after_ms = expiresAfterDays * dayMs;
  const expiry = { expires_after_ms, expires_at: at + expires_after_ms, deleted_at: null };
  if (row) await updateExpiry(db, row.id, expiry);
  else await insertChannel(db, { ...wanted, ...expiry });
  await recordEvent(db, {
    at,
    actor,
    repository: wanted.repository,
    channel: wanted.name,
    kind: 'channel-create',
    detail: {
      ephemeral: true,
      expiresAt: new Date(expiry.expires_at).toISOString(),
      back: row !== undefined,
    },
  });
}

async function needRule(
  db: Catalog,
  { repository: name, name: channel }: ChannelRow,
): Promise<EphemeralRule> {
  const repository = await findRepository(db, name);
  const found = repository && ruleFor(repository, channel);
  if (found) return found;
  throw new AppError('not_found', `The repository "${name}" has no channel "${channel}".`);
}
