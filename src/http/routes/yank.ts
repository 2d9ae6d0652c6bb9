import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { authorise } from '../../auth/permissions.ts';
import { needChannel } from '../../registry/find.ts';
import { yankPackage } from '../../registry/yank-package.ts';
import { yankPage } from '../../web/change.ts';
import { attempt, confirm, confirmed, sendChannelPage, writeRefusal } from '../confirmation.ts';
import { needPerson, needSender, type Person } from '../forms.ts';
import type { Identification } from '../identify.ts';
import type { Server } from '../instance.ts';
import { channelParams } from '../schemas.ts';

const identity = {
  name: z.string().max(300).default(''),
  version: z.string().max(300).default(''),
  architecture: z.string().max(64).default(''),
};
type Identity = z.infer<z.ZodObject<typeof identity>>;

async function showYank(
  app: App,
  reply: FastifyReply,
  { actor, form }: Person,
  params: { repository: string; channel: string },
  chosen: Identity,
  refused: string | null,
): Promise<FastifyReply> {
  authorise(actor, 'upload', params.repository);
  const channel = await needChannel(app.db, actor, params.repository, params.channel);
  const { report, refusal } =
    chosen.name === '' || chosen.version === '' || chosen.architecture === ''
      ? { report: null, refusal: null }
      : await attempt(() => yankPackage(app, { actor, ...params, ...chosen, dryRun: true }));
  const body = yankPage({
    ...params,
    ...chosen,
    form,
    refusal: refused ?? writeRefusal(refusal),
    plan: report,
  });
  const status = refused === null && refusal === null ? 200 : 409;
  return sendChannelPage(reply.code(status), channel, 'Yank', body);
}

export function yankRoutes(server: Server, app: App, identification: Identification): void {
  server.get(
    '/r/:repository/c/:channel/yank',
    { schema: { hide: true, params: channelParams, querystring: z.object(identity) } },
    async (request, reply) => {
      const person = await needPerson(request, identification);
      return await showYank(app, reply, person, request.params, request.query, null);
    },
  );
  server.post(
    '/r/:repository/c/:channel/yank',
    { schema: { hide: true, params: channelParams, body: z.object({ ...identity, ...confirmed }) } },
    async (request, reply) => {
      const { form, plan, force, name, version, architecture } = request.body;
      const person = await needSender(request, identification, app.publicUrl, form);
      const { params } = request;
      const chosen = { name, version, architecture };
      return await confirm(
        reply,
        params,
        () =>
          yankPackage(app, {
            actor: person.actor,
            ...params,
            ...chosen,
            force: force === 'yes',
            plan,
          }),
        (refusal) => showYank(app, reply, person, params, chosen, refusal),
      );
    },
  );
}
