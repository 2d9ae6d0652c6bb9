/** Stands before an S3 and lets single requests fail, before it has them or after. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * `refuse`: the store never has it. `lose`: the store does it, and the answer is lost. `hold`: done much later.
 * `stall`: the answer begins and stands still.
 */
export type Fate = 'pass' | 'refuse' | 'lose' | 'hold' | 'stall';

export type FaultyProxy = {
  readonly endpoint: string;
  /** Decides of each request; `pass` at first. */
  fate: (method: string, path: string) => Fate;
  /** Carries out what was held, and waits until it is done. Answers how the store answered. */
  readonly release: () => Promise<number[]>;
};

const stallBytes = 10_000;

type Teardown = { readonly teardown: (work: () => unknown) => void };

type Held = { readonly incoming: IncomingMessage; readonly body: Buffer };

export async function faultyProxy(t: Teardown, endpoint: string): Promise<FaultyProxy> {
  const { hostname, port } = new URL(endpoint);
  const held: Held[] = [];
  const forward = async ({ incoming: { url, method, headers }, body }: Held): Promise<IncomingMessage> => {
    const asked = request({ hostname, port, path: url, method, headers });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer;
  };
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const whole = { incoming, body: Buffer.concat(chunks) };
    const fate = proxy.fate(
      incoming.method ?? '',
      decodeURIComponent(incoming.url ?? '').split('?', 1)[0] ?? '',
    );
    if (fate === 'refuse') response.writeHead(503).end();
    else if (fate === 'hold') {
      held.push(whole);
      response.socket?.destroy();
    } else {
      const answer = await forward(whole);
      if (fate === 'lose') {
        await once(answer.resume(), 'end');
        response.socket?.destroy();
      } else if (fate === 'stall') {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.once('data', (chunk: Buffer) => response.write(chunk.subarray(0, stallBytes)));
      } else answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers));
    }
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => response.socket?.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  const proxy: FaultyProxy = {
    endpoint: `http://127.0.0.1:${address.port}`,
    fate: () => 'pass',
    release: async () => {
      const statuses: number[] = [];
      for (const each of held.splice(0)) {
        const answer = await forward(each);
        await once(answer.resume(), 'end');
        statuses.push(answer.statusCode ?? 0);
      }
      return statuses;
    },
  };
  return proxy;
}
