/** Webhooks: over the API, and on a page. */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import type { DeliveryRow, WebhookRow } from '../../db/catalog.ts';
import { AppError } from '../../errors.ts';
import {
  createWebhook,
  deliveriesOf,
  removeWebhook,
  testWebhook,
  webhookKinds,
  webhooksOf,
} from '../../registry/webhooks.ts';
import { repositoryUrl, webhooksUrl } from '../../web/links.ts';
import { webhooksPage } from '../../web/webhooks.ts';
import { needPerson, needSender, type Person } from '../forms.ts';
import type { Identification, Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { problemSchema } from '../problem.ts';
import {
  deliveriesReply,
  deliveryReply,
  newWebhookReply,
  repositoryParams,
  webhookBody,
  webhookParams,
  type webhookReply,
  webhooksReply,
} from '../schemas.ts';
import { sendPage } from '../send-page.ts';

const base = '/api/v1/repositories/:repository/webhooks';

const kindsOf = ({ kinds }: WebhookRow): string[] => kinds.split(' ').filter(Boolean);

function describe(row: WebhookRow): z.infer<typeof webhookReply> {
  const { id, url, created_at, created_by } = row;
  return {
    id,
    url,
    kinds: kindsOf(row),
    createdAt: new Date(created_at).toISOString(),
    createdBy: created_by,
  };
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function describeDelivery(row: DeliveryRow): z.infer<typeof deliveryReply> {
  const { id, kind, created_at, attempts, next_at, tried_at, status, answer, body } = row;
  return {
    id,
    kind,
    createdAt: new Date(created_at).toISOString(),
    attempts,
    nextAt: iso(next_at),
    triedAt: iso(tried_at),
    status,
    answer,
    body,
  };
}

export function webhookRoutes(server: Server, app: App, identify: Identify): void {
  const tags = ['Webhooks'];
  server.post(
    base,
    {
      schema: {
        tags,
        summary: 'Set up a webhook; its secret is in this answer alone',
        params: repositoryParams,
        body: webhookBody,
        response: { 201: newWebhookReply, default: problemSchema },
      },
    },
    async (request, reply) => {
      const actor = await identify(request);
      const row = await createWebhook(app, actor, request.params.repository, request.body);
      return await reply.code(201).send({ ...describe(row), secret: row.secret });
    },
  );
  server.get(
    base,
    {
      schema: {
        tags,
        summary: 'The webhooks of a repository',
        params: repositoryParams,
        response: { 200: webhooksReply, default: problemSchema },
      },
    },
    async (request) => {
      const found = await webhooksOf(app, await identify(request), request.params.repository);
      return { webhooks: found.map(({ webhook }) => describe(webhook)) };
    },
  );
  server.delete(
    `${base}/:id`,
    {
      schema: {
        tags,
        summary: 'Remove a webhook with its log',
        params: webhookParams,
        response: { 204: z.null(), default: problemSchema },
      },
    },
    async (request, reply) => {
      const { repository, id } = request.params;
      await removeWebhook(app, await identify(request), repository, id);
      return await reply.code(204).send(null);
    },
  );
  deliveryRoutes(server, app, identify);
}

function deliveryRoutes(server: Server, app: App, identify: Identify): void {
  const tags = ['Webhooks'];
  server.get(
    `${base}/:id/deliveries`,
    {
      schema: {
        tags,
        summary: 'What was sent and answered, the newest first',
        params: webhookParams,
        response: { 200: deliveriesReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, id } = request.params;
      const rows = await deliveriesOf(app, await identify(request), repository, id);
      return { deliveries: rows.map(describeDelivery) };
    },
  );
  server.post(
    `${base}/:id/test`,
    {
      schema: {
        tags,
        summary: 'Send a test, and answer how that went',
        params: webhookParams,
        response: { 200: deliveryReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, id } = request.params;
      const actor = await identify(request);
      const delivery = await testWebhook(app, actor, repository, id);
      await app.deliveries.deliverDue();
      const row = (await deliveriesOf(app, actor, repository, id)).find((one) => one.id === delivery);
      if (!row) throw new AppError('not_found', `The webhook ${id} was removed meanwhile.`);
      return describeDelivery(row);
    },
  );
}

const formBody = z.object({
  form: z.string().max(100),
  do: z.enum(['create', 'test', 'remove']),
  id: z.string().max(64).default(''),
  url: z.string().max(2000).default(''),
  kinds: z.string().max(1000).default(''),
});

export function webhookPageRoutes(server: Server, app: App, identification: Identification): void {
  const path = '/r/:repository/webhooks';
  server.get(path, { schema: { hide: true, params: repositoryParams } }, async (request, reply) => {
    const person = await needPerson(request, identification);
    return await show(app, reply, person, request.params.repository, { refusal: null, secret: null });
  });
  server.post(
    path,
    { schema: { hide: true, params: repositoryParams, body: formBody } },
    async (request, reply) => {
      const { form, do: what, id, url, kinds } = request.body;
      const person = await needSender(request, identification, app.publicUrl, form);
      const { repository } = request.params;
      const { actor } = person;
      if (what === 'test') {
        await testWebhook(app, actor, repository, id);
        await app.deliveries.deliverDue();
      } else if (what === 'remove') await removeWebhook(app, actor, repository, id);
      else return await create(app, reply, person, repository, { url, kinds });
      return await reply.redirect(webhooksUrl(repository), 303);
    },
  );
}

/** Answers the page itself: the secret is in no URL, and is not shown when the page is loaded again. */
async function create(
  app: App,
  reply: FastifyReply,
  person: Person,
  repository: string,
  { url, kinds }: { url: string; kinds: string },
): Promise<FastifyReply> {
  const asked = webhookBody.safeParse({ url, kinds: kinds.split(/[\s,]+/).filter(Boolean) });
  if (!asked.success) {
    const refusal = `${asked.error.issues[0]?.path[0]?.toString() ?? ''}: ${asked.error.issues[0]?.message ?? ''}`;
    return await show(app, reply.code(400), person, repository, { refusal, secret: null });
  }
  try {
    const { secret } = await createWebhook(app, person.actor, repository, asked.data);
    return await show(app, reply, person, repository, { refusal: null, secret });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'webhook_url') throw error;
    return await show(app, reply.code(422), person, repository, { refusal: error.message, secret: null });
  }
}

async function show(
  app: App,
  reply: FastifyReply,
  { actor, form }: Person,
  repository: string,
  said: { refusal: string | null; secret: string | null },
): Promise<FastifyReply> {
  const found = await webhooksOf(app, actor, repository);
  const body = webhooksPage({
    repository,
    action: webhooksUrl(repository),
    form,
    ...said,
    kinds: webhookKinds,
    webhooks: found.map(({ webhook, deliveries }) => ({
      id: webhook.id,
      url: webhook.url,
      kinds: kindsOf(webhook),
      createdBy: webhook.created_by,
      deliveries: deliveries.map((row) => ({
        id: row.id,
        kind: row.kind,
        createdAtMs: row.created_at,
        attempts: row.attempts,
        nextAtMs: row.next_at,
        status: row.status,
        answer: row.answer,
      })),
    })),
  });
  const trail = [
    { text: 'Repositories', href: '/' },
    { text: repository, href: repositoryUrl(repository) },
  ];
  return sendPage(reply, { title: `Webhooks · ${repository}`, section: 'repositories', trail, body });
}
