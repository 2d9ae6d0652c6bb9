/** The URLs of the pages on which something is done, each made in one place. */

const segment = encodeURIComponent;
const repository = (name: string): string => `/r/${segment(name)}`;
const channel = (repositoryName: string, name: string): string =>
  `${repository(repositoryName)}/c/${segment(name)}`;

export const channelUrl = channel;
export const packageUrl = (repositoryName: string, name: string): string =>
  `${repository(repositoryName)}/p/${segment(name)}`;

type Query = Readonly<Record<string, string | number | undefined>>;

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

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

/** What a generation changed, told to the one who published it. */
export const publishedUrl = (name: string, channelName: string, generation: number): string =>
  `${channel(name, channelName)}/published/${generation}`;
