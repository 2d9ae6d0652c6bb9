/** What clients read: straight from the store, with no database on the way. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../app.ts';
import { maySee } from '../../auth/permissions.ts';
import { AppError } from '../../errors.ts';
import { isPackageFile } from '../../formats/tree.ts';
import type { Identify } from '../identify.ts';
import type { HotFiles } from '../hot-files.ts';
import type { Pairs } from '../pairs.ts';
import { sendFile } from '../send-file.ts';
import type { StoredFile } from '../../store/store.ts';
import type { Server } from '../instance.ts';

export type ContentDeps = Pick<App, 'config' | 'store' | 'clock' | 'snapshots'> & {
  /** Told the key of each package that is fetched. */
  readonly downloads: Pick<App['downloads'], 'count'>;
  readonly isPublic: (repository: string) => boolean | Promise<boolean>;
};

/** Decodes a request path, once, to a key of the store; null for what cannot be one. */
export function keyOfPath(url: string): string | null {
  let path: string;
  try {
    path = decodeURIComponent(url.split('?', 1)[0]?.slice(1) ?? '');
  } catch {
    return null;
  }
  const segments = path.split('/');
  const unsafe = segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  // A leading dot hides the store's own files.
  return unsafe || path.includes('\0') || segments.some((segment) => segment.startsWith('.')) ? null : path;
}

/** A segment of a path like `apt/acme/…`, `keys/acme.asc`, `keys/producers/acme.asc`: the repository's name. */
function repositoryOf(key: string): string {
  const [folder = '', name = '', last = name] = key.split('/');
  return folder === 'keys' ? last.replace(/\.(asc|gpg)$/, '') : name;
}

/** What is kept in memory for those who ask again; `hot` is null where nobody knows what others change. */
export type Kept = { readonly pairs: Pairs; readonly hot: HotFiles | null };

export function contentRoutes(
  server: Server,
  app: ContentDeps,
  identify: Identify,
  { pairs, hot }: Kept,
): void {
  const authorise = async (request: FastifyRequest, key: string): Promise<boolean> => {
    const name = repositoryOf(key);
    // A private repository and one that is not there answer alike (T24).
    if (await app.isPublic(name)) return true;
    const actor = await identify(request);
    if (maySee(actor, { name, visibility: 'private' })) return false;
    if (actor.kind === 'anonymous')
      throw new AppError('unauthenticated', 'Nothing is served here without a token.');
    throw notFound(request);
  };
  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { url = '' } = request.raw;
    const key = keyOfPath(url);
    if (key === null) throw notFound(request);
    const isPublic = await authorise(request, key);
    const form = { key, clock: app.clock, isPublic, accelLocation: app.config.accelLocation };
    const open = (shown: string): Promise<StoredFile | null> =>
      pairs.open(request.raw, repositoryOf(key), shown);
    const found = await openStored(open, key);
    const snapshot = found === null ? await app.snapshots.resolve(key) : null;
    const shown = found ?? (snapshot === null ? null : await openStored(open, snapshot));
    if (!shown) throw notFound(request);
    if (shown.decompress) return await sendFile(request, reply, { ...form, ...shown });
    const onDownload = (): void => app.downloads.count(key);
    const location = await locationOf(request, { key, file: shown.file, isPublic: form.isPublic });
    if (location === null) {
      const asked = { key, repository: repositoryOf(key), route: request.routeOptions.url ?? '' };
      const file = found && hot && isPublic ? await hot.keep(url, shown.file, asked) : shown.file;
      return await sendFile(request, reply, { ...form, file, decompress: false, onDownload });
    }
    await shown.file.close();
    if (request.headers.range === undefined) onDownload();
    // A presigned address soon leads nowhere: nobody may keep it.
    return reply.header('cache-control', 'no-store').redirect(location, 302);
  };
  for (const folder of ['apt', 'yum', 'keys', 'setup'])
    server.route({ method: ['GET', 'HEAD'], url: `/${folder}/*`, schema: { hide: true }, handler: serve });
}

/** Where a package is to be fetched instead; null when it is sent from here. A presigned URL is good for GET alone. */
async function locationOf(
  request: FastifyRequest,
  { key, file, isPublic }: { key: string; file: StoredFile; isPublic: boolean },
): Promise<string | null> {
  if (!file.elsewhere || request.method !== 'GET' || !isPackageFile(key)) return null;
  return await file.elsewhere(isPublic ? 'anybody' : 'who asked');
}

type Shown = { readonly file: StoredFile; readonly decompress: boolean };

/** A file, or the plain form of one that is kept in gzip alone. */
async function openStored(
  open: (key: string) => Promise<StoredFile | null>,
  key: string,
): Promise<Shown | null> {
  const file = await open(key);
  if (file) return { file, decompress: false };
  const compressed = await open(`${key}.gz`);
  return compressed && { file: compressed, decompress: true };
}

function notFound(request: FastifyRequest): AppError {
  return new AppError('not_found', `Nothing is published as ${request.raw.url?.split('?', 1)[0] ?? '/'}.`);
}
