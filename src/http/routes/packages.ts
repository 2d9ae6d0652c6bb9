import { z } from 'zod';
import type { App } from '../../app.ts';
import { listMemberDetails, type MemberDetail, type MemberPlace } from '../../db/membership.ts';
import { AppError } from '../../errors.ts';
import { describePackage } from '../../registry/describe-package.ts';
import { needChannel } from '../../registry/find.ts';
import { yankPackage } from '../../registry/yank-package.ts';
import type { Identify } from '../identify.ts';
import { problemSchema } from '../problem.ts';
import {
  changeReply,
  channelParams,
  listQuery,
  packageDetailReply,
  type packageReply,
  packagesReply,
  repositoryParams,
  yankQuery,
} from '../schemas.ts';
import type { Server } from '../instance.ts';

const base = '/api/v1/repositories/:repository/channels/:channel/packages';

/** Where a page ends, as an opaque word for the next request. */
function writeCursor({ id, component, name }: MemberPlace): string {
  return Buffer.from(`${id}/${component}/${name}`).toString('base64url');
}

function parseCursor(text: string): MemberPlace {
  const decoded = Buffer.from(text, 'base64url').toString();
  const [, id, component, name] = /^([0-9A-HJKMNP-TV-Z]{26})\/([^/]+)\/(.+)$/.exec(decoded) ?? [];
  if (id === undefined || component === undefined || name === undefined)
    throw new AppError('bad_request', 'querystring: "after" is not from an earlier answer.');
  return { id, component, name };
}

export function packageRoutes(server: Server, app: App, identify: Identify): void {
  listRoutes(server, app, identify);
  onePackageRoutes(server, app, identify);
}

function listRoutes(server: Server, app: App, identify: Identify): void {
  const summary = (row: MemberDetail): z.infer<typeof packageReply> => ({
    format: row.format,
    name: row.name,
    version: row.version,
    architecture: row.architecture,
    component: row.component,
    filename: row.filename,
    size: row.size_bytes,
    sha256: row.sha256,
    uploadedSha256: row.uploaded_sha256,
    summary: row.summary,
    addedIn: row.added_in,
    url: `${app.publicUrl}/${row.path}`,
  });

  server.get(
    base,
    {
      schema: {
        tags: ['Packages'],
        summary: 'List what a channel holds now, by name',
        params: channelParams,
        querystring: listQuery,
        response: { 200: packagesReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel } = request.params;
      const row = await needChannel(app.db, await identify(request), repository, channel);
      const { name, after, limit } = request.query;
      const rows = await listMemberDetails(app.db, row.id, {
        limit,
        ...(name === undefined ? {} : { name }),
        ...(after === undefined ? {} : { after: parseCursor(after) }),
      });
      const last = rows.at(-1);
      return { packages: rows.map(summary), next: last && rows.length === limit ? writeCursor(last) : null };
    },
  );

  server.get(
    `${base}/:name`,
    {
      schema: {
        tags: ['Packages'],
        summary: 'The versions of one package that a channel holds now',
        params: channelParams.extend({ name: z.string().min(1).max(300) }),
        response: { 200: packagesReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, channel, name } = request.params;
      const row = await needChannel(app.db, await identify(request), repository, channel);
      const rows = await listMemberDetails(app.db, row.id, { name, limit: 1000 });
      if (rows.length === 0) throw new AppError('not_found', `${row.id} holds no package "${name}".`);
      return { packages: rows.map(summary), next: null };
    },
  );
}

function onePackageRoutes(server: Server, app: App, identify: Identify): void {
  server.delete(
    `${base}/:name/:version/:architecture`,
    {
      schema: {
        tags: ['Packages'],
        summary: "Yank a package: take it out of the channel's index",
        description: 'Its file stays while a kept generation names it. Its identity stays taken for ever.',
        params: channelParams.extend({ name: z.string(), version: z.string(), architecture: z.string() }),
        querystring: yankQuery,
        response: { 200: changeReply, default: problemSchema },
      },
    },
    async (request) =>
      await yankPackage(app, { actor: await identify(request), ...request.params, ...request.query }),
  );

  server.get(
    '/api/v1/repositories/:repository/packages/:sha256',
    {
      schema: {
        tags: ['Packages'],
        summary: 'One package with where it came from and where it went',
        params: repositoryParams.extend({
          sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex'),
        }),
        response: { 200: packageDetailReply, default: problemSchema },
      },
    },
    async (request) => {
      const { repository, sha256 } = request.params;
      return await describePackage(app, await identify(request), repository, sha256);
    },
  );
}
