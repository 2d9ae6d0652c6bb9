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

/** Setting a machine up for a channel; `client` is one of those on the page. */
export function setupUrl(repository: string, channel: string, client?: string): string {
  return `${channelUrl(repository, channel)}/setup${client === undefined ? '' : `/${client}`}`;
}

export function packageUrl(repository: string, name: string): string {
  return `${repositoryUrl(repository)}/p/${segment(name)}`;
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
