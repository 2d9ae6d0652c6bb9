import { z } from 'zod';
import type { App } from '../../app.ts';
import type { Actor } from '../../auth/permissions.ts';
import type { PackageRow } from '../../db/catalog.ts';
import { listUploadsOf } from '../../db/events.ts';
import { listStays } from '../../db/membership.ts';
import { countPackageFiles, findByIdentity, listPackageFiles, parseFacts } from '../../db/packages.ts';
import { listOfName, type PackageBrief } from '../../db/search.ts';
import { AppError } from '../../errors.ts';
import { formatOf } from '../../formats/formats.ts';
import type { Relation } from '../../formats/package.ts';
import { needRepository } from '../../registry/find.ts';
import type { Link, Page } from '../../web/layout.ts';
import { packageUrl, repositoryUrl, versionUrl } from '../../web/links.ts';
import { installCommands } from '../../web/setup-snippets.ts';
import {
  changelogPage,
  filesPage,
  scriptsPage,
  versionPage,
  type RelationItem,
  type VersionHead,
  type VersionView,
} from '../../web/version.ts';
import { allowedTo } from './allowed.ts';
import { byVersion } from './package.ts';
import type { PageContext, PageRequest, PageRoutes } from './page-routes.ts';
import { home } from './repository.ts';
import { sendText } from '../send-page.ts';
import { placeOf } from './version-place.ts';

const filesPerPage = 250;
/** Relations of one kind that a page has room for. */
const relationsShown = 150;
const othersShown = 8;
const maxPackages = 2000;

export const versionBase = '/r/:repository/p/:name/:version/:architecture';
export const versionParams = z.object({
  repository: z.string(),
  name: z.string().max(300),
  version: z.string().max(300),
  architecture: z.string().max(64),
});
/** Two packages of one name, version and architecture can be of two formats or for two distributions. */
export const versionQuery = z.object({
  format: z.enum(['apt', 'yum']).optional(),
  distribution: z.string().max(64).optional(),
});

type VersionRequest = PageRequest<z.infer<typeof versionParams>, z.infer<typeof versionQuery>>;

export const versionRoutes: PageRoutes = (context) => {
  const { app, identify, page } = context;
  const schemas = { params: versionParams, query: versionQuery };
  page(versionBase, schemas, async (request) => {
    const actor = await identify(request);
    const row = await needVersion(app, actor, request);
    const allowed = allowedTo(actor, row.repository, request);
    return pageOf(row, versionPage({ ...(await versionView(app, row)), allowed }));
  });
  page(
    '/r/:repository/p/:name/:version',
    { params: versionParams.omit({ architecture: true }), query: versionQuery },
    async (request) => ({
      goTo: versionUrl(placeOf(await onlyOne(app, await identify(request), request.params))),
    }),
  );
  tabRoutes(context);
};

function tabRoutes({ app, identify, page, server }: PageContext): void {
  const schemas = { params: versionParams, query: versionQuery };
  const filesQuery = versionQuery.extend({ from: z.coerce.number().int().min(0).default(0) });
  page(`${versionBase}/files`, { params: versionParams, query: filesQuery }, async (request) => {
    const row = await needVersion(app, await identify(request), request);
    const { from } = request.query;
    const files = await listPackageFiles(app.db, row.id, { from, limit: filesPerPage });
    const next = `${versionUrl(placeOf(row), 'files')}&from=${from + filesPerPage}`;
    const lines = files.map(({ path, type, size_bytes, mode, target }) => ({
      path,
      type,
      sizeBytes: size_bytes,
      mode,
      target,
    }));
    return pageOf(
      row,
      filesPage(await headOf(app, row), lines, files.length < filesPerPage ? null : next),
      'Files',
    );
  });
  page(`${versionBase}/scripts`, schemas, async (request) => {
    const row = await needVersion(app, await identify(request), request);
    const scripts = parseFacts(row).scripts.map(({ interpreter = null, ...script }) => ({
      ...script,
      interpreter,
    }));
    return pageOf(row, scriptsPage(await headOf(app, row), scripts), 'Scripts');
  });
  page(`${versionBase}/changelog`, schemas, async (request) => {
    const row = await needVersion(app, await identify(request), request);
    return pageOf(row, changelogPage(await headOf(app, row), parseFacts(row).changelog), 'Changelog');
  });
  const scriptParams = versionParams.extend({ script: z.string().max(64) });
  server.get(
    `${versionBase}/scripts/:script`,
    { schema: { hide: true, params: scriptParams, querystring: versionQuery } },
    async (request, reply) => {
      const row = await needVersion(app, await identify(request), request);
      const script = parseFacts(row).scripts.find(({ name }) => name === request.params.script);
      if (!script) throw new AppError('not_found', `The package has no script "${request.params.script}".`);
      return sendText(reply, script.text);
    },
  );
}

/** The package that a URL names. Throws `not_found`. */
export async function needVersion(
  app: Pick<App, 'db'>,
  actor: Actor,
  { params, query }: Pick<VersionRequest, 'params' | 'query'>,
): Promise<PackageRow> {
  const { repository, name, version, architecture } = params;
  await needRepository(app.db, actor, repository);
  const { format, distribution } = query;
  const wanted = (await listOfName(app.db, repository, name, maxPackages)).find(
    (row) =>
      row.version === version &&
      row.architecture === architecture &&
      (format === undefined || row.format === format) &&
      (distribution === undefined || row.distribution === distribution),
  );
  const row = wanted && (await findByIdentity(app.db, wanted));
  if (!row)
    throw new AppError(
      'not_found',
      `The repository "${repository}" has no ${name} ${version} for ${architecture}.`,
    );
  return row;
}

/** The package of a version, whatever its architecture; the last uploaded of several. */
async function onlyOne(
  app: Pick<App, 'db'>,
  actor: Actor,
  { repository, name, version }: { repository: string; name: string; version: string },
): Promise<PackageBrief> {
  await needRepository(app.db, actor, repository);
  const row = (await listOfName(app.db, repository, name, maxPackages)).find(
    (item) => item.version === version,
  );
  if (!row) throw new AppError('not_found', `The repository "${repository}" has no ${name} ${version}.`);
  return row;
}

export function versionTrail({ repository, name }: PackageRow): Link[] {
  return [
    home,
    { text: repository, href: repositoryUrl(repository) },
    { text: name, href: packageUrl(repository, name) },
  ];
}

function pageOf(row: PackageRow, body: Page['body'], tab?: string): Page {
  const title = `${tab === undefined ? '' : `${tab} of `}${row.name} ${row.version}`;
  return { title, section: 'repositories', trail: versionTrail(row), body };
}

export async function headOf(app: Pick<App, 'db'>, row: PackageRow): Promise<VersionHead> {
  const { scripts, changelog } = parseFacts(row);
  return {
    place: placeOf(row),
    summary: row.summary,
    fileCount: await countPackageFiles(app.db, row.id),
    scriptCount: scripts.length,
    changeCount: changelog.length,
  };
}

async function versionView(app: App, row: PackageRow): Promise<Omit<VersionView, 'allowed'>> {
  const facts = parseFacts(row);
  const [head, stays, uploads, others] = await Promise.all([
    headOf(app, row),
    listStays(app.db, [row.id]),
    listUploadsOf(app.db, [row.id], 1),
    otherVersions(app, row),
  ]);
  const [upload] = uploads;
  return {
    ...head,
    now: app.clock.now(),
    fileKey: row.collected_at === null ? row.path : null,
    sizeBytes: row.size_bytes,
    installedSizeBytes: facts.installedSizeBytes,
    description: facts.description,
    maintainer: facts.maintainer,
    homepage: facts.homepage,
    license: facts.license,
    section: facts.section,
    source: facts.source,
    relations: relationsOf(row, facts.relations),
    findings: facts.findings.map(({ message }) => message),
    sha256: row.sha256,
    uploadedSha256: row.uploaded_sha256,
    coreSha256: row.core_sha256,
    stays: stays.map(({ channel, component, added_in, removed_in }) => ({
      channel: channel.slice(row.repository.length + 1),
      component,
      addedIn: added_in,
      removedIn: removed_in,
    })),
    upload: upload
      ? { at: upload.at, by: upload.actor, source: upload.source, commit: upload.commit_id }
      : null,
    install: stays.some(({ removed_in }) => removed_in === null)
      ? installCommands(row.format, row.name, row.version)
      : [],
    others: others.slice(0, othersShown).map(({ version }) => version),
  };
}

/** Relations by kind, in the order of the package. */
function relationsOf(row: PackageRow, relations: readonly Relation[]): VersionView['relations'] {
  const { names } = formatOf(row.format).packages.relations;
  return [...Map.groupBy(relations, ({ kind }) => kind)].map(([kind, items]) => ({
    kind,
    items: items
      .slice(0, relationsShown)
      .map((relation): RelationItem => ({ text: relation.text, name: names(relation)[0] ?? relation.text })),
    more: Math.max(0, items.length - relationsShown),
  }));
}

/** The other versions of a package, the version before it first, then older ones, then newer ones. */
export async function otherVersions(app: Pick<App, 'db'>, row: PackageRow): Promise<PackageBrief[]> {
  const all = (await listOfName(app.db, row.repository, row.name, maxPackages))
    .filter(
      ({ format, distribution, architecture }) =>
        format === row.format && distribution === row.distribution && architecture === row.architecture,
    )
    .sort(byVersion);
  const here = all.findIndex(({ id }) => id === row.id);
  return [...all.slice(here + 1), ...all.slice(0, Math.max(0, here)).reverse()];
}
