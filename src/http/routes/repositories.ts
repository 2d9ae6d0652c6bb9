import { z } from 'zod';
import type { App } from '../../app.ts';
import { authorise, maySee } from '../../auth/permissions.ts';
import type { EventRow, RepositoryRow } from '../../db/catalog.ts';
import { listEvents } from '../../db/events.ts';
import { listRepositories, listSigningKeys } from '../../db/repositories.ts';
import { needRepository } from '../../registry/find.ts';
import { parseEphemeral } from '../../registry/ephemeral.ts';
import { putRepository } from '../../registry/put-repository.ts';
import { producersOf } from '../../registry/signing-policy.ts';
import { parseRetention } from '../../registry/retain.ts';
import type { Identify } from '../identify.ts';
import { problemSchema } from '../problem.ts';
import { eventsReply, putRepositoryBody, repositoryParams, repositoryReply } from '../schemas.ts';
import type { Server } from '../instance.ts';

const base = '/api/v1/repositories';

export function repositoryRoutes(server: Server, app: App, identify: Identify): void {
  const reply = async (row: RepositoryRow): Promise<z.infer<typeof repositoryReply>> => ({
    name: row.name,
    description: row.description,
    origin: row.origin,
    visibility: row.visibility,
    retention: parseRetention(row),
    ephemeral: parseEphemeral(row),
    createdAt: new Date(row.created_at).toISOString(),
    keys: (await listSigningKeys(app.db, row.name)).map(({ fingerprint, state }) => ({ fingerprint, state })),
    signing: row.signing,
    producerKeys: producersOf(row).map(({ fingerprint, userId }) => ({ fingerprint, userId })),
  });

  server.put(
    `${base}/:repository`,
    {
      schema: {
        tags: ['Repositories'],
        summary: 'Create or update a repository',
        params: repositoryParams,
        body: putRepositoryBody.nullish(),
        response: { 200: repositoryReply, 201: repositoryReply, default: problemSchema },
      },
    },
    async (request, response) => {
      const actor = await identify(request);
      const { repository, created } = await putRepository(
        app,
        actor,
        request.params.repository,
        request.body ?? {},
      );
      return await response.code(created ? 201 : 200).send(await reply(repository));
    },
  );

  server.get(
    base,
    {
      schema: {
        tags: ['Repositories'],
        summary: 'List the repositories that the token may see',
        response: { 200: z.object({ repositories: z.array(repositoryReply) }), default: problemSchema },
      },
    },
    async (request) => {
      const actor = await identify(request);
      const rows = (await listRepositories(app.db)).filter((row) => maySee(actor, row));
      return { repositories: await Promise.all(rows.map(reply)) };
    },
  );

  server.get(
    `${base}/:repository`,
    {
      schema: {
        tags: ['Repositories'],
        summary: 'One repository, with the fingerprints of its keys',
        params: repositoryParams,
        response: { 200: repositoryReply, default: problemSchema },
      },
    },
    async (request) =>
      await reply(await needRepository(app.db, await identify(request), request.params.repository)),
  );

  eventRoutes(server, app, identify);
}

function eventRoutes(server: Server, app: App, identify: Identify): void {
  server.get(
    `${base}/:repository/events`,
    {
      schema: {
        tags: ['Repositories'],
        summary: 'Everything that was done to a repository and by whom, the newest first',
        params: repositoryParams,
        querystring: z.strictObject({
          before: z.string().max(64).optional(),
          limit: z.coerce.number().int().min(1).max(1000).default(100),
        }),
        response: { 200: eventsReply, default: problemSchema },
      },
    },
    async (request) => {
      const actor = await identify(request);
      const { repository } = request.params;
      await needRepository(app.db, actor, repository);
      authorise(actor, 'read', repository);
      const { before, limit } = request.query;
      const rows = await listEvents(app.db, {
        repository,
        limit,
        ...(before === undefined ? {} : { before }),
      });
      return { events: rows.map(eventReply), next: rows.length === limit ? (rows.at(-1)?.id ?? null) : null };
    },
  );
}

function eventReply(row: EventRow): z.infer<typeof eventsReply>['events'][number] {
  const { id, kind, repository, channel, generation, actor } = row;
  return {
    id,
    at: new Date(row.at).toISOString(),
    kind,
    repository,
    channel,
    generation,
    package: row.package,
    actor,
    detail: JSON.parse(row.detail) as Record<string, unknown>,
  };
}
