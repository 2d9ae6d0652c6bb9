/** What the pages with forms share: how a form is read, who may send it, and how a refusal looks. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError, errorTable } from '../errors.ts';
import type { TokenActor } from '../registry/sign-in.ts';
import { signInUrl } from '../web/links.ts';
import { refusalPage } from '../web/change.ts';
import type { Identification } from './identify.ts';
import type { Server } from './instance.ts';
import { sendProblem, toAppError } from './problem.ts';
import { sendPage } from './send-page.ts';
import { checkForm, formTokenOf } from './session.ts';

/** Forms are read, and what goes wrong is a page. */
export function acceptForms(server: Server): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(body.toString()))),
  );
  server.setErrorHandler((error, request, reply) => {
    const failure = toAppError(error);
    if (failure.code === 'unauthenticated' && request.method === 'GET')
      return reply.redirect(signInUrl(request.url), 303);
    if (failure.status >= 500) return sendProblem(error, request, reply);
    request.log.info({ code: failure.code }, failure.message);
    return sendRefusal(reply, failure);
  });
}

function sendRefusal(reply: FastifyReply, { code, status, message }: AppError): FastifyReply {
  const { title, action } = errorTable[code];
  return sendPage(reply.code(status), { title, body: refusalPage({ title, detail: message, action, code }) });
}

export type Person = {
  readonly actor: TokenActor;
  /** What the forms of this person carry. */
  readonly form: string;
};

/** Who is signed in. Throws `unauthenticated`, which leads to the page for signing in. */
export async function needPerson(
  request: FastifyRequest,
  { identifyPerson }: Pick<Identification, 'identifyPerson'>,
): Promise<Person> {
  await identifyPerson(request);
  const person = formTokenOf(request);
  if (!person) throw new AppError('unauthenticated', 'Nobody is signed in.');
  return person;
}

/** Who sent a form, which has to be one of ours. */
export async function needSender(
  request: FastifyRequest,
  identification: Pick<Identification, 'identifyPerson'>,
  publicUrl: string,
  form: string,
): Promise<Person> {
  const person = await needPerson(request, identification);
  checkForm(request, publicUrl, form);
  return person;
}
