/** A bucket as machines of yum channels read it with no server of ours: through one rule. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { ask } from './ask.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** What stands before the bucket at `base`: the rule of docs/bucket.md and nothing else. Answers its URL. */
export async function bucketRule(t: Teardown, base: string): Promise<string> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(
      /^\/yum\/([^/]+)\/[^/]+\/(?:generations\/\d+\/)?packages\//,
      '/yum/$1/pool/',
    );
    void ask(base, new URL(base).pathname + path, { method: request.method ?? 'GET' }).then(
      ({ status, headers, body }) => {
        delete headers['transfer-encoding'];
        response.writeHead(status, headers).end(body);
      },
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return `http://127.0.0.1:${address.port}`;
}
