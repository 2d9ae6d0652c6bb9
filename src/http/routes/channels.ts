import { z } from 'zod';
import type { App } from '../../app.ts';
import type { ChannelRow } from '../../db/catalog.ts';
import { listChannels } from '../../db/channels.ts';
import { formatOf } from '../../formats/formats.ts';
import { parseOptions } from '../../db/channel-options.ts';
import { needChannel, needRepository } from '../../registry/find.ts';
import { putChannel } from '../../registry/put-channel.ts';
import { channelForm } from '../../publish/build.ts';
import type { Identify } from '../identify.ts';
import { problemSchema } from '../problem.ts';
import { channelParams, channelReply, putChannelBody, repositoryParams } from '../schemas.ts';
import type { Server } from '../instance.ts';

const base = '/api/v1/repositories/:repository/channels';

/** A channel as the API shows it. */
export function describeChannel(row: ChannelRow, publicUrl: string): z.infer<typeof channelReply> {
  const form = channelForm(row, publicUrl);
  const { channels } = formatOf(row.format);
  return {
    repository: row.repository,
    name: row.name,
    format: row.format,
    distribution: row.distribution === '' ? null : row.distribution,
    origin: row.origin,
    label: row.label,
    description: row.description,
    components: [...form.components],
    architectures: [...form.architectures],
    compressions: [...form.compressions],
    contents: form.contents,
    generation: row.head,
    url: `${publicUrl}/${channels.baseKey(form)}`,
    setup: channels
      .setupFiles(form, { armored: '', producersKey: null, packagesSigned: true })
      .map((file) => `${publicUrl}/${file.key}`),
    retention: parseOptions(row).retention,
    expiresAt: row.expires_at === null ? null : new Date(row.expires_at).toISOString(),
    createdAt: new Date(row.created_at).toISOString(),
  };
}

export function channelRoutes(server: Server, app: App, identify: Identify): void {
  server.put(
    `${base}/:channel`,
    {
      schema: {
        tags: ['Channels'],
        summary: 'Create or update a channel',
        params: channelParams,
        body: putChannelBody,
        response: { 200: channelReply, 201: channelReply, default: problemSchema },
      },
    },
    async (request, response) => {
      const actor = await identify(request);
      const { repository, channel: name } = request.params;
      const { channel, created } = await putChannel(app, actor, repository, name, request.body);
      return await response.code(created ? 201 : 200).send(describeChannel(channel, app.publicUrl));
    },
  );

  server.get(
    base,
    {
      schema: {
        tags: ['Channels'],
        summary: 'List the channels of a repository',
        params: repositoryParams,
        response: { 200: z.object({ channels: z.array(channelReply) }), default: problemSchema },
      },
    },
    async (request) => {
      const { name } = await needRepository(app.db, await identify(request), request.params.repository);
      return {
        channels: (await listChannels(app.db, name)).map((row) => describeChannel(row, app.publicUrl)),
      };
    },
  );

  server.get(
    `${base}/:channel`,
    {
      schema: {
        tags: ['Channels'],
        summary: 'One channel',
        params: channelParams,
        response: { 200: channelReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel } = request.params;
      return describeChannel(
        await needChannel(app.db, await identify(request), repository, channel),
        app.publicUrl,
      );
    },
  );
}
