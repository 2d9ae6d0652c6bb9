/** The documents beside the packages of a channel: a body is a stream, as that of an upload. */
import { z } from 'zod';
import type { App } from '../../app.ts';
import { findGeneration } from '../../db/generations.ts';
import { listDocuments } from '../../db/documents.ts';
import { parseIndexes } from '../../publish/build.ts';
import { putDocument, readDocument, removeDocument } from '../../registry/documents.ts';
import { needChannel } from '../../registry/find.ts';
import { parseReprDigest } from '../../registry/receive.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { problemSchema } from '../problem.ts';
import { changeReply, channelParams, documentParams, documentsReply, yankQuery } from '../schemas.ts';
import { acceptAnyBody } from './uploads.ts';

const base = '/api/v1/repositories/:repository/channels/:channel/documents';

export function documentRoutes(server: Server, app: App, identify: Identify): void {
  acceptAnyBody(server);
  readRoutes(server, app, identify);

  server.put(
    `${base}/:document`,
    {
      schema: {
        tags: ['Documents'],
        summary:
          'Put a document beside the packages of a yum channel, in place of the one before, and publish it',
        description:
          'The body is the document as it is, uncompressed and in UTF-8. It is checked, published byte for byte, and ' +
          'comes back with a rollback; the promotion of a whole channel takes it along.',
        consumes: ['application/xml', 'application/yaml', 'application/octet-stream'],
        body: z.unknown().meta({ description: 'The text of updateinfo.xml, comps.xml or modules.yaml.' }),
        params: documentParams,
        querystring: yankQuery,
        response: { 200: changeReply, default: problemSchema },
      },
    },
    async (request, reply) => {
      const { document: kind, ...place } = request.params;
      return await putDocument(app, {
        actor: await identify(request),
        ...place,
        kind,
        ...request.query,
        body: request.raw,
        digests: parseReprDigest(request.headers['repr-digest']?.toString()),
        beforeBody: () => {
          if (request.headers.expect !== undefined) reply.raw.writeContinue();
        },
      });
    },
  );

  server.delete(
    `${base}/:document`,
    {
      schema: {
        tags: ['Documents'],
        summary: 'Take a document out of a channel; older generations keep it',
        params: documentParams,
        querystring: yankQuery,
        response: { 200: changeReply, default: problemSchema },
      },
    },
    async (request) => {
      const { document: kind, ...place } = request.params;
      return await removeDocument(app, { actor: await identify(request), ...place, kind, ...request.query });
    },
  );
}

function readRoutes(server: Server, app: App, identify: Identify): void {
  server.get(
    base,
    {
      schema: {
        tags: ['Documents'],
        summary: 'The documents that a channel publishes beside its packages now',
        params: channelParams,
        response: { 200: documentsReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel } = request.params;
      const row = await needChannel(app.db, await identify(request), repository, channel);
      const head = await findGeneration(app.db, row.id, row.head);
      const indexes = head ? parseIndexes(head.indexes) : [];
      const documents = [...(await listDocuments(app.db, row.id)).values()];
      return {
        documents: documents.map(({ kind, sha256, added_in }) => ({
          document: kind,
          sha256,
          size: indexes.find(({ id }) => id === kind)?.raw.sizeBytes ?? 0,
          addedIn: added_in,
        })),
      };
    },
  );

  server.get(
    `${base}/:document`,
    {
      schema: {
        tags: ['Documents'],
        summary: 'One document, as it was uploaded',
        params: documentParams,
        response: { 200: z.string().meta({ description: 'The text.' }), default: problemSchema },
      },
    },
    async (request, reply) => {
      const { repository, channel, document } = request.params;
      const row = await needChannel(app.db, await identify(request), repository, channel);
      const { text, sha256, mediaType } = await readDocument(app.db, row, document);
      const digest = Buffer.from(sha256, 'hex').toString('base64');
      return await reply
        .type(`${mediaType}; charset=utf-8`)
        .header('repr-digest', `sha-256=:${digest}:`)
        .send(text);
    },
  );
}
