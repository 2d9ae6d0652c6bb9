/** One attempt of a delivery. */
import { createHmac } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIPv6, type BlockList, type LookupFunction } from 'node:net';
import { version } from '../version.ts';
import { parseReceiver, resolveReceiver, type Resolve } from './addresses.ts';

/** From the look-up of the name to the end of the answer. */
const attemptTimeoutMs = 10_000;
/** Of an answer that is read; more is not, and the connection is closed. */
const maxAnswerBytes = 16 * 1024;
/** Of an answer that is kept for the log. */
const keptAnswerCharacters = 500;

export type Message = {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly kind: string;
  readonly body: string;
  readonly nowMs: number;
};

export type Attempt = {
  /** Null when nothing was answered. */
  readonly status: number | null;
  /** The beginning of the answer, or why there is none. */
  readonly answer: string;
};

/**
 * The signature of a delivery as "Standard Webhooks" has it: HMAC-SHA256 in base64 over id, time in seconds and
 * body. The time is signed, so that a delivery that was overheard cannot be sent again later.
 */
export function signMessage({ id, secret, body, nowMs }: Pick<Message, 'id' | 'secret' | 'body' | 'nowMs'>): {
  timestamp: string;
  signature: string;
} {
  const timestamp = String(Math.floor(nowMs / 1000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { timestamp, signature: `v1,${digest}` };
}

export type SendDeps = { readonly allowed: BlockList; readonly resolve: Resolve };

/** Sends once. Redirects are answers like any other: following one would leave the address that was checked. */
export async function send(deps: SendDeps, message: Message): Promise<Attempt> {
  const timeout = AbortSignal.timeout(attemptTimeoutMs);
  try {
    const url = parseReceiver(message.url);
    const address = await resolveReceiver(url, deps.allowed, deps.resolve);
    timeout.throwIfAborted();
    const response = await post(url, address, message, timeout);
    return { status: response.statusCode ?? null, answer: await readStart(response) };
  } catch (error) {
    const why = timeout.aborted ? `no answer within ${attemptTimeoutMs / 1000} s` : (error as Error).message;
    return { status: null, answer: why.slice(0, keptAnswerCharacters) };
  }
}

function post(url: URL, address: string, message: Message, signal: AbortSignal): Promise<IncomingMessage> {
  const { timestamp, signature } = signMessage(message);
  const pinned: LookupFunction = (_hostname, options, callback) => {
    const family = isIPv6(address) ? 6 : 4;
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      method: 'POST',
      agent: false,
      lookup: pinned,
      signal,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(message.body),
        'user-agent': `entrepot/${version}`,
        'webhook-id': message.id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signature,
        'entrepot-event': message.kind,
      },
    });
    asked.on('response', resolve).on('error', reject);
    asked.end(message.body);
  });
}

async function readStart(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    // Leaving the loop destroys the response and its connection.
    if (length > maxAnswerBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, keptAnswerCharacters);
}
