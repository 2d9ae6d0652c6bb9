/** Uploads as they go over the wire: how large, how slow, and how they end. */
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ask, beginRequest, type Answer, type Problem } from '../ask.ts';
import { everythingKept } from '../kept.ts';
import { debSample } from '../packages.ts';
import { adminToken, startInProcess } from '../server.ts';

const limitBytes = 2 ** 20;
const server = await startInProcess(t, { settings: { max_upload: limitBytes, upload_idle_timeout: 1 } });
const path = '/api/v1/repositories/main/channels/stable/packages';
const authorization = `Bearer ${adminToken}`;

function problemIn(answer: Answer): Problem {
  if (!answer.headers['content-type']?.startsWith('application/problem+json'))
    throw new Error(`${answer.status}: ${answer.body.toString()}`);
  return JSON.parse(answer.body.toString()) as Problem;
}

/** Runs an upload that fails, and holds everything the server keeps against what it kept before. */
async function leavesNothing(t: Test, upload: () => Promise<unknown>): Promise<void> {
  const before = await everythingKept(server);
  await upload();
  t.same(await everythingKept(server), before, 'nothing of it stays');
}

/** A connection that a test writes the bytes of. */
async function openSocket(t: Test): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

t.test('a body that says it is over the limit is refused before it is sent', async (t) => {
  await leavesNothing(t, async () => {
    const { request, answer } = beginRequest(server.url, `${path}/large.deb`, {
      method: 'PUT',
      headers: { authorization, 'content-length': String(limitBytes + 1) },
    });
    request.flushHeaders();
    const refusal = problemIn(await answer);
    t.match(refusal, { status: 413, code: 'length_limit', detail: `limit is ${limitBytes} bytes` });
    request.destroy();
  });
});

t.test('a body that turns out to be over the limit is refused with an answer', async (t) => {
  await leavesNothing(t, async () => {
    const { request, answer } = beginRequest(server.url, `${path}/large.deb`, {
      method: 'PUT',
      headers: { authorization, 'transfer-encoding': 'chunked' },
    });
    const piece = Buffer.alloc(2 ** 16);
    for (let sent = 0; sent <= limitBytes; sent += piece.length) request.write(piece);
    t.match(problemIn(await answer), { status: 413, code: 'length_limit' });
    request.destroy();
  });
});

t.test('a client that goes on sending after the refusal still reads it', async (t) => {
  const answer = await ask(server.url, `${path}/large.deb`, {
    method: 'PUT',
    headers: { authorization, 'transfer-encoding': 'chunked' },
    body: Buffer.alloc(16 * limitBytes),
  });
  t.match(problemIn(answer), { status: 413, code: 'length_limit' });
});

t.test('a connection that was refused an upload goes on serving', async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const { hostname, port } = new URL(server.url);
  const sockets = new Set<Socket>();
  const send = async (method: string, target: string, body?: Buffer): Promise<number> => {
    const asked = httpRequest({ agent, hostname, port, method, path: target, headers: { authorization } });
    asked.once('socket', (socket) => sockets.add(socket));
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode ?? 0;
  };
  t.equal(await send('PUT', `${path}/large.deb`, Buffer.alloc(limitBytes + 1)), 413);
  t.equal(await send('PUT', `${path}/broken.deb`, Buffer.alloc(limitBytes)), 422);
  // Longer than a client may go on sending after a refusal.
  for (const end = Date.now() + 1500; Date.now() < end;) t.equal(await send('GET', '/healthz'), 200);
  t.equal(sockets.size, 1, 'all of it on one connection');
});

t.test('whoever never stops sending after a refusal is hung up on', async (t) => {
  const socket = await openSocket(t);
  socket.write(
    `PUT ${path}/endless.deb HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n` +
      `Authorization: ${authorization}\r\n\r\n`,
  );
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')]);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  while (!socket.destroyed)
    if (!socket.write(chunk))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
  t.match(text, /^HTTP\/1\.1 413 /);
});

t.test('a chunked body of any length below the limit is taken', async (t) => {
  const { filename, bytes } = debSample('chunked');
  const { request, answer } = beginRequest(server.url, `${path}/${filename}`, {
    method: 'PUT',
    headers: { authorization, 'transfer-encoding': 'chunked' },
  });
  for (const byte of bytes) request.write(Buffer.of(byte));
  request.end();
  t.equal((await answer).status, 201);
});

t.test('whoever asks first is told before sending', async (t) => {
  const { filename, bytes } = debSample('asking');
  const expecting = (
    target: string,
    headers: Record<string, string> = {},
  ): ReturnType<typeof beginRequest> => {
    const begun = beginRequest(server.url, target, {
      method: 'PUT',
      headers: { authorization, 'content-length': String(bytes.length), expect: '100-continue', ...headers },
    });
    begun.request.flushHeaders();
    return begun;
  };

  t.test('go on', async (t) => {
    const { request, answer } = expecting(`${path}/${filename}`);
    await once(request, 'continue');
    request.end(bytes);
    t.equal((await answer).status, 201);
  });

  for (const [name, target, headers, expected] of [
    ['no such channel', path.replace('stable', 'nowhere'), {}, { status: 404, code: 'not_found' }],
    ['no such component', path, { query: '?component=none' }, { status: 404, code: 'not_found' }],
    ['the other format', path, { name: 'asking.rpm' }, { status: 422, code: 'wrong_format' }],
    ['no token', path, { authorization: '' }, { status: 401, code: 'unauthenticated' }],
    ['a wrong token', path, { authorization: 'Bearer no' }, { status: 401, code: 'unauthenticated' }],
    ['too large', path, { 'content-length': '99999999' }, { status: 413, code: 'length_limit' }],
    ['a malformed digest', path, { 'repr-digest': 'no' }, { status: 400, code: 'bad_request' }],
  ] as const)
    t.test(name, async (t) => {
      const { query = '', name: file = filename, ...sent } = headers as Record<string, string>;
      const { request, answer } = expecting(`${target}/${file}${query}`, sent);
      let asked = false;
      request.once('continue', () => (asked = true));
      t.match(problemIn(await answer), expected);
      t.notOk(asked, 'the body was never asked for');
      request.destroy();
    });

  t.test('settings are asked for as well', async (t) => {
    const body = JSON.stringify({ description: 'Asked for' });
    const { request, answer } = beginRequest(server.url, '/api/v1/repositories/main', {
      method: 'PUT',
      headers: {
        authorization,
        'content-type': 'application/json',
        'content-length': String(body.length),
        expect: '100-continue',
      },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end(body);
    t.match(await answer, { status: 200 });
  });
  await Promise.resolve();
});

function headOf(bytes: Buffer, filename: string): string {
  return [
    `PUT ${path}/${filename} HTTP/1.1`,
    'Host: localhost',
    `Authorization: ${authorization}`,
    `Content-Length: ${bytes.length}`,
    '\r\n',
  ].join('\r\n');
}

/** Resolves when this many uploads are being received. */
async function receiving(count: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while ((await everythingKept(server)).staging.length !== count) {
    if (Date.now() > deadline) throw new Error(`the staging folder does not come to ${count} files`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

t.test('a connection that ends early leaves nothing', async (t) => {
  const { filename, bytes } = debSample('cut-off');
  await leavesNothing(t, async () => {
    for (const end of ['destroy', 'resetAndDestroy'] as const) {
      const socket = await openSocket(t);
      socket.write(headOf(bytes, filename));
      socket.write(bytes.subarray(0, 100));
      await receiving(1);
      socket[end]();
      await receiving(0);
    }
  });
  t.equal((await server.upload('stable', filename, bytes)).status, 201, 'and the next attempt goes in');
});

t.test('an upload that stands still is given up, and told so', async (t) => {
  const { filename, bytes } = debSample('idle');
  await leavesNothing(t, async () => {
    const socket = await openSocket(t);
    socket.write(headOf(bytes, filename));
    socket.write(bytes.subarray(0, 100));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(socket, 'close');
    t.match(text, /^HTTP\/1\.1 408 /);
    t.match(text, /"code":"upload_stalled"/);
    t.match(text, /^connection: close\r$/im);
  });
});

t.test('a slow upload is not an idle one', async (t) => {
  const { filename, bytes } = debSample('slow', { content: 'x'.repeat(100) });
  const { request, answer } = beginRequest(server.url, `${path}/${filename}`, {
    method: 'PUT',
    headers: { authorization, 'content-length': String(bytes.length) },
  });
  // Three pieces, each well within the second of silence that is allowed, together longer than that.
  const third = Math.ceil(bytes.length / 3);
  for (let start = 0; start < bytes.length; start += third) {
    request.write(bytes.subarray(start, start + third));
    await new Promise((resolve) => setTimeout(resolve, 600));
  }
  request.end();
  t.equal((await answer).status, 201);
});
