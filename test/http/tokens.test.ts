/** Who may do what: scopes, repositories, ends of tokens, and both ways of sending one. */
import t from 'tap';
import type { Scope } from '../../src/auth/permissions.ts';
import { createToken, revokeTokenById } from '../../src/registry/create-token.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { everythingKept } from '../kept.ts';
import { debSample } from '../packages.ts';
import { adminToken, placeTestKey, startInProcess } from '../server.ts';

const clock = fakeClock();
const server = await startInProcess(t, { clock });
const operator = { kind: 'operator', name: 'test' } as const;
placeTestKey(server.dataDir, 'acme');
await jsonOf(await server.api('/api/v1/repositories/acme', { method: 'PUT' }));
await jsonOf(
  await server.api('/api/v1/repositories/acme/channels/stable', { method: 'PUT', body: '{"format":"apt"}' }),
);

async function token(
  scope: Scope,
  { repositories = [] as string[], expiresAt = null as number | null } = {},
): Promise<{ id: string; text: string }> {
  return await createToken(server.app, operator, {
    name: `a ${scope} token`,
    scope,
    repositories,
    expiresAt,
  });
}

type As = (method: string, path: string, body?: Uint8Array | string) => Promise<Response>;

function as(authorization: string | null): As {
  return (method, path, body) =>
    fetch(`${server.url}${path}`, {
      method,
      headers: {
        ...(authorization === null ? {} : { authorization }),
        ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    });
}

const bearer = (text: string): As => as(`Bearer ${text}`);
const api = '/api/v1/repositories';

const { filename, bytes } = debSample('token');
/** Everything that a token may be needed for, each with the status of success. */
const calls = {
  read: [
    ['GET', `${api}/main`],
    ['GET', `${api}/main/channels/stable/packages`],
    ['GET', `${api}/main/events`],
  ],
  upload: [
    ['PUT', `${api}/main/channels/stable/packages/${filename}`, bytes],
    ['DELETE', `${api}/main/channels/stable/packages/token/1.0-1/amd64`],
  ],
  admin: [
    ['PUT', `${api}/main`, '{}'],
    ['PUT', `${api}/main/channels/stable`, '{"format":"apt"}'],
  ],
} as const;
const scopes = ['read', 'upload', 'admin'] as const;

t.test('each scope may do what it is for, and what is below it', async (t) => {
  for (const [rank, scope] of scopes.entries()) {
    const call = bearer((await token(scope)).text);
    for (const [needed, group] of scopes.entries())
      for (const [method, path, body] of calls[group]) {
        const response = await call(method, path, body);
        const what = `${scope}: ${method} ${path}`;
        if (needed <= rank) t.ok(response.ok, what);
        else
          t.match(await problemOf(response), {
            status: 403,
            code: 'forbidden',
            detail: `has not the scope "${group}" for the repository main`,
          });
      }
  }
});

t.test('without a token everything public can be read, and nothing can be changed', async (t) => {
  const before = await everythingKept(server);
  const call = as(null);
  for (const [method, path, body] of [...calls.upload, ...calls.admin]) {
    const response = await call(method, path, body);
    t.match(response.headers.get('www-authenticate'), /Basic realm=.*Bearer/);
    t.match(await problemOf(response), { status: 401, code: 'unauthenticated' });
  }
  t.equal((await call('GET', `${api}/main`)).status, 200);
  t.equal((await call('GET', `${api}/main/channels/stable/packages`)).status, 200);
  t.equal((await call('GET', `${api}/main/events`)).status, 401, 'events name people');
  t.same(await everythingKept(server), before);
});

t.test('a token for one repository is for no other', async (t) => {
  const call = bearer((await token('upload', { repositories: ['acme'] })).text);
  const path = (repository: string): string => `${api}/${repository}/channels/stable/packages/${filename}`;
  t.equal((await call('PUT', path('acme'), bytes)).status, 201);
  const before = await everythingKept(server);
  t.match(await problemOf(await call('PUT', path('main'), bytes)), { status: 403, code: 'forbidden' });
  t.match(await problemOf(await call('PUT', path('nowhere'), bytes)), { status: 403, code: 'forbidden' });
  t.match(await problemOf(await call('GET', `${api}/main/events`)), { status: 403, code: 'forbidden' });

  const admin = bearer((await token('admin', { repositories: ['acme'] })).text);
  t.equal((await admin('PUT', `${api}/acme`, '{}')).status, 200);
  t.match(await problemOf(await admin('PUT', `${api}/other`, '{}')), { status: 403, code: 'forbidden' });
  t.same(Object.keys((await everythingKept(server)).tree), Object.keys(before.tree));
});

t.test('a token ends when it was made to', async (t) => {
  const call = bearer((await token('read', { expiresAt: clock.now() + 60_000 })).text);
  t.equal((await call('GET', `${api}/main/events`)).status, 200);
  clock.advance(59_999);
  t.equal((await call('GET', `${api}/main/events`)).status, 200);
  clock.advance(1);
  t.match(await problemOf(await call('GET', `${api}/main/events`)), {
    status: 401,
    code: 'unauthenticated',
    detail: 'The token is unknown, expired or revoked.',
  });
});

t.test('a revoked token is of no use from the next request on', async (t) => {
  const { id, text } = await token('read');
  const call = bearer(text);
  t.equal((await call('GET', `${api}/main/events`)).status, 200);
  await revokeTokenById(server.app, operator, id);
  t.match(await problemOf(await call('GET', `${api}/main/events`)), { status: 401, code: 'unauthenticated' });
  t.match(await problemOf(await call('GET', '/')), { status: 401 }, 'also where none is needed');
});

t.test('apt, dnf and dput send Basic, with any user name', async (t) => {
  const basic = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  for (const user of ['', 'token', 'someone@example', 'ü'])
    t.equal((await as(basic(user, adminToken))('GET', `${api}/main/events`)).status, 200, user);
  t.equal((await as(`bearer ${adminToken}`)('GET', `${api}/main/events`)).status, 200, 'in any case');
  for (const wrong of [
    basic(adminToken, ''),
    basic(adminToken, 'x'),
    `Basic ${adminToken}`,
    'Basic',
    'Bearer ',
    `Digest ${adminToken}`,
    adminToken,
    `Bearer ${adminToken} ${adminToken}`,
    `Bearer ${'x'.repeat(5000)}`,
  ])
    t.match(
      await problemOf(await as(wrong)('GET', `${api}/main/events`)),
      { status: 401 },
      wrong.slice(0, 40),
    );
});

t.test('when a token was used last is kept to the minute', async (t) => {
  const { id, text } = await token('read');
  const lastUse = async (): Promise<number | null | undefined> =>
    (await server.app.db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst())
      ?.last_used_at;
  t.equal(await lastUse(), null);
  await bearer(text)('GET', `${api}/main`);
  const first = clock.now();
  t.equal(await lastUse(), first);
  clock.advance(59_000);
  await bearer(text)('GET', `${api}/main`);
  t.equal(await lastUse(), first);
  clock.advance(2000);
  await bearer(text)('GET', `${api}/main`);
  t.equal(await lastUse(), clock.now());
});

t.test('an address that tries many tokens has to wait, and a right one still works', async (t) => {
  const fresh = await startInProcess(t);
  const attempt = (text: string): Promise<Response> =>
    fetch(`${fresh.url}${api}/main`, { headers: { authorization: `Bearer ${text}` } });
  const statuses: number[] = [];
  for (let i = 0; i < 60; i++) statuses.push((await attempt(`guess-${i}`)).status);
  t.same(statuses, Array(60).fill(401));
  const refused = await attempt('one-more');
  t.equal(refused.headers.get('retry-after'), '60');
  t.match(await problemOf(refused), { status: 429, code: 'too_many_requests' });
  t.equal((await attempt(adminToken)).status, 200);
});
