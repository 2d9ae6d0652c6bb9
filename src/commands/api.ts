/** Speaking to a server from the command line: where it is, with which token, and what its answers mean. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { stderr } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { clientEnvironment } from '../config.ts';
import { AppError } from '../errors.ts';
import { version } from '../version.ts';
import { CommandFailed } from './failed.ts';

export type ServerFlags = { readonly url?: string; readonly retries: number };

export type Connection = {
  /** No trailing slash. */
  readonly server: string;
  readonly token: string;
  readonly retries: number;
};

/** Without a byte of an answer for this long, the attempt is given up. */
export const answerTimeoutMs = 300_000;
const maxAnswerBytes = 2 ** 28;

export function withServerFlags(command: Command): Command {
  return command
    .option('--url <url>', 'the server; default: ENTREPOT_URL, then http://localhost:8080')
    .option('--retries <number>', 'further attempts after a failure that may pass', wholeNumber, 4);
}

export function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('expected a whole number');
  return number;
}

/** Throws `unauthenticated` when there is no token. */
export function connectionOf({ url, retries }: ServerFlags): Connection {
  const environment = clientEnvironment();
  if (environment.token === undefined)
    throw new AppError('unauthenticated', 'Neither ENTREPOT_TOKEN nor ENTREPOT_TOKEN_FILE is set.');
  const server = (url ?? environment.url ?? 'http://localhost:8080').replace(/\/+$/, '');
  return { server, token: environment.token, retries };
}

/** The URL of a call on a repository. */
export function repositoryUrl({ server }: Connection, ...path: readonly string[]): URL {
  return new URL(`${server}/api/v1/repositories/${path.map(encodeURIComponent).join('/')}`);
}

/** What may pass by itself: the network, a busy server. */
export class Transient extends Error {
  readonly waitMs: number | undefined;

  constructor(message: string, waitMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.waitMs = waitMs;
  }
}

/** What the server said no to, with the code of the error. */
export class Refused extends CommandFailed {
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** Runs an attempt again, later each time, while it fails with what may pass. */
export async function withRetries<T>(what: string, retries: number, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 0; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      if (tried >= retries) throw new CommandFailed(error.message, { cause: error });
      const waitMs = error.waitMs ?? 500 * 2 ** tried;
      stderr.write(`${what}: ${error.message}; trying again in ${waitMs / 1000} s\n`);
      await wait(waitMs);
    }
  }
}

/** A request that is to be written to, with what every one of ours says. */
export function startRequest(
  method: string,
  url: URL,
  token: string,
  headers: Readonly<Record<string, string | number>>,
): { request: ReturnType<typeof httpRequest>; answer: Promise<IncomingMessage> } {
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'user-agent': `entrepot/${version}`, ...headers },
    timeout: answerTimeoutMs,
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
    request.once('timeout', () => request.destroy(new Error('the server does not answer')));
  });
  return { request, answer };
}

/** Reads an answer to its end. Throws `Transient` and `Refused`. */
export async function receiveAnswer<T>(answer: Promise<IncomingMessage>): Promise<T> {
  let response: IncomingMessage;
  let text: string;
  try {
    response = await answer;
    text = await readAnswer(response);
  } catch (error) {
    throw new Transient((error as Error).message, undefined, { cause: error });
  }
  // What the OpenAPI document says of the call.
  return parseAnswer(response, text) as T;
}

/** Asks for something that is safe to be asked for twice. */
export async function postJson<T>(connection: Connection, url: URL, body: object): Promise<T> {
  return await withRetries(url.pathname, connection.retries, async () => {
    const text = JSON.stringify(body);
    const { request, answer } = startRequest('POST', url, connection.token, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    try {
      request.end(text);
      return await receiveAnswer<T>(answer);
    } finally {
      request.destroy();
    }
  });
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk as string;
    if (text.length > maxAnswerBytes) break;
  }
  return text;
}

/** What a proxy in between says is often no JSON, whatever its type is. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function parseAnswer(response: IncomingMessage, text: string): unknown {
  const status = response.statusCode ?? 0;
  const body = parseJson(text);
  if ((status === 200 || status === 201) && body !== null) return body;
  const { detail, action, code } = (body ?? {}) as { detail?: string; action?: string; code?: string };
  const message = [detail ?? `the server answered ${status}`, action, code && `(${code})`]
    .filter(Boolean)
    .join(' ');
  const retryAfter = Number(response.headers['retry-after']);
  if ([408, 429, 502, 503, 504].includes(status))
    throw new Transient(message, retryAfter > 0 ? retryAfter * 1000 : undefined);
  throw new Refused(message, code);
}
