/** Promotions, rollbacks, publications of many, and the history that they make. */
import { z } from 'zod';
import type { App } from '../../app.ts';
import type { ChannelRow, GenerationRow } from '../../db/catalog.ts';
import { listGenerations } from '../../db/generations.ts';
import { formatOf } from '../../formats/formats.ts';
import { channelForm } from '../../publish/build.ts';
import { needChannel } from '../../registry/find.ts';
import { diffGenerations, needGeneration } from '../../registry/history.ts';
import { promote } from '../../registry/promote.ts';
import { publishChanges } from '../../registry/publish-changes.ts';
import { resumeChannel } from '../../registry/resume-channel.ts';
import { rollBack } from '../../registry/roll-back.ts';
import type { Identify } from '../identify.ts';
import { problemSchema } from '../problem.ts';
import {
  changeReply,
  channelParams,
  differenceReply,
  generationDetailReply,
  generationParams,
  generationsReply,
  promotionBody,
  publicationBody,
  repositoryParams,
  resumeReply,
  rollbackBody,
} from '../schemas.ts';
import type { Server } from '../instance.ts';

const channelBase = '/api/v1/repositories/:repository/channels/:channel';

function resumeRoute(server: Server, app: App, identify: Identify): void {
  server.post(
    `${channelBase}/resume`,
    {
      schema: {
        tags: ['Changes'],
        summary: 'Publish what the catalog says of a channel that is served as of later',
        description:
          'After an older catalog was restored: until then `channel_ahead` refuses whatever publishes.',
        params: channelParams,
        response: { 200: resumeReply, default: problemSchema },
      },
    },
    async (request) => {
      const actor = await identify(request);
      return await resumeChannel(app, { actor, ...request.params });
    },
  );
}

export function changeRoutes(server: Server, app: App, identify: Identify): void {
  server.post(
    '/api/v1/repositories/:repository/promotions',
    {
      schema: {
        tags: ['Changes'],
        summary: 'Put packages of one channel, all or some, into another, in one generation',
        params: repositoryParams,
        body: promotionBody,
        response: { 200: changeReply, default: problemSchema },
      },
    },
    async (request) => {
      const { packages = null, ...body } = request.body;
      const actor = await identify(request);
      return await promote(app, { actor, repository: request.params.repository, packages, ...body });
    },
  );

  resumeRoute(server, app, identify);

  server.post(
    `${channelBase}/rollback`,
    {
      schema: {
        tags: ['Changes'],
        summary: 'Publish a new generation whose packages are those of an older one',
        params: channelParams,
        body: rollbackBody,
        response: { 200: changeReply, default: problemSchema },
      },
    },
    async (request) =>
      await rollBack(app, { actor: await identify(request), ...request.params, ...request.body }),
  );

  server.post(
    `${channelBase}/publications`,
    {
      schema: {
        tags: ['Changes'],
        summary: 'Publish many changes as one generation',
        description:
          'Packages come in by their digests: they were uploaded before, into any channel or into none.',
        params: channelParams,
        body: publicationBody,
        response: { 200: changeReply, default: problemSchema },
      },
    },
    async (request) => {
      const { component = null, ...body } = request.body;
      return await publishChanges(app, {
        actor: await identify(request),
        ...request.params,
        component,
        ...body,
      });
    },
  );

  historyRoutes(server, app, identify);
}

/** A generation as the API shows it. */
function describeGeneration(
  app: App,
  channel: ChannelRow,
  row: GenerationRow,
): z.infer<typeof generationsReply>['generations'][number] {
  const { frozenKey } = formatOf(channel.format).channels;
  return {
    generation: row.number,
    publishedAt: new Date(row.committed_at).toISOString(),
    cause: row.cause,
    actor: row.actor,
    added: row.added,
    removed: row.removed,
    packages: row.packages,
    url: `${app.publicUrl}/${frozenKey(channelForm(channel, app.publicUrl), row.number)}`,
    collected: row.collected_at !== null,
  };
}

function historyRoutes(server: Server, app: App, identify: Identify): void {
  server.get(
    `${channelBase}/generations`,
    {
      schema: {
        tags: ['History'],
        summary: 'The generations of a channel, the newest first',
        params: channelParams,
        querystring: z.strictObject({
          before: z.coerce.number().int().positive().optional(),
          limit: z.coerce.number().int().min(1).max(1000).default(100),
        }),
        response: { 200: generationsReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel: name } = request.params;
      const channel = await needChannel(app.db, await identify(request), repository, name);
      const { before, limit } = request.query;
      const rows = await listGenerations(app.db, channel.id, {
        limit,
        ...(before === undefined ? {} : { before }),
      });
      const last = rows.at(-1)?.number ?? 1;
      return {
        generations: rows.map((row) => describeGeneration(app, channel, row)),
        next: last > 1 ? last : null,
      };
    },
  );

  server.get(
    `${channelBase}/generations/:generation`,
    {
      schema: {
        tags: ['History'],
        summary: 'One generation, with what it changed for clients',
        params: generationParams,
        response: { 200: generationDetailReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel: name, generation } = request.params;
      const channel = await needChannel(app.db, await identify(request), repository, name);
      const row = await needGeneration(app.db, channel, generation);
      const difference = await diffGenerations(app.db, channel, generation - 1, generation);
      return { ...describeGeneration(app, channel, row), changes: difference };
    },
  );

  server.get(
    `${channelBase}/diff`,
    {
      schema: {
        tags: ['History'],
        summary: 'What a machine meets that goes from one generation to another',
        params: channelParams,
        querystring: z.strictObject({
          from: z.coerce.number().int().min(0),
          to: z.coerce.number().int().min(0),
        }),
        response: { 200: differenceReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel: name } = request.params;
      const channel = await needChannel(app.db, await identify(request), repository, name);
      const { from, to } = request.query;
      return await diffGenerations(app.db, channel, from, to);
    },
  );
}
