import { listHeads } from '../../db/channels.ts';
import { countPending } from '../../db/membership.ts';
import { listSigningKeys } from '../../db/repositories.ts';
import { version } from '../../version.ts';
import { errorsPage } from '../../web/errors.ts';
import { keysPage } from '../../web/keys.ts';
import { hasExpired, statusPage } from '../../web/status.ts';
import { channelLine, visibleRepositories } from './home.ts';
import type { PageRoutes } from './page-routes.ts';

/** Rows of a page. */
const shown = 200;

export const operationPages: PageRoutes = ({ app, identify, page }) => {
  page('/errors', {}, async (request) => {
    await identify(request);
    return { title: 'Errors', body: errorsPage() };
  });

  page('/keys', {}, async (request) => {
    const all = await visibleRepositories(app, await identify(request));
    const visible = all.slice(0, shown);
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
    return { title: 'Signing keys', section: 'keys', body: keysPage(keys, all.length, app.publicUrl) };
  });

  page('/status', {}, async (request) => {
    const names = (await visibleRepositories(app, await identify(request))).map(({ name }) => name);
    const now = app.clock.now();
    const lines = (await listHeads(app.db, names)).map((head) => ({ head, line: channelLine(app, head) }));
    const [late = [], fresh = []] = [true, false].map((wanted) =>
      lines.filter(({ line }) => hasExpired(line, now) === wanted),
    );
    const pending = await countPending(app.db);
    const body = statusPage({
      now,
      version,
      ready: await app.checkReady().then(
        () => true,
        () => false,
      ),
      total: lines.length,
      expired: late.length,
      // What needs somebody first.
      channels: [...late, ...fresh].slice(0, shown).map(({ head, line }) => ({
        ...line,
        repository: head.repository,
        pending: pending.get(head.id) ?? 0,
      })),
    });
    return { title: 'Status', section: 'status', body };
  });
};
