/** Every error is RFC 9457 problem details: a code, what is wrong, what to do, and an id for the operator. */
import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { errorTable, type ErrorCode } from '../../src/errors.ts';
import { ask, type Answer, type Problem } from '../ask.ts';
import { adminToken, startInProcess } from '../server.ts';

const server = await startInProcess(t);
const authorization = `Bearer ${adminToken}`;
const json = { authorization, 'content-type': 'application/json' };
const main = '/api/v1/repositories/main';

function isProblem(
  t: Test,
  answer: Answer,
  expected: { status: number; code: ErrorCode },
  what: string,
): void {
  t.equal(answer.status, expected.status, what);
  t.match(answer.headers['content-type'], /^application\/problem\+json/, what);
  t.equal(answer.headers['cache-control'], 'no-store', what);
  if (answer.body.length === 0) return;
  const problem = JSON.parse(answer.body.toString()) as Problem;
  const { title, action, status } = errorTable[expected.code];
  t.match(
    problem,
    {
      type: `/errors#${expected.code}`,
      title,
      action,
      status,
      code: expected.code,
      requestId: /^[0-9A-Z]{26}$/,
    },
    what,
  );
  t.ok(problem.detail.length > 10, what);
  t.equal(answer.headers['x-request-id'], problem.requestId, what);
}

t.test('what nobody can ask for', async (t) => {
  for (const [method, path, status, code] of [
    ['GET', '/nowhere', 404, 'not_found'],
    ['GET', '/api/v2/repositories', 404, 'not_found'],
    ['POST', '/', 404, 'not_found'],
    ['PATCH', main, 404, 'not_found'],
    ['DELETE', main, 404, 'not_found'],
    ['OPTIONS', main, 404, 'not_found'],
    ['HEAD', '/nowhere', 404, 'not_found'],
    ['GET', '/apt/main/nothing', 404, 'not_found'],
    ['PUT', '/apt/main/dists/stable/InRelease', 404, 'not_found'],
    ['GET', '/apt', 404, 'not_found'],
    ['GET', '/r/nowhere', 404, 'not_found'],
    ['GET', '/assets/x/other.css', 404, 'not_found'],
    ['GET', '/%', 400, 'bad_request'],
    ['GET', '/apt/main/%zz', 400, 'bad_request'],
    ['GET', `${main}/packages/%ff`, 400, 'bad_request'],
    ['GET', `/r/${'x'.repeat(2000)}`, 400, 'bad_request'],
    ['GET', `${main}?x=%zz`, 200, 'bad_request'],
  ] as const) {
    const answer = await ask(server.url, path, { method, headers: { authorization } });
    if (status !== 200) isProblem(t, answer, { status, code }, `${method} ${path.slice(0, 60)}`);
    else t.equal(answer.status, 200);
  }
});

t.test('bodies that cannot be read', async (t) => {
  const put = (headers: Record<string, string>, body: string): Promise<Answer> =>
    ask(server.url, main, { method: 'PUT', headers, body });
  isProblem(t, await put(json, '{'), { status: 400, code: 'bad_request' }, 'half an object');
  isProblem(t, await put(json, '{"__proto__":{"x":1}}'), { status: 400, code: 'bad_request' }, '__proto__');
  isProblem(
    t,
    await put({ authorization, 'content-type': 'text/plain' }, 'x'),
    { status: 400, code: 'bad_request' },
    'not JSON',
  );
  isProblem(
    t,
    await put({ authorization, 'content-type': 'application/xml' }, '<x/>'),
    { status: 400, code: 'bad_request' },
    'XML',
  );
  isProblem(
    t,
    await put(json, JSON.stringify({ description: 'x'.repeat(2 ** 20) })),
    { status: 413, code: 'length_limit' },
    'a MiB of JSON',
  );
  isProblem(
    t,
    await put({ ...json, 'content-length': '0' }, ''),
    { status: 400, code: 'bad_request' },
    'JSON that is empty',
  );
});

t.test('errors that were foreseen', async (t) => {
  isProblem(t, await ask(server.url, `${main}/events`), { status: 401, code: 'unauthenticated' }, 'no token');
  isProblem(
    t,
    await ask(server.url, `${main}/events?limit=x`, { headers: { authorization } }),
    { status: 400, code: 'bad_request' },
    'a query',
  );
  isProblem(
    t,
    await ask(server.url, '/api/v1/repositories/A', { method: 'PUT', headers: json, body: '{}' }),
    { status: 400, code: 'bad_request' },
    'a name',
  );
});

t.test('errors that were not: the user is told nothing of the inside', async (t) => {
  const broken = await startInProcess(t);
  await broken.app.db.destroy();
  const answer = await ask(broken.url, main, { headers: { authorization } });
  isProblem(t, answer, { status: 500, code: 'internal' }, 'the catalog is gone');
  t.notMatch(answer.body.toString(), /sqlite|driver|destroyed|\.ts/i);
  isProblem(t, await ask(broken.url, '/readyz'), { status: 503, code: 'unavailable' }, 'not ready');
  t.equal((await ask(broken.url, '/readyz')).headers['retry-after'], '5');
});

t.test('what is no HTTP is told so and hung up on', async (t) => {
  const { hostname, port } = new URL(server.url);
  for (const [text, status] of [
    ['HELLO\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    [
      'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', /^HTTP\/1\.1 400 /],
  ] as const) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write(text);
    await once(socket, 'close');
    t.match(answer, status, text.slice(0, 30));
  }
});
