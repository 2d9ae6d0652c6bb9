import { listHeads } from '../../db/channels.ts';
import { countPending } from '../../db/membership.ts';
import { listSigningKeys } from '../../db/repositories.ts';
import { version } from '../../version.ts';
import { errorsPage } from '../../web/errors.ts';
import { keysPage } from '../../web/keys.ts';
import { statusPage } from '../../web/status.ts';
import { channelLine, visibleRepositories } from './home.ts';
import type { PageRoutes } from './page-routes.ts';

/** Rows of a page. */
const shown = 200;

export const operationPages: PageRoutes = ({ app, identify, page }) => {
  page('/errors', {}, () => Promise.resolve({ title: 'Errors', body: errorsPage() }));

  page('/keys', {}, async (request) => {
    const visible = (await visibleRepositories(app, await identify(request))).slice(0, shown);
    const keys = await Promise.all(
      visible.map(async ({ name }) => ({
        repository: name,
        keys: (await listSigningKeys(app.db, name)).map(({ fingerprint, state, created_at }) => ({
          fingerprint,
          state,
          createdAt: created_at,
        })),
      })),
    );
    return { title: 'Signing keys', section: 'keys', body: keysPage(keys, app.publicUrl) };
  });

  page('/status', {}, async (request) => {
    const names = (await visibleRepositories(app, await identify(request))).map(({ name }) => name);
    const heads = (await listHeads(app.db, names)).slice(0, shown);
    const pending = await countPending(app.db);
    const body = statusPage({
      now: app.clock.now(),
      version,
      ready: await app.checkReady().then(
        () => true,
        () => false,
      ),
      channels: heads.map((head) => ({
        ...channelLine(app, head),
        repository: head.repository,
        pending: pending.get(head.id) ?? 0,
      })),
    });
    return { title: 'Status', section: 'status', body };
  });
};
