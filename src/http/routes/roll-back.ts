import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { authorise } from '../../auth/permissions.ts';
import { listGenerations } from '../../db/generations.ts';
import { needChannel } from '../../registry/find.ts';
import { rollBack } from '../../registry/roll-back.ts';
import { rollBackPage } from '../../web/change.ts';
import { count, moment, who } from '../../web/words.ts';
import { attempt, confirm, confirmed, sendChannelPage, writeRefusal } from '../confirmation.ts';
import { needPerson, needSender, type Person } from '../forms.ts';
import type { Identification } from '../identify.ts';
import type { Server } from '../instance.ts';
import { channelParams } from '../schemas.ts';

/** Generations that are offered to go back to. */
const offeredGenerations = 200;

async function showRollBack(
  app: App,
  reply: FastifyReply,
  { actor, form }: Person,
  params: { repository: string; channel: string },
  generation: number | undefined,
  refused: string | null,
): Promise<FastifyReply> {
  authorise(actor, 'upload', params.repository);
  const channel = await needChannel(app.db, actor, params.repository, params.channel);
  const { report, refusal } =
    generation === undefined
      ? { report: null, refusal: null }
      : await attempt(() => rollBack(app, { actor, ...params, generation, dryRun: true, force: false }));
  const older = await listGenerations(app.db, channel.id, {
    before: channel.head,
    limit: offeredGenerations,
  });
  const body = rollBackPage({
    ...params,
    form,
    generation,
    generations: older.map((row) => ({
      value: String(row.number),
      text: `${row.number}: ${moment(row.committed_at)}, ${count(row.packages, 'package')}, ${row.cause} by ${who(row.actor)}`,
    })),
    refusal: refused ?? writeRefusal(refusal),
    plan: report,
  });
  const status = refused === null && refusal === null ? 200 : 409;
  return sendChannelPage(reply.code(status), channel, 'Roll back', body);
}

export function rollBackRoutes(server: Server, app: App, identification: Identification): void {
  server.get(
    '/r/:repository/c/:channel/roll-back',
    {
      schema: {
        hide: true,
        params: channelParams,
        querystring: z.object({ generation: z.coerce.number().int().min(1).optional() }),
      },
    },
    async (request, reply) => {
      const person = await needPerson(request, identification);
      return await showRollBack(app, reply, person, request.params, request.query.generation, null);
    },
  );
  server.post(
    '/r/:repository/c/:channel/roll-back',
    {
      schema: {
        hide: true,
        params: channelParams,
        body: z.object({ generation: z.coerce.number().int().min(1), ...confirmed }),
      },
    },
    async (request, reply) => {
      const { form, plan, force, generation } = request.body;
      const person = await needSender(request, identification, app.publicUrl, form);
      const { params } = request;
      return await confirm(
        reply,
        params,
        () =>
          rollBack(app, {
            actor: person.actor,
            ...params,
            generation,
            dryRun: false,
            force: force === 'yes',
            plan,
          }),
        (refusal) => showRollBack(app, reply, person, params, generation, refusal),
      );
    },
  );
}
