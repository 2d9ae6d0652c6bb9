import type { Clock } from '../../clock.ts';
import type { ProxyVariables } from '../../config.ts';
import { ask, type Answer } from '../ask.ts';
import type { Source } from './set-up.ts';

/** What the checks of a client look at: one repository that a set-up file names. */
export type ClientContext = {
  readonly source: Source;
  readonly clock: Clock;
  readonly proxies: ProxyVariables;
  /** For a private repository. */
  readonly token: string | undefined;
};

/** What the machine starts from: the address in the set-up file. */
export function addressOf({ source }: ClientContext): URL {
  if (source.kind === 'apt') return source.root;
  const url = source.metalink ?? source.base;
  // Without either it is no source (set-up.ts).
  if (url === null) throw new Error(`[${source.id}] has no address.`);
  return url;
}

/** As the machine's own client asks, with the token where there is one. */
export async function askAsClient(
  { proxies, token }: Pick<ClientContext, 'proxies' | 'token'>,
  url: URL,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return await ask(url, { proxies, headers: { ...authorization, ...headers } });
}

/** The proxy that the environment names for a URL; null for none. `no_proxy` as curl reads it. */
export function proxyFor(url: URL, proxies: ProxyVariables): string | null {
  const proxy = proxies[`${url.protocol.slice(0, -1)}_proxy`];
  if (proxy === undefined) return null;
  const exempt = (proxies['no_proxy'] ?? '').split(/[\s,]+/).filter(Boolean);
  const isExempt = exempt.some((entry) => {
    const name = entry.replace(/^\*?\./, '').replace(/:\d+$/, '');
    return entry === '*' || url.hostname === name || url.hostname.endsWith(`.${name}`);
  });
  return isExempt ? null : proxy;
}

/** Without the brackets that a URL puts around an IPv6 address. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

export const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));
