import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { authorise } from '../../auth/permissions.ts';
import { listChannels } from '../../db/channels.ts';
import { channelName } from '../../registry/names.ts';
import { promote } from '../../registry/promote.ts';
import { promotePage } from '../../web/change.ts';
import { repositoryUrl } from '../../web/links.ts';
import { attempt, confirm, confirmed, writeRefusal } from '../confirmation.ts';
import { needPerson, needSender, type Person } from '../forms.ts';
import type { Identification } from '../identify.ts';
import type { Server } from '../instance.ts';
import { repositoryParams } from '../schemas.ts';
import { sendPage } from '../send-page.ts';

const promoteChoice = {
  from: channelName.optional().catch(undefined),
  to: channelName.optional().catch(undefined),
  packages: z.string().max(100_000).default(''),
  exact: z.literal('yes').optional(),
};
type PromoteChoice = z.infer<z.ZodObject<typeof promoteChoice>>;

/** What the form asks for, in the words of the verb. */
const requestOf = (repository: string, { from = '', to = '', packages, exact }: PromoteChoice) => {
  const names = packages.split(/[\s,]+/).filter(Boolean);
  return {
    repository,
    from,
    to,
    packages: names.length === 0 ? null : names.map((name) => ({ name })),
    exact: exact === 'yes',
  };
};

async function showPromotion(
  app: App,
  reply: FastifyReply,
  { actor, form }: Person,
  repository: string,
  choice: PromoteChoice,
  refused: string | null,
): Promise<FastifyReply> {
  authorise(actor, 'upload', repository);
  const chosen = requestOf(repository, choice);
  const { report, refusal } =
    choice.from !== undefined && choice.to !== undefined
      ? await attempt(() => promote(app, { actor, ...chosen, dryRun: true, force: false }))
      : { report: null, refusal: null };
  const channels = (await listChannels(app.db, repository)).map(({ name, format, distribution }) => ({
    value: name,
    text: `${name} (${[format, distribution].filter(Boolean).join(', ')})`,
  }));
  const body = promotePage({
    repository,
    channels,
    form,
    from: choice.from,
    to: choice.to,
    packages: choice.packages,
    exact: chosen.exact,
    refusal: refused ?? writeRefusal(refusal),
    plan: report,
  });
  const trail = [
    { text: 'Repositories', href: '/' },
    { text: repository, href: repositoryUrl(repository) },
  ];
  const status = refused === null && refusal === null ? 200 : 409;
  return sendPage(reply.code(status), {
    title: `Promote · ${repository}`,
    section: 'repositories',
    trail,
    body,
  });
}

export function promoteRoutes(server: Server, app: App, identification: Identification): void {
  server.get(
    '/r/:repository/promote',
    { schema: { hide: true, params: repositoryParams, querystring: z.object(promoteChoice) } },
    async (request, reply) => {
      const person = await needPerson(request, identification);
      return await showPromotion(app, reply, person, request.params.repository, request.query, null);
    },
  );
  server.post(
    '/r/:repository/promote',
    { schema: { hide: true, params: repositoryParams, body: z.object({ ...promoteChoice, ...confirmed }) } },
    async (request, reply) => {
      const { form, plan, force, ...choice } = request.body;
      const person = await needSender(request, identification, app.publicUrl, form);
      const { repository } = request.params;
      const chosen = requestOf(repository, choice);
      const { actor } = person;
      return await confirm(
        reply,
        { repository, channel: chosen.to },
        () => promote(app, { actor, ...chosen, dryRun: false, force: force === 'yes', plan }),
        (refusal) => showPromotion(app, reply, person, repository, choice, refusal),
      );
    },
  );
}
