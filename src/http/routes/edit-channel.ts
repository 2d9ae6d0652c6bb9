import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { authorise } from '../../auth/permissions.ts';
import type { ChannelRow } from '../../db/catalog.ts';
import { AppError } from '../../errors.ts';
import { parseOptions } from '../../db/channel-options.ts';
import { needChannel } from '../../registry/find.ts';
import { planChannel, putChannel } from '../../registry/put-channel.ts';
import { publishedUrl } from '../../web/links.ts';
import { editChannelPage, type SettingsView } from '../../web/change.ts';
import { confirmed, sendChannelPage, writeRefusal } from '../confirmation.ts';
import { needPerson, needSender, type Person } from '../forms.ts';
import type { Identification } from '../identify.ts';
import type { Server } from '../instance.ts';
import { channelParams, putChannelBody } from '../schemas.ts';

const settingFields = {
  description: z.string().max(1000).default(''),
  components: z.string().max(4000).default(''),
  architectures: z.string().max(4000).default(''),
  contents: z.enum(['on', 'off', '']).default(''),
};

/** The settings that a form asks for, in the grammar of the API. Throws `bad_request` naming the field. */
function settingsOf(channel: ChannelRow, asked: SettingsView) {
  const { description, components, architectures, contents } = asked;
  const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);
  const parsed = putChannelBody.safeParse({
    format: channel.format,
    ...(description.trim() === '' ? {} : { description }),
    ...(channel.format === 'apt'
      ? { components: words(components), architectures: words(architectures) }
      : {}),
    ...(contents === '' ? {} : { contents: contents === 'on' }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AppError(
    'bad_request',
    `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}.`,
  );
}

function viewOf(row: ChannelRow): SettingsView {
  const { description, components, architectures } = row;
  const contents = row.format === 'yum' ? '' : parseOptions(row).contents === true ? 'on' : 'off';
  return { description, components, architectures, contents };
}

async function showEdit(
  app: App,
  reply: FastifyReply,
  { actor, form }: Person,
  params: { repository: string; channel: string },
  asked: SettingsView | null,
  refused: string | null,
): Promise<FastifyReply> {
  authorise(actor, 'admin', params.repository);
  const channel = await needChannel(app.db, actor, params.repository, params.channel);
  const view = { ...params, format: channel.format, form, now: viewOf(channel) };
  const send = (rest: { wanted: SettingsView; plan: string | null; refusal: string | null }): FastifyReply =>
    sendChannelPage(
      reply.code(rest.refusal === null ? 200 : 409),
      channel,
      'Edit',
      editChannelPage({ ...view, ...rest }),
    );
  if (asked === null) return send({ wanted: view.now, plan: null, refusal: refused });
  try {
    const { then, plan } = await planChannel(
      app,
      actor,
      params.repository,
      params.channel,
      settingsOf(channel, asked),
    );
    return await send({ wanted: viewOf(then), plan, refusal: refused });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return send({ wanted: asked, plan: null, refusal: refused ?? error.message });
  }
}

export function editChannelRoutes(server: Server, app: App, identification: Identification): void {
  server.get(
    '/r/:repository/c/:channel/edit',
    {
      schema: {
        hide: true,
        params: channelParams,
        querystring: z.object({ ...settingFields, show: z.literal('changes').optional() }),
      },
    },
    async (request, reply) => {
      const person = await needPerson(request, identification);
      const { show: shown, ...asked } = request.query;
      return await showEdit(app, reply, person, request.params, shown === undefined ? null : asked, null);
    },
  );
  server.post(
    '/r/:repository/c/:channel/edit',
    { schema: { hide: true, params: channelParams, body: z.object({ ...settingFields, ...confirmed }) } },
    async (request, reply) => {
      const { form, plan, description, components, architectures, contents } = request.body;
      const person = await needSender(request, identification, app.publicUrl, form);
      const { repository, channel: name } = request.params;
      const asked = { description, components, architectures, contents };
      const channel = await needChannel(app.db, person.actor, repository, name);
      try {
        const done = await putChannel(app, person.actor, repository, name, settingsOf(channel, asked), plan);
        return await reply.redirect(publishedUrl(repository, name, done.channel.head), 303);
      } catch (error) {
        if (!(error instanceof AppError) || error.code === 'forbidden') throw error;
        return await showEdit(app, reply, person, request.params, asked, writeRefusal(error));
      }
    },
  );
}
