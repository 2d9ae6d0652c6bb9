/** Whether clients that are set up with public_url reach this server, and how their requests arrive here. */
import { listRepositories, listSigningKeys } from '../../db/repositories.ts';
import { ask, type Answer } from '../ask.ts';
import { fault, good, warning, type Check, type Told } from '../finding.ts';
import type { ServerContext } from './context.ts';

/** What of the body of `/api/v1/connection` is looked at (http/routes/connection.ts). */
type Connection = {
  readonly address: string;
  readonly protocol: string;
  readonly host: string;
  readonly forwarded: 'none' | 'believed' | 'ignored';
};

async function asked(url: string): Promise<Answer | Told> {
  try {
    return await ask(new URL(url));
  } catch (error) {
    return fault(
      url,
      `It does not answer: ${(error as Error).message}.`,
      'See that the server runs, that the name leads here, and that a proxy in front hands requests on.',
    );
  }
}

/** The first public repository's key is one that no other server has. */
export const publicUrlIsUs: Check<ServerContext> = {
  name: 'public_url',
  run: async ({ config: { publicUrl, role }, openDb }) => {
    if (publicUrl === undefined)
      return role === 'read'
        ? []
        : [
            warning(
              'public_url',
              'It is not set: set-up files name the address that the server listens on.',
              'Set it to the address that machines use, before the first of them is set up.',
            ),
          ];
    const db = await openDb();
    const repositories = db ? await listRepositories(db) : [];
    const name = repositories.find(({ visibility }) => visibility === 'public')?.name;
    const url = name === undefined ? `${publicUrl}/healthz` : `${publicUrl}/keys/${name}.asc`;
    const answer = await asked(url);
    if ('level' in answer) return [answer];
    const known = db && name !== undefined ? await listSigningKeys(db, name) : [];
    const text = answer.body.toString();
    const isUs = name === undefined || known.some(({ public_key: key }) => text.includes(key.trim()));
    return [
      answer.status === 200 && isUs
        ? good(publicUrl, 'It leads to this server.')
        : fault(
            url,
            `The answer (${answer.status}) is not what this server has there.`,
            'Lead the name of public_url to this server, or set public_url to the name that does.',
          ),
    ];
  },
};

export const proxyHeaders: Check<ServerContext> = {
  name: 'trusted_proxies',
  run: async ({ config: { publicUrl, trustedProxies } }) => {
    if (publicUrl === undefined) return [];
    const url = `${publicUrl}/api/v1/connection`;
    const answer = await asked(url);
    // Who does not answer is told of above; a node that only reads has no such call.
    if ('level' in answer || answer.status !== 200) return [];
    let connection: Connection;
    try {
      connection = JSON.parse(answer.body.toString()) as Connection;
    } catch {
      return [];
    }
    const { address, protocol, host, forwarded } = connection;
    const meant = new URL(publicUrl);
    const told: Told[] = [];
    if (forwarded === 'ignored')
      told.push(
        fault(
          address,
          'A proxy there sends X-Forwarded-For, and it is not believed: all clients look like one.',
          `Add ${address} to trusted_proxies.`,
        ),
      );
    else if (`${protocol}:` !== meant.protocol)
      told.push(
        fault(
          publicUrl,
          `Requests arrive as ${protocol}: a proxy ends TLS and does not say so.`,
          'Have the proxy send X-Forwarded-For and X-Forwarded-Proto, and name it in trusted_proxies.',
        ),
      );
    if (host !== meant.host)
      told.push(
        warning(
          publicUrl,
          `Requests arrive with the host ${host}.`,
          'Have the proxy hand the Host header on (nginx: proxy_set_header Host $host).',
        ),
      );
    if (forwarded === 'none' && trustedProxies.length > 0)
      told.push(
        warning(
          publicUrl,
          'No proxy stood on the way of this request, and trusted_proxies names some.',
          'If clients come by another way, ask from there; else take the setting out.',
        ),
      );
    return told.length > 0 ? told : [good(publicUrl, `Requests arrive as they were sent, from ${address}.`)];
  },
};
