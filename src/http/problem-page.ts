/** Errors for people who came with a browser; programs get them as problem+json (problem.ts). */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.ts';
import { listChannels } from '../db/channels.ts';
import { listNames } from '../db/search.ts';
import { errorTable } from '../errors.ts';
import { needRepository } from '../registry/find.ts';
import { channelUrl, packageUrl, repositoryUrl } from '../web/links.ts';
import type { Link } from '../web/layout.ts';
import { problemPage } from '../web/problem.ts';
import type { Identify } from './identify.ts';
import { beginProblem } from './problem.ts';
import { visibleRepositories } from './pages/home.ts';
import { sendPage } from './send-page.ts';

const nearShown = 5;
/** Names that are weighed against the one that is not there. */
const namesWeighed = 500;

/** Whether whoever asks would rather read a page: browsers say so, clients and curl do not. */
export function wantsPage(request: FastifyRequest): boolean {
  return request.headers.accept?.includes('text/html') === true && !request.url.startsWith('/api/');
}

/** The problem as a page, with what is near by for what was not found. */
export async function sendProblemPage(
  { app, identify }: { app: App; identify: Identify },
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const failure = beginProblem(error, request, reply);
  const { status, title, action } = errorTable[failure.code];
  // For the head of the page; a token that is refused must not hide what failed either.
  await identify(request).catch(() => undefined);
  // Looking for what is near must not hide what failed.
  const near = failure.code === 'not_found' ? await nearTo(app, identify, request).catch(() => []) : [];
  const { code, message: detail } = failure;
  return sendPage(reply, {
    title,
    body: problemPage({ status, code, title, detail, action, requestId: request.id, near }),
  });
}

async function nearTo(app: App, identify: Identify, request: FastifyRequest): Promise<Link[]> {
  // Without the word for its kind, what is there may be a channel or a package.
  const [, repository, kind, wanted] = /^\/r\/([^/?]+)(?:\/(?:([cp])\/)?([^/?]+))?/.exec(request.url) ?? [];
  if (repository === undefined) return [];
  const actor = await identify(request);
  const visible = (await visibleRepositories(app, actor)).map(({ name }) => name);
  const name = decodeURIComponent(repository);
  if (!visible.includes(name))
    return nearest(name, visible).map((text) => ({ text, href: repositoryUrl(text) }));
  await needRepository(app.db, actor, name);
  const text = decodeURIComponent(wanted ?? '');
  const channels = kind === 'p' ? [] : await channelsNear(app, name, text);
  const packages = kind === 'c' ? [] : await packagesNear(app, name, text);
  return [...channels, ...packages].slice(0, nearShown);
}

async function channelsNear({ db }: App, repository: string, text: string): Promise<Link[]> {
  const names = (await listChannels(db, repository)).map(({ name }) => name);
  return nearest(text, names).map((name) => ({ text: name, href: channelUrl(repository, name) }));
}

async function packagesNear({ db }: App, repository: string, text: string): Promise<Link[]> {
  const rows = await listNames(db, repository, { prefix: text.slice(0, 2), limit: namesWeighed });
  const names = rows.map(({ name }) => name);
  return nearest(text, names).map((name) => ({ text: name, href: packageUrl(repository, name) }));
}

/** Those that differ from `wanted` by few letters, the nearest first. */
function nearest(wanted: string, names: readonly string[]): string[] {
  const most = Math.max(2, Math.floor(wanted.length / 2));
  return names
    .map((name) => ({ name, distance: editDistance(wanted.slice(0, 100), name.slice(0, 100)) }))
    .filter(({ name, distance }) => distance <= most || name.startsWith(wanted))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, nearShown)
    .map(({ name }) => name);
}

/** Letters to put in, take out or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
