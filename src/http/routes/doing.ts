/** Pages that change a channel: a dry run to look at, then a form that does just what was shown. */
import type { App } from '../../app.ts';
import { needChannel } from '../../registry/find.ts';
import { diffGenerations, needGeneration } from '../../registry/history.ts';
import { publishedPage } from '../../web/change.ts';
import { sendChannelPage } from '../confirmation.ts';
import type { Identification } from '../identify.ts';
import type { Server } from '../instance.ts';
import { generationParams } from '../schemas.ts';
import { editChannelRoutes } from './edit-channel.ts';
import { promoteRoutes } from './promote.ts';
import { rollBackRoutes } from './roll-back.ts';
import { yankRoutes } from './yank.ts';

export function doingRoutes(server: Server, app: App, identification: Identification): void {
  promoteRoutes(server, app, identification);
  rollBackRoutes(server, app, identification);
  yankRoutes(server, app, identification);
  editChannelRoutes(server, app, identification);
  server.get(
    '/r/:repository/c/:channel/published/:generation',
    { schema: { hide: true, params: generationParams } },
    async (request, reply) => {
      const { repository, channel: name, generation } = request.params;
      const actor = await identification.identifyPerson(request);
      const channel = await needChannel(app.db, actor, repository, name);
      await needGeneration(app.db, channel, generation);
      const difference = await diffGenerations(app.db, channel, generation - 1, generation);
      const body = publishedPage({ repository, channel: name, generation, head: channel.head, difference });
      return sendChannelPage(reply, channel, `Generation ${generation}`, body);
    },
  );
}
