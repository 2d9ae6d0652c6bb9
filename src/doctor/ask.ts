/** One request of the doctor: as clients make it, through the proxy that the environment names. */
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';
import type { ProxyVariables } from '../config.ts';
import { version } from '../version.ts';

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

export type Asking = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly proxies?: ProxyVariables;
};

const timeoutMs = 15_000;
/** The index of a large repository; more than that is not what was asked for. */
const maxBodyBytes = 256 * 2 ** 20;

/** Those that the machine trusts, as curl and apt do, and those that Node brings along. */
export function trustedCertificates(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/** `GET`; redirects are answers like any other. Throws what the connection says. */
export async function ask(url: URL, { headers = {}, proxies = {} }: Asking = {}): Promise<Answer> {
  const isTls = url.protocol === 'https:';
  const agent = isTls
    ? new HttpsAgent({ proxyEnv: proxies, ca: trustedCertificates() })
    : new HttpAgent({ proxyEnv: proxies });
  try {
    return await new Promise((resolve, reject) => {
      const options = {
        agent,
        timeout: timeoutMs,
        headers: { 'user-agent': `entrepot/${version}`, ...headers },
      };
      const request = (isTls ? httpsRequest : httpRequest)(url, options, (response) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          sizeBytes += chunk.length;
          if (sizeBytes > maxBodyBytes) response.destroy(new Error(`more than ${maxBodyBytes} bytes came`));
        });
        response.once('error', reject);
        response.once('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: Buffer.concat(chunks) });
        });
      });
      request.once('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)));
      request.once('error', reject).end();
    });
  } finally {
    agent.destroy();
  }
}
