/** Uploads: the body is a stream of any media type, never held in memory. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { AppError } from '../../errors.ts';
import { parseReprDigest } from '../../registry/receive.ts';
import type { Declared } from '../../registry/record-upload.ts';
import { stagePackage, uploadPackage, type StageRequest } from '../../registry/upload-package.ts';
import type { Identify } from '../identify.ts';
import { problemSchema } from '../problem.ts';
import {
  channelParams,
  receiptReply,
  repositoryParams,
  stageQuery,
  stageReply,
  uploadQuery,
} from '../schemas.ts';
import type { Server } from '../instance.ts';

/** What Content-Type is sent does not matter: curl -T sends none, browsers guess. */
export function acceptAnyBody(server: Server): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** What every upload says, read from its request once the one who asks is known. */
function uploadOf(app: App, identify: Identify) {
  return async (
    request: FastifyRequest,
    reply: FastifyReply,
    declared: { [name in keyof Declared]?: string | undefined },
  ): Promise<Omit<StageRequest, 'repository' | 'filename' | 'distribution'>> => {
    const actor = await identify(request);
    const length = Number(request.headers['content-length'] ?? 0);
    const { maxUploadBytes } = app.config;
    if (length > maxUploadBytes)
      throw new AppError(
        'length_limit',
        `The upload has ${length} bytes; the limit is ${maxUploadBytes} bytes.`,
      );
    const { source = null, commit = null, ref = null, run = null, builder = null } = declared;
    return {
      actor,
      body: request.raw,
      digests: parseReprDigest(request.headers['repr-digest']?.toString()),
      client: (request.headers['user-agent'] ?? '').slice(0, 200),
      declared: { source, commit, ref, run, builder },
      beforeBody: () => {
        if (request.headers.expect !== undefined) reply.raw.writeContinue();
      },
    };
  };
}

export function uploadRoutes(server: Server, app: App, identify: Identify): void {
  acceptAnyBody(server);
  const beginUpload = uploadOf(app, identify);
  server.addHook('onError', (_request, _reply, error, done) => {
    app.metrics.countUpload(error instanceof AppError ? error.code : 'internal');
    done();
  });
  server.put(
    '/api/v1/repositories/:repository/channels/:channel/packages/:filename',
    {
      schema: {
        tags: ['Packages'],
        summary: 'Upload one package, publish it, and answer once clients see it',
        description:
          'The body is the file. `curl -T app.deb …/packages/` works. The same bytes again answer 200; other ' +
          'bytes under the same name, version and architecture answer 409. `Repr-Digest` is checked when sent.',
        consumes: ['application/octet-stream'],
        // For the document alone: the body is not read here.
        body: z.unknown().meta({ description: 'The bytes of the .deb or .rpm file.' }),
        params: channelParams.extend({ filename: z.string().min(1).max(300) }),
        querystring: uploadQuery,
        response: { 200: receiptReply, 201: receiptReply, default: problemSchema },
      },
    },
    async (request, reply) => {
      const { repository, channel, filename } = request.params;
      const { component = null, ...declared } = request.query;
      const upload = await beginUpload(request, reply, declared);
      const receipt = await uploadPackage(app, { ...upload, repository, channel, filename, component });
      app.metrics.countUpload(receipt.status);
      return await reply.code(receipt.status === 'created' ? 201 : 200).send(receipt);
    },
  );

  server.put(
    '/api/v1/repositories/:repository/uploads/:filename',
    {
      schema: {
        tags: ['Packages'],
        summary: 'Upload one package without publishing it',
        description:
          'For several that belong together: `POST …/publications` puts them into a channel at once.',
        consumes: ['application/octet-stream'],
        body: z.unknown().meta({ description: 'The bytes of the .deb or .rpm file.' }),
        params: repositoryParams.extend({ filename: z.string().min(1).max(300) }),
        querystring: stageQuery,
        response: { 200: stageReply, 201: stageReply, default: problemSchema },
      },
    },
    async (request, reply) => {
      const { repository, filename } = request.params;
      const { distribution = '', ...declared } = request.query;
      const upload = await beginUpload(request, reply, declared);
      const receipt = await stagePackage(app, { ...upload, repository, filename, distribution });
      app.metrics.countUpload(receipt.status);
      return await reply.code(receipt.status === 'created' ? 201 : 200).send(receipt);
    },
  );
}
