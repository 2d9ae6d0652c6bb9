/** The URLs of the pages, each made in one place. */
import type { FormatName } from '../formats/package.ts';

const segment = encodeURIComponent;

export function repositoryUrl(repository: string): string {
  return `/r/${segment(repository)}`;
}

/** `query`: what is asked of the page; names without a value are left out. */
export function channelUrl(repository: string, channel: string, query: Query = {}): string {
  return `${repositoryUrl(repository)}/c/${segment(channel)}${writeQuery(query)}`;
}

/** Of the API: the text as it was uploaded. */
export function documentUrl(repository: string, channel: string, kind: string): string {
  return `/api/v1/repositories/${segment(repository)}/channels/${segment(channel)}/documents/${segment(kind)}`;
}

/** Setting a machine up for a channel; `client` is one of those on the page. */
export function setupUrl(repository: string, channel: string, client?: string): string {
  return `${channelUrl(repository, channel)}/setup${client === undefined ? '' : `/${client}`}`;
}

export function packageUrl(repository: string, name: string): string {
  return `${repositoryUrl(repository)}/p/${segment(name)}`;
}

export function channelFeedUrl(repository: string, channel: string): string {
  return `${channelUrl(repository, channel)}/feed.atom`;
}

export function packageFeedUrl(repository: string, name: string): string {
  return `${packageUrl(repository, name)}/feed.atom`;
}

/** A picture of the version that a channel offers of a package. */
export function badgeUrl(repository: string, channel: string, name: string): string {
  return `${channelUrl(repository, channel)}/badge/${segment(name)}.svg`;
}

export type VersionPlace = {
  readonly repository: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly format: FormatName;
  /** Empty for none. */
  readonly distribution: string;
};

/** One package; `tab` is a page below its own. The query tells two of one name apart. */
export function versionUrl(place: VersionPlace, tab = ''): string {
  const { repository, name, version, architecture, format, distribution } = place;
  const path = `${packageUrl(repository, name)}/${segment(version)}/${segment(architecture)}`;
  const query = writeQuery({ format, distribution: distribution === '' ? undefined : distribution });
  return `${path}${tab === '' ? '' : `/${tab}`}${query}`;
}

/** Signing in; `next` is where to go on afterwards. */
export function signInUrl(next?: string): string {
  return `/sign-in${writeQuery({ next })}`;
}

export function promoteUrl(
  repository: string,
  choice: { readonly from?: string; readonly to?: string; readonly packages?: string } = {},
): string {
  return `${repositoryUrl(repository)}/promote${writeQuery(choice)}`;
}

export function rollBackUrl(repository: string, channel: string, generation?: number): string {
  return `${channelUrl(repository, channel)}/roll-back${writeQuery({ generation })}`;
}

type YankChoice = { readonly name?: string; readonly version?: string; readonly architecture?: string };

export function yankUrl(
  repository: string,
  channel: string,
  { name, version, architecture }: YankChoice = {},
): string {
  return `${channelUrl(repository, channel)}/yank${writeQuery({ name, version, architecture })}`;
}

export function editChannelUrl(repository: string, channel: string): string {
  return `${channelUrl(repository, channel)}/edit`;
}

/** What a generation changed, told to the one who published it. */
export function publishedUrl(repository: string, channel: string, generation: number): string {
  return `${channelUrl(repository, channel)}/published/${generation}`;
}

export function webhooksUrl(repository: string): string {
  return `${repositoryUrl(repository)}/webhooks`;
}

/** What the code of an error means. */
export function errorUrl(code: string): string {
  return `/errors#${code}`;
}

export function digestUrl(sha256: string): string {
  return `/a/${sha256}`;
}

/** The path of a file in the published tree. */
export function fileUrl(key: string): string {
  return `/${key.split('/').map(segment).join('/')}`;
}

/** Everything that is looked for on the search page; `repository` keeps it to one. */
export function searchUrl(query: { readonly q: string; readonly repository?: string }): string {
  return `/search${writeQuery(query)}`;
}

type Query = Readonly<Record<string, string | number | undefined>>;

export function writeQuery(query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') params.set(name, String(value));
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}
