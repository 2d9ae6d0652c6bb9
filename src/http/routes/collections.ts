import type { App } from '../../app.ts';
import { collectAll } from '../../registry/collector.ts';
import type { Identify } from '../identify.ts';
import { problemSchema } from '../problem.ts';
import { collectionBody, collectionsReply } from '../schemas.ts';
import type { Server } from '../instance.ts';

export function collectionRoutes(server: Server, app: App, identify: Identify): void {
  server.post(
    '/api/v1/collections',
    {
      schema: {
        tags: ['Operation'],
        summary: 'Collect what no kept generation needs any more',
        description:
          'Marks generations and packages, and deletes the files of what was marked an hour ago. The server does it ' +
          'by itself every `collect_hours`. A dry run answers with just what the real one would.',
        body: collectionBody,
        response: { 200: collectionsReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository = null, dryRun } = request.body;
      const actor = await identify(request);
      return { collections: await collectAll(app, { actor, repository, dryRun }) };
    },
  );
}
