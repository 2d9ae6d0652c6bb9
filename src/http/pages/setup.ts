import { z } from 'zod';
import type { App } from '../../app.ts';
import type { ChannelRow } from '../../db/catalog.ts';
import { listHeads } from '../../db/channels.ts';
import { listSigningKeys } from '../../db/repositories.ts';
import { AppError } from '../../errors.ts';
import { channelForm } from '../../publish/build.ts';
import { needChannel } from '../../registry/find.ts';
import { makeSetupFiles } from '../../registry/setup-files.ts';
import type { Page } from '../../web/layout.ts';
import { channelUrl } from '../../web/links.ts';
import { setupChoicePage, setupPage } from '../../web/setup.ts';
import { setupGuides } from '../../web/setup-snippets.ts';
import { channelHeadView, channelParams, channelTrail } from './channel.ts';
import { visibleRepositories } from './home.ts';
import type { PageRoutes } from './page-routes.ts';

const channelsShown = 300;

export const setupRoutes: PageRoutes = ({ app, identify, page }) => {
  page('/setup', {}, async (request) => {
    const names = (await visibleRepositories(app, await identify(request))).map(({ name }) => name);
    const all = await listHeads(app.db, names);
    const heads = all.slice(0, channelsShown);
    const body = setupChoicePage(
      heads.map((head) => ({ ...head, generation: head.head })),
      all.length,
    );
    return { title: 'Set a machine up', section: 'setup', body };
  });

  const base = '/r/:repository/c/:channel/setup';
  page(base, { params: channelParams }, async (request) => {
    const { repository, channel } = request.params;
    return await guidePage(
      app,
      await needChannel(app.db, await identify(request), repository, channel),
      null,
    );
  });
  page(`${base}/:client`, { params: channelParams.extend({ client: z.string() }) }, async (request) => {
    const { repository, channel, client } = request.params;
    return await guidePage(
      app,
      await needChannel(app.db, await identify(request), repository, channel),
      client,
    );
  });
};

async function guidePage(app: App, row: ChannelRow, client: string | null): Promise<Page> {
  const { repository, name, format } = row;
  const isPrivate = !app.visibility.isPublic(repository);
  const guides = setupGuides({ format, repository, channel: name, publicUrl: app.publicUrl, isPrivate });
  const current = client === null ? guides[0] : guides.find(({ id }) => id === client);
  if (!current) throw new AppError('not_found', `There is no set-up page for "${client ?? ''}".`);
  const keys = await listSigningKeys(app.db, repository);
  const files = (await makeSetupFiles(app.db, channelForm(row, app.publicUrl), format))
    .filter(({ key }) => key.startsWith('setup/'))
    .map(({ key, bytes }) => ({ key, text: bytes.toString() }));
  const fingerprints = keys.map((key) => key.fingerprint);
  const body = setupPage({ channel: channelHeadView(row), isPrivate, guides, current, fingerprints, files });
  const trail = [...channelTrail(row), { text: name, href: channelUrl(repository, name) }];
  return {
    title: `Set a machine up for ${repository}/${name} with ${current.title}`,
    section: 'setup',
    trail,
    body,
  };
}
