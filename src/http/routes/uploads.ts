/** Uploads: the body is a stream of any media type, never held in memory. */
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.ts';
import { AppError } from '../../errors.ts';
import { parseReprDigest } from '../../registry/receive.ts';
import { uploadPackage } from '../../registry/upload-package.ts';
import type { Identify } from '../identify.ts';
import { problemSchema } from '../problem.ts';
import { channelParams, receiptReply, uploadQuery } from '../schemas.ts';
import type { Server } from '../server.ts';

/** What Content-Type is sent does not matter: curl -T sends none, browsers guess. */
function acceptAnyBody(server: Server): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** How long a client that is still sending may go on after its upload was refused. */
const lingerMs = 10_000;

/**
 * What arrives after a refusal is read and dropped for a while, or a client that looks at the answer only after
 * its last byte would find a broken connection in its place; then the connection is closed.
 */
function closeAfterRefusal(request: FastifyRequest, reply: FastifyReply): void {
  const { socket } = request.raw;
  reply.raw.once('finish', () => {
    if (request.raw.complete) return;
    setTimeout(() => {
      if (!request.raw.complete) socket.destroy();
    }, lingerMs).unref();
  });
}

export function uploadRoutes(server: Server, app: App, identify: Identify): void {
  acceptAnyBody(server);
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
      closeAfterRefusal(request, reply);
      const actor = await identify(request);
      const length = request.headers['content-length'];
      if (length !== undefined && Number(length) > app.config.maxUploadBytes)
        throw new AppError(
          'length_limit',
          `The upload has ${length} bytes; the limit is ${app.config.maxUploadBytes} bytes.`,
        );
      const { repository, channel, filename } = request.params;
      const {
        component = null,
        source = null,
        commit = null,
        ref = null,
        run = null,
        builder = null,
      } = request.query;
      const body: Readable = request.raw;
      const receipt = await uploadPackage(app, {
        actor,
        repository,
        channel,
        filename,
        component,
        body,
        digests: parseReprDigest(request.headers['repr-digest']?.toString()),
        client: (request.headers['user-agent'] ?? '').slice(0, 200),
        declared: { source, commit, ref, run, builder },
        beforeBody: () => {
          if (request.headers.expect !== undefined) reply.raw.writeContinue();
        },
      });
      app.metrics.countUpload(receipt.status);
      return await reply.code(receipt.status === 'created' ? 201 : 200).send(receipt);
    },
  );
}
