/**
 * Where a webhook may lead. Who may set one up could make the server ask its own neighbours (SSRF): names are
 * resolved first, every address is looked at, and the connection goes to just the address that was looked at, so
 * that a name that resolves differently the second time (DNS rebinding) leads nowhere.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { AppError } from '../errors.ts';

/** Not the internet: private, shared, loopback, link-local (cloud metadata), documentation, multicast, reserved. */
const closed4: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Within the global unicast addresses: Teredo and other special ones, documentation, 6to4, which hides an IPv4. */
const closed6: readonly [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const closed = new BlockList();
for (const [address, bits] of closed4) closed.addSubnet(address, bits, 'ipv4');
for (const [address, bits] of closed6) closed.addSubnet(address, bits, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** Addresses and networks as the operator lists them. Null when one of them is neither. */
export function parseNetworks(networks: readonly string[]): BlockList | null {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const version = isIP(address);
    const width = version === 4 ? 32 : 128;
    const length = bits === undefined ? width : Number(bits);
    if (version === 0 || !/^\d*$/.test(bits ?? '') || bits === '' || length > width) return null;
    list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** `::ffff:7f00:1` is 127.0.0.1 in another spelling. */
function unmapped(address: string): string {
  if (!isIPv6(address)) return address;
  const canonical = new URL(`http://[${address.replace(/%.*$/, '')}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const [a, b] = [parseInt(high, 16), parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

export function mayConnect(address: string, allowed: BlockList): boolean {
  const plain = unmapped(address);
  const family = isIPv6(plain) ? 'ipv6' : 'ipv4';
  if (allowed.check(plain, family)) return true;
  return !closed.check(plain, family) && (family === 'ipv4' || globalUnicast.check(plain, 'ipv6'));
}

/** Ports below 1024 are those of other services: a webhook is no way to talk to them. */
const lowPorts = new Set(['', '80', '443']);

/** Throws `webhook_url` for what cannot be a receiver, whatever its name resolves to. */
export function parseReceiver(text: string): URL {
  const url = URL.parse(text);
  const refuse = (why: string): never => {
    throw new AppError('webhook_url', why, { part: 'body', field: 'url' });
  };
  if (!url || !['http:', 'https:'].includes(url.protocol))
    return refuse('The URL is not one of http or https.');
  if (url.username !== '' || url.password !== '')
    return refuse('A URL with a password in it would show it to whoever sees the list.');
  if (!lowPorts.has(url.port) && Number(url.port) < 1024)
    return refuse(`Port ${url.port} belongs to another service.`);
  return url;
}

export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** What the machine's own resolver says. */
export const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true, order: 'verbatim' })).map(({ address }) => address);

/** The address to connect to. Throws `webhook_url` when any that the name has is closed. */
export async function resolveReceiver(url: URL, allowed: BlockList, resolve: Resolve): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) === 0 ? await resolve(host) : [host];
  const refused = addresses.find((address) => !mayConnect(address, allowed));
  if (refused !== undefined)
    throw new AppError('webhook_url', `${url.hostname} is at ${refused}, which is not on the internet.`);
  const [first] = addresses;
  if (first === undefined) throw new AppError('webhook_url', `${url.hostname} has no address.`);
  return first;
}
