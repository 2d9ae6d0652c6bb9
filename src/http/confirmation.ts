/** Confirming a change: what was shown is done, or the page shows what would be done now. */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ChannelRow } from '../db/catalog.ts';
import { AppError } from '../errors.ts';
import type { ChangeReport } from '../registry/change-channel.ts';
import { channelUrl, publishedUrl, repositoryUrl } from '../web/links.ts';
import type { Html } from '../web/html.ts';
import { sendPage } from './send-page.ts';

/** What every confirmation carries: the form's own token, the plan that was shown, and a tick where it warned. */
export const confirmed = {
  form: z.string().max(100),
  plan: z.string().max(100),
  force: z.literal('yes').optional(),
};

export function sendChannelPage(
  reply: FastifyReply,
  channel: ChannelRow,
  title: string,
  body: Html,
): FastifyReply {
  const { repository, name } = channel;
  const trail = [
    { text: 'Repositories', href: '/' },
    { text: repository, href: repositoryUrl(repository) },
    { text: name, href: channelUrl(repository, name) },
  ];
  return sendPage(reply, { title: `${title} · ${name}`, section: 'repositories', trail, body });
}

/** What a plan or a change came to: a report, or why there is none. */
type Outcome = { readonly report: ChangeReport | null; readonly refusal: AppError | null };

/** What a person has to decide on stays on the page; all else is for the error page. */
const decidable = new Set([
  'needs_force',
  'plan_changed',
  'promotion_mismatch',
  'not_found',
  'package_collected',
]);

export async function attempt(work: () => Promise<ChangeReport>): Promise<Outcome> {
  try {
    return { report: await work(), refusal: null };
  } catch (error) {
    if (!(error instanceof AppError) || !decidable.has(error.code)) throw error;
    return { report: null, refusal: error };
  }
}

/** A refusal as a sentence; for a plan that no longer holds, that what follows is the new one. */
export function writeRefusal(error: AppError | null): string | null {
  if (error?.code !== 'plan_changed') return error?.message ?? null;
  return `Nothing was done: something was published since you looked. This is what would change now. ${error.message}`;
}

/**
 * A change that was confirmed: done, it leads to what it brought; refused, `again` shows the plan as it is now,
 * with the reason.
 */
export async function confirm(
  reply: FastifyReply,
  { repository, channel }: { repository: string; channel: string },
  work: () => Promise<ChangeReport>,
  again: (refusal: string | null) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const { report, refusal } = await attempt(work);
  if (report === null) return await again(writeRefusal(refusal));
  return await reply.redirect(publishedUrl(repository, channel, report.generation), 303);
}
