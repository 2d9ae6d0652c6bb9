/** The limits that an operator sets: what is over them is refused, and others are served on. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ask, beginRequest } from '../ask.ts';
import { debSample } from '../packages.ts';
import { adminToken, startInProcess, type InProcess } from '../server.ts';

function rawSocket(t: Test, { url }: InProcess): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  return socket;
}

const authorization = `Bearer ${adminToken}`;
const channels = '/api/v1/repositories/main/channels';

t.test('a body that is larger, and one that does not come', async (t) => {
  const server = await startInProcess(t, { settings: { max_request: '16 KiB', request_timeout: 1 } });
  const put = (description: string) =>
    server.api('/api/v1/repositories/main', { method: 'PUT', body: JSON.stringify({ description }) });
  const large = await put('x'.repeat(2 ** 14));
  t.match(await large.json(), { status: 413, code: 'length_limit' });
  const socket = rawSocket(t, server);
  socket.write(
    `PUT /api/v1/repositories/main HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n` +
      'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  socket.resume();
  await once(socket, 'close');
  t.equal((await put('in time')).status, 200, 'others are answered');
});

t.test('a head that does not come', async (t) => {
  const server = await startInProcess(t, { settings: { headers_timeout: 1 } });
  const socket = rawSocket(t, server);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n');
  let said = '';
  socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(socket, 'close');
  t.match(said, /^HTTP\/1\.1 408 /);
});

t.test('a connection that waits', async (t) => {
  const server = await startInProcess(t, { settings: { keep_alive_timeout: 1 } });
  const socket = rawSocket(t, server);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  let said = '';
  socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(socket, 'close');
  t.match(said, /^HTTP\/1\.1 200 [\s\S]*keep-alive: timeout=1\r\n/i);
});

t.test('connections beyond the limit are closed, and room that is made is given', async (t) => {
  const server = await startInProcess(t, { settings: { max_connections: 10 } });
  const held = Array.from({ length: 10 }, () => rawSocket(t, server));
  await Promise.all(held.map((socket) => once(socket, 'connect')));
  const over = rawSocket(t, server);
  over.resume();
  await once(over, 'close');
  t.ok(over.destroyed);
  held[0]?.destroy();
  for (;;)
    try {
      const { status } = await ask(server.url, '/healthz');
      t.equal(status, 200);
      break;
    } catch {
      // The server has not seen yet that one is gone.
    }
});

t.test('uploads beyond the limit come again later', async (t) => {
  const server = await startInProcess(t, { settings: { max_uploads: 2 } });
  const begin = async (name: string, token = adminToken) => {
    const { filename, bytes } = debSample(name);
    const begun = beginRequest(server.url, `${channels}/stable/packages/${filename}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${token}`,
        'content-length': String(bytes.length),
        expect: '100-continue',
      },
    });
    begun.request.flushHeaders();
    await Promise.race([once(begun.request, 'continue'), begun.answer]);
    return { ...begun, bytes };
  };
  const [first, second] = [await begin('first'), await begin('second')];
  const third = await (await begin('third')).answer;
  t.equal(third.headers['retry-after'], '5');
  t.match(JSON.parse(third.body.toString()), { status: 503, code: 'too_many_uploads' });
  t.equal((await server.api(`${channels}/stable/packages`)).status, 200, 'reading is no upload');
  for (const { request, answer, bytes } of [first, second]) {
    request.end(bytes);
    t.equal((await answer).status, 201);
  }
  t.equal((await (await begin('stranger', 'wrong-token')).answer).status, 401);
  const again = await begin('third');
  again.request.end(again.bytes);
  t.equal((await again.answer).status, 201, 'who was refused holds no place');
});

t.test('wrong tokens', async (t) => {
  const server = await startInProcess(t, { settings: { wrong_tokens: 3 } });
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) {
    const headers = { authorization: `Bearer guess-${i}` };
    statuses.push((await ask(server.url, `${channels}/stable/packages`, { headers })).status);
  }
  t.same(statuses, [401, 401, 401, 429]);
});
