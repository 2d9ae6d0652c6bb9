/** The way to the server, step by step: the proxy, the name, the connection, TLS. */
import { lookup } from 'node:dns/promises';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { trustedCertificates } from '../ask.ts';
import { fault, good, warning, type Check, type Told } from '../finding.ts';
import { addressOf, hostOf, portOf, proxyFor, type ClientContext } from './context.ts';

const timeoutMs = 10_000;
const warnMs = 14 * 86_400_000;

export const proxySettings: Check<ClientContext> = {
  name: 'proxy',
  run: (context) => {
    const url = addressOf(context);
    const proxy = proxyFor(url, context.proxies);
    if (proxy === null) return [];
    if (!URL.canParse(proxy))
      return [
        fault(
          proxy,
          'The environment names it as a proxy, and it is no URL.',
          'Write it as http://HOST:PORT.',
        ),
      ];
    const shown = new URL(proxy);
    // Who reads the findings need not know the password.
    shown.password = shown.password === '' ? '' : '***';
    return [good(shown.href, `The environment names it as the proxy for ${url.host}: all goes through it.`)];
  },
};

export const nameResolves: Check<ClientContext> = {
  name: 'name',
  run: async (context) => {
    const url = addressOf(context);
    if (proxyFor(url, context.proxies) !== null) return [];
    const host = hostOf(url);
    try {
      const found = await lookup(host, { all: true });
      return [good(host, `It is at ${found.map(({ address }) => address).join(', ')}.`)];
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      return [
        fault(
          host,
          `No address is found for this name (${code}).`,
          'Check its spelling in the set-up file, /etc/resolv.conf and the name server.',
        ),
      ];
    }
  },
};

export const serverAnswers: Check<ClientContext> = {
  name: 'connection',
  run: async (context) => {
    const url = addressOf(context);
    if (proxyFor(url, context.proxies) !== null) return [];
    const addresses = await lookup(hostOf(url), { all: true }).catch(() => []);
    return await Promise.all(addresses.map(({ address }) => connects(address, portOf(url))));
  },
};

async function connects(address: string, port: number): Promise<Told> {
  const where = `${address} port ${port}`;
  const socket = connectTcp({ host: address, port, timeout: timeoutMs });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
      socket.once('timeout', () => reject(new Error(`no answer in ${timeoutMs / 1000} s`)));
    });
    return good(where, 'It takes connections.');
  } catch (error) {
    return fault(
      where,
      `It takes no connection: ${(error as Error).message}.`,
      'See that the server runs and listens there, and what a firewall between lets through.',
    );
  } finally {
    socket.destroy();
  }
}

/** What the person at the machine can do about an error of OpenSSL. */
function todoOf(code: string): string {
  if (code === 'CERT_HAS_EXPIRED')
    return 'Renew the certificate of the server; look at the clock here as well.';
  if (code === 'CERT_NOT_YET_VALID') return 'Set the clock of this machine right.';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'Use a name that stands in the certificate, or get one for this name.';
  return 'Bring in the certificate of the authority (update-ca-certificates, update-ca-trust), or have the server send its whole chain.';
}

export const tlsHolds: Check<ClientContext> = {
  name: 'TLS',
  run: async (context) => {
    const url = addressOf(context);
    if (url.protocol !== 'https:' || proxyFor(url, context.proxies) !== null) return [];
    const host = hostOf(url);
    const socket: TLSSocket = connectTls({
      host,
      port: portOf(url),
      ...(/[^\d.:]/.test(host) && { servername: host }),
      ca: trustedCertificates(),
      timeout: timeoutMs,
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('secureConnect', resolve).once('error', reject);
        socket.once('timeout', () => reject(new Error(`no answer in ${timeoutMs / 1000} s`)));
      });
      const until = socket.getPeerCertificate().valid_to;
      if (Date.parse(until) - context.clock.now() < warnMs)
        return [warning(url.host, `Its certificate expires on ${until}.`, 'Tell who runs the server.')];
      return [good(url.host, `Its certificate is trusted, and valid until ${until}.`)];
    } catch (error) {
      const { message, code = '' } = error as NodeJS.ErrnoException;
      // Told of by the check before.
      if (code === 'ECONNREFUSED' || code === 'ENOTFOUND') return [];
      return [fault(url.host, `TLS fails: ${message}.`, todoOf(code))];
    } finally {
      socket.destroy();
    }
  },
};
