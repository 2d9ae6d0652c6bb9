/** What operators and their monitoring ask. */
import { z } from 'zod';
import type { App } from '../../app.ts';
import { oldestHeadDate } from '../../db/generations.ts';
import { AppError } from '../../errors.ts';
import { apiPage, type OpenApi } from '../../web/api-reference.ts';
import { problemSchema } from '../problem.ts';
import type { ServerCertificate } from '../certificate.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { sendPage } from '../send-page.ts';

const health = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });
const readiness = health
  .extend({
    warnings: z
      .array(z.string())
      .optional()
      .meta({ description: 'What somebody has to look after before it stops the server.' }),
  })
  .meta({ id: 'Readiness' });

/** What readiness says beside being ready. */
export function warningsOf(certificate: ServerCertificate | null): { warnings?: string[] } {
  const warning = certificate?.warning ?? null;
  return warning === null ? {} : { warnings: [warning] };
}

/** Before the metrics are read. */
export function observeCertificate(
  { metrics }: Pick<App, 'metrics'>,
  certificate: ServerCertificate | null,
): void {
  if (certificate) metrics.setCertificateValidUntil(certificate.validUntilMs / 1000);
}

export function operationRoutes(
  server: Server,
  app: App,
  {
    identifyPerson,
    certificate,
  }: { readonly identifyPerson: Identify; readonly certificate: ServerCertificate | null },
): void {
  server.get(
    '/healthz',
    {
      schema: {
        tags: ['Operation'],
        summary: 'The process answers',
        security: [],
        response: { 200: health },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  server.get(
    '/readyz',
    {
      schema: {
        tags: ['Operation'],
        summary: 'The catalog and the store can be used, and recovery is over',
        security: [],
        response: { 200: readiness, default: problemSchema },
      },
    },
    async () => {
      try {
        await app.checkReady();
      } catch (cause) {
        throw new AppError('unavailable', 'The catalog or the store cannot be used.', undefined, { cause });
      }
      return { status: 'ok' as const, ...warningsOf(certificate) };
    },
  );

  server.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    const date = await oldestHeadDate(app.db);
    if (date !== undefined) app.metrics.setValidUntil(date + app.config.validMs / 1000);
    observeCertificate(app, certificate);
    const { type, text } = await app.metrics.render();
    return await reply.type(type).send(text);
  });

  server.get('/openapi.json', { schema: { hide: true } }, () => server.swagger());

  server.get('/api', { schema: { hide: true } }, async (request, reply) => {
    await identifyPerson(request);
    // Our own document, of the shapes that schemas.ts gives it.
    return sendPage(reply, { title: 'REST API', body: apiPage(server.swagger() as OpenApi, app.publicUrl) });
  });
}
