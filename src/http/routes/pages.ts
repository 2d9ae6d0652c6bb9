/** The pages: what they show comes from the catalog (http/pages/), how they look from web/. */
import type { App } from '../../app.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { channelRoutes } from '../pages/channel.ts';
import { homeRoutes } from '../pages/home.ts';
import { operationPages } from '../pages/operation.ts';
import { packageRoutes } from '../pages/package.ts';
import { addPages } from '../pages/page-routes.ts';
import { provenanceRoutes } from '../pages/provenance.ts';
import { repositoryRoutes } from '../pages/repository.ts';
import { searchRoutes } from '../pages/search.ts';
import { setupRoutes } from '../pages/setup.ts';
import { versionDifferenceRoutes } from '../pages/version-difference.ts';
import { versionRoutes } from '../pages/version.ts';
import { assetRoutes } from '../send-page.ts';

const pages = [
  homeRoutes,
  repositoryRoutes,
  channelRoutes,
  packageRoutes,
  versionRoutes,
  provenanceRoutes,
  versionDifferenceRoutes,
  searchRoutes,
  setupRoutes,
  operationPages,
];

export function pageRoutes(server: Server, app: App, identify: Identify): void {
  assetRoutes(server);
  for (const add of pages) add({ app, identify, server, page: addPages(server) });
}
