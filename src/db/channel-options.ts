/** What may change of a channel at any time and has no column of its own: the JSON in its `options`. */
import { z } from 'zod';
import type { ChannelRow } from './catalog.ts';
import { AppError } from '../errors.ts';
import type { FormatName } from '../formats/package.ts';

/** In the order in which they are published. */
const compressions = ['gzip', 'zstd', 'xz'] as const;

/**
 * What stays in a channel: the last versions of each name and architecture, by the order of dpkg or rpm, and what
 * came into it within so many days. The newest version always stays.
 */
export const retention = z
  .strictObject({
    keepVersions: z.int().min(1).max(10_000).optional(),
    keepDays: z.number().min(0).max(36_500).optional(),
  })
  .refine(({ keepVersions, keepDays }) => keepVersions !== undefined || keepDays !== undefined, {
    error: 'retention names keepVersions, keepDays or both',
  });
export type Retention = z.infer<typeof retention>;

/** Each is optional in a request; what is not given stays as it is. */
export const channelOptions = {
  compressions: z.array(z.enum(compressions)).min(1).max(compressions.length).optional().meta({
    description:
      'How indexes are compressed. apt: gzip, and zstd or xz beside it. yum: gzip, or zstd in its place, which the tools of el8 cannot read.',
  }),
  contents: z.boolean().optional().meta({
    description:
      'Whether an apt channel publishes `Contents-<arch>.gz`: which package ships which file, for apt-file. Off unless it is asked for.',
  }),
  retention: retention.nullable().optional().meta({
    description:
      'What stays: the last `keepVersions` versions, and what came within `keepDays`. The rest leaves in a generation of its own at the next collection. Null for all; without it, as the repository says.',
  }),
} as const;

const stored = z.object(channelOptions);
export type ChannelOptions = z.infer<typeof stored>;

export function parseOptions({ options }: Pick<ChannelRow, 'options'>): ChannelOptions {
  return stored.parse(JSON.parse(options));
}

/** The options with those of `change` that are given. Throws `bad_request` for what the format has not. */
export function withOptions(
  row: Pick<ChannelRow, 'options' | 'format'>,
  change: { readonly [K in keyof ChannelOptions]?: ChannelOptions[K] | undefined },
): string {
  const options = parseOptions(row);
  if (change.compressions !== undefined) {
    refuseCompressions(row.format, change.compressions);
    options.compressions = compressions.filter((name) => change.compressions?.includes(name));
  }
  if (change.contents !== undefined) {
    if (row.format !== 'apt')
      throw new AppError('bad_request', 'A yum channel has no contents: its filelists say the same.', {
        part: 'body',
        field: 'contents',
      });
    options.contents = change.contents;
  }
  if (change.retention !== undefined) options.retention = change.retention;
  return JSON.stringify(options);
}

function refuseCompressions(format: FormatName, wanted: NonNullable<ChannelOptions['compressions']>): void {
  const place = { part: 'body', field: 'compressions' };
  if (format === 'apt' && !wanted.includes('gzip'))
    throw new AppError(
      'bad_request',
      'An apt channel always has gzip: some clients read nothing else.',
      place,
    );
  if (format === 'yum' && (wanted.length !== 1 || wanted.includes('xz')))
    throw new AppError('bad_request', 'A yum channel has gzip alone or zstd alone.', place);
}
