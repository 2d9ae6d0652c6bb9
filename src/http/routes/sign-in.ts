/** Signing in and out with a browser. */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { hashCookie } from '../../auth/sessions.ts';
import { listSessions } from '../../db/sessions.ts';
import { AppError } from '../../errors.ts';
import { signIn, signOut, signOutEverywhere } from '../../registry/sign-in.ts';
import { accountPage, signInPage } from '../../web/sign-in.ts';
import { moment } from '../../web/words.ts';
import { needPerson, needSender } from '../forms.ts';
import type { Identification } from '../identify.ts';
import type { Server } from '../instance.ts';
import { sendPage } from '../send-page.ts';
import { checkForm, firstFormToken, sessionCookie, setSessionCookie } from '../session.ts';

/** A path of this server: a link to a page must not lead away from it once somebody has signed in. */
const nextPath = z
  .string()
  .max(4000)
  .regex(/^\/(?![/\\])[^\u0000-\u0020\\]*$/)
  .catch('/');

const formField = z.string().max(100);

export function signInRoutes(server: Server, app: App, identification: Identification): void {
  const { publicUrl } = app;
  server.get(
    '/sign-in',
    { schema: { hide: true, querystring: z.object({ next: nextPath.default('/') }) } },
    (request, reply) => {
      const form = firstFormToken(request, reply, publicUrl);
      return sendSignIn(reply, { form, next: request.query.next, refusal: null });
    },
  );

  server.post(
    '/sign-in',
    {
      schema: {
        hide: true,
        body: z.object({ form: formField, token: z.string().max(512), next: nextPath.default('/') }),
      },
    },
    async (request, reply) => {
      const { form, token, next } = request.body;
      checkForm(request, publicUrl, form, 'form');
      try {
        const actor = await identification.identifyToken(request, token.trim());
        const client = (request.headers['user-agent'] ?? '').slice(0, 200);
        const cookie = await signIn(app, actor, { client, old: sessionCookie(request, publicUrl) });
        setSessionCookie(reply, publicUrl, cookie);
        return await reply.redirect(next, 303);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        request.log.info({ code: error.code }, error.message);
        return sendSignIn(reply.code(error.status), { form, next, refusal: error.message });
      }
    },
  );

  accountRoutes(server, app, identification);
}

function sendSignIn(reply: FastifyReply, view: Parameters<typeof signInPage>[0]): FastifyReply {
  return sendPage(reply, { title: 'Sign in', body: signInPage(view) });
}

function accountRoutes(server: Server, app: App, identification: Identification): void {
  const { publicUrl } = app;
  server.get('/account', { schema: { hide: true } }, async (request, reply) => {
    const { actor, form } = await needPerson(request, identification);
    const current = hashCookie(sessionCookie(request, publicUrl) ?? '');
    const sessions = (await listSessions(app.db, actor.id)).map((row) => ({
      client: row.client,
      since: moment(row.created_at),
      lastUsed: moment(row.last_used_at),
      current: row.sha256 === current,
    }));
    const { name, scope, repositories } = actor;
    const body = accountPage({ form, name, scope, repositories, sessions });
    return sendPage(reply, { title: name, body });
  });

  const leave = { schema: { hide: true, body: z.object({ form: formField }) } };
  server.post('/sign-out', leave, async (request, reply) => {
    await needSender(request, identification, publicUrl, request.body.form);
    await signOut(app, sessionCookie(request, publicUrl) ?? '');
    setSessionCookie(reply, publicUrl, null);
    return await reply.redirect('/', 303);
  });
  server.post('/sign-out-everywhere', leave, async (request, reply) => {
    const { actor } = await needSender(request, identification, publicUrl, request.body.form);
    await signOutEverywhere(app, actor);
    setSessionCookie(reply, publicUrl, null);
    return await reply.redirect('/', 303);
  });
}
