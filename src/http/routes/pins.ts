import { z } from 'zod';
import type { App } from '../../app.ts';
import type { ChannelRow, PinRow } from '../../db/catalog.ts';
import { listPins } from '../../db/pins.ts';
import { formatOf } from '../../formats/formats.ts';
import { channelForm } from '../../publish/build.ts';
import { needChannel } from '../../registry/find.ts';
import { needPin, pinGeneration, unpin } from '../../registry/pins.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { problemSchema } from '../problem.ts';
import { channelParams, pinBody, pinParams, pinReply } from '../schemas.ts';

const base = '/api/v1/repositories/:repository/channels/:channel/pins';

function describePin(app: App, channel: ChannelRow, row: PinRow): z.infer<typeof pinReply> {
  const { snapshotKey } = formatOf(channel.format).channels;
  return {
    name: row.name,
    generation: row.generation,
    createdAt: new Date(row.created_at).toISOString(),
    createdBy: row.created_by,
    url: `${app.publicUrl}/${snapshotKey(channelForm(channel, app.publicUrl), row.name)}`,
  };
}

export function pinRoutes(server: Server, app: App, identify: Identify): void {
  readRoutes(server, app, identify);

  server.put(
    `${base}/:pin`,
    {
      schema: {
        tags: ['History'],
        summary: 'Pin a generation: name it, or move the name to it; it is kept as long as it is pinned',
        params: pinParams,
        body: pinBody.nullish(),
        response: { 200: pinReply, 201: pinReply, default: problemSchema },
      },
    },
    async (request, response) => {
      const { repository, channel, pin: name } = request.params;
      const actor = await identify(request);
      const generation = request.body?.generation ?? null;
      const { pin, created } = await pinGeneration(app, { actor, repository, channel, name, generation });
      const row = await needChannel(app.db, actor, repository, channel);
      return await response.code(created ? 201 : 200).send(describePin(app, row, pin));
    },
  );

  server.delete(
    `${base}/:pin`,
    {
      schema: {
        tags: ['History'],
        summary: 'Take a pin away; the generation stays as long as others of its age do',
        params: pinParams,
        response: { 204: z.null(), default: problemSchema },
      },
    },
    async (request, response) => {
      const { repository, channel, pin: name } = request.params;
      await unpin(app, { actor: await identify(request), repository, channel, name });
      return await response.code(204).send(null);
    },
  );
}

function readRoutes(server: Server, app: App, identify: Identify): void {
  server.get(
    base,
    {
      schema: {
        tags: ['History'],
        summary: 'The pins of a channel',
        params: channelParams,
        response: { 200: z.object({ pins: z.array(pinReply) }), default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel } = request.params;
      const row = await needChannel(app.db, await identify(request), repository, channel);
      return { pins: (await listPins(app.db, row.id)).map((pin) => describePin(app, row, pin)) };
    },
  );

  server.get(
    `${base}/:pin`,
    {
      schema: {
        tags: ['History'],
        summary: 'One pin',
        params: pinParams,
        response: { 200: pinReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel, pin } = request.params;
      const row = await needChannel(app.db, await identify(request), repository, channel);
      return describePin(app, row, await needPin(app.db, row, pin));
    },
  );
}
