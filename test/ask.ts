/** Requests as they go over the wire: paths are sent as they are spelled, bodies in the pieces a test wants. */
import {
  Agent,
  request,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { once } from 'node:events';

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

export type Asking = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** By default each request has a connection of its own: none waits for, or breaks, that of another. */
  readonly agent?: Agent;
};

const oneEach = new Agent({ keepAlive: false });

/** A request that is under way. */
export type Begun = { readonly request: ClientRequest; readonly answer: Promise<Answer> };

/** Starts a request whose body the test writes itself; `answer` comes when it comes. */
export function beginRequest(
  base: string,
  path: string,
  { method = 'GET', headers = {}, agent = oneEach }: Asking = {},
): Begun {
  const { hostname, port } = new URL(base);
  const asked = request({ agent, hostname, port, path, method, headers });
  // After the answer, a server that hangs up on the rest of the body is no failure.
  asked.on('error', () => undefined);
  const answer = (async (): Promise<Answer> => {
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
  })();
  // A test may end a request and never look at the answer.
  answer.catch(() => undefined);
  return { request: asked, answer };
}

/** One request to its end. */
export async function ask(base: string, path: string, asking: Asking = {}): Promise<Answer> {
  const { request: asked, answer } = beginRequest(base, path, asking);
  asked.end(asking.body);
  return await answer;
}

/** The problem details of an answer; an answer that has none is an error of the test. */
export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly action: string;
  readonly place?: Readonly<Record<string, string | number>>;
  readonly requestId: string;
};

export async function problemOf(response: Response): Promise<Problem> {
  const type = response.headers.get('content-type') ?? '';
  const text = await response.text();
  if (!type.startsWith('application/problem+json')) throw new Error(`${response.status} ${type}: ${text}`);
  return JSON.parse(text) as Problem;
}

export async function jsonOf<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  return JSON.parse(text) as T;
}
