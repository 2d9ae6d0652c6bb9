/** The URLs of the pages on which something is done, each made in one place. */

import { channelUrl as channel, repositoryUrl as repository, writeQuery } from './links.ts';

const withQuery = (path: string, query: Parameters<typeof writeQuery>[0]): string =>
  `${path}${writeQuery(query)}`;

/** `next` is where to go on afterwards. */
export const signInUrl = (next?: string): string => withQuery('/sign-in', { next });

export const promoteUrl = (name: string, choice: { from?: string; to?: string } = {}): string =>
  withQuery(`${repository(name)}/promote`, choice);

export const rollBackUrl = (name: string, channelName: string, generation?: number): string =>
  withQuery(`${channel(name, channelName)}/roll-back`, { generation });

export const yankUrl = (
  name: string,
  channelName: string,
  identity: { name?: string; version?: string; architecture?: string } = {},
): string => withQuery(`${channel(name, channelName)}/yank`, identity);

export const editChannelUrl = (name: string, channelName: string): string =>
  `${channel(name, channelName)}/edit`;

export const webhooksUrl = (name: string): string => `${repository(name)}/webhooks`;

/** What a generation changed, told to the one who published it. */
export const publishedUrl = (name: string, channelName: string, generation: number): string =>
  `${channel(name, channelName)}/published/${generation}`;
