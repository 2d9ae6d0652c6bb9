/** Errors as RFC 9457 problem details. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError, errorTable, type ErrorCode } from '../errors.ts';

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'The page of the error reference for this code.' }),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable; see docs/errors.md.' }),
    detail: z.string().meta({ description: 'What is wrong with this request, in a sentence.' }),
    action: z.string().meta({ description: 'What to do about it.' }),
    place: z
      .object({
        part: z.string().optional(),
        line: z.int().optional(),
        offset: z.int().optional(),
        field: z.string().optional(),
        tag: z.string().optional(),
        entry: z.string().optional(),
      })
      .optional()
      .meta({ description: 'Where in the input it is.' }),
    requestId: z.string(),
  })
  .meta({ id: 'Problem' });

/** What Fastify and Node refuse by themselves, by their codes. */
const foreignCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'length_limit',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'bad_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'bad_request',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  ENOSPC: 'store_full',
  EDQUOT: 'store_full',
  SQLITE_FULL: 'store_full',
  // disk_full of PostgreSQL.
  '53100': 'store_full',
};

/** The window of the limit on wrong tokens; the time of a restart. */
const retryAfterSeconds: Readonly<Record<number, number>> = { 429: 60, 503: 5 };

/** Any error as one of ours. What nobody foresaw becomes `internal`, with the error itself as its cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issue = error.validation[0];
    const field = issue?.instancePath.split('/').filter(Boolean).join('.') ?? '';
    return new AppError(
      'bad_request',
      `${error.validationContext ?? 'request'}: ${issue?.message ?? 'not as expected'}.`,
      {
        part: error.validationContext ?? 'request',
        ...(field === '' ? {} : { field }),
      },
    );
  }
  const { code, message, statusCode = 500 } = error as FastifyError;
  const known = foreignCodes[code] ?? (statusCode >= 400 && statusCode < 500 ? 'bad_request' : undefined);
  if (known) return new AppError(known, message, undefined, { cause: error });
  return new AppError('internal', 'Something failed that should not have.', undefined, { cause: error });
}

/** Sets status and headers for an error, and logs what is the server's fault, once; returns it as one of ours. */
export function beginProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): AppError {
  const failure = toAppError(error);
  const row = errorTable[failure.code];
  if (row.status >= 500) request.log.error({ err: failure.cause ?? failure }, failure.message);
  else request.log.info({ code: failure.code, place: failure.place }, failure.message);
  if (row.status === 401) reply.header('www-authenticate', 'Basic realm="entrepot", charset="UTF-8", Bearer');
  // RFC 9110, 15.5.9: nobody waits for the rest of a body that has stopped coming.
  if (row.status === 408) reply.header('connection', 'close');
  const retryAfter = retryAfterSeconds[row.status];
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  reply.code(row.status).header('cache-control', 'no-store').header('x-request-id', request.id);
  return failure;
}

/** Answers with the problem for programs. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = beginProblem(error, request, reply);
  const row = errorTable[failure.code];
  return reply.type('application/problem+json').send(
    JSON.stringify({
      type: `/errors#${failure.code}`,
      title: row.title,
      status: row.status,
      code: failure.code,
      detail: failure.message,
      action: row.action,
      ...(failure.place ? { place: failure.place } : {}),
      requestId: request.id,
    }),
  );
}
