/** Sessions: what the cookie is, how it ends, and that no other site can use it. */
import t from 'tap';
import { createToken, revokeTokenById } from '../../src/registry/create-token.ts';
import { jsonOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { adminToken, startInProcess, type InProcess } from '../server.ts';
import { fieldOf, newVisitor, type Visitor } from './visitor.ts';

const clock = fakeClock();
const server = await startInProcess(t, { clock });
const operator = { kind: 'operator', name: 'test' } as const;

async function signedIn(): Promise<Visitor> {
  const visitor = newVisitor(server.url);
  const { status } = await visitor.signIn(adminToken);
  if (status !== 303) throw new Error(`signing in: ${status}`);
  return visitor;
}

async function isSignedIn(visitor: Visitor): Promise<boolean> {
  return (await visitor.get('/account')).status === 200;
}

t.test(
  'the cookie is kept from scripts and other sites, new at each sign-in, and not in the catalog',
  async (t) => {
    const visitor = newVisitor(server.url);
    const first = await visitor.signIn(adminToken);
    const [cookie = ''] = first.headers['set-cookie'] ?? [];
    t.match(cookie, /^entrepot-session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    const old = visitor.cookies.get('entrepot-session') ?? '';
    const rows = await server.app.db.selectFrom('sessions').selectAll().execute();
    t.notOk(JSON.stringify(rows).includes(old));
    await visitor.signIn(adminToken);
    const other = newVisitor(server.url);
    other.cookies.set('entrepot-session', old);
    t.notOk(await isSignedIn(other), 'what was the cookie before is worth nothing');
    t.ok(await isSignedIn(visitor));
  },
);

t.test('over https it is secure and of this host alone', async (t) => {
  const secure = await startInProcess(t, { settings: { public_url: 'https://packages.example.com' } });
  const visitor = newVisitor(secure.url);
  const [cookie = ''] = (await visitor.signIn(adminToken)).headers['set-cookie'] ?? [];
  t.match(
    cookie,
    /^__Host-entrepot-session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/,
  );
  t.ok(await isSignedIn(visitor));
});

t.test('a session ends: by its age, when nobody uses it, with its token', async (t) => {
  const idle = await signedIn();
  clock.advance(61 * 60_000);
  t.notOk(await isSignedIn(idle), 'an hour without use');
  const used = await signedIn();
  for (let i = 0; i < 23; i++) {
    clock.advance(30 * 60_000);
    t.ok(await isSignedIn(used), `in use for ${(i + 1) / 2} hours`);
  }
  clock.advance(30 * 60_000);
  t.notOk(await isSignedIn(used), 'twelve hours');
  const { id, text } = await createToken(server.app, operator, {
    name: 'gone',
    scope: 'read',
    repositories: [],
    expiresAt: null,
  });
  const revoked = newVisitor(server.url);
  await revoked.signIn(text);
  t.ok(await isSignedIn(revoked));
  await revokeTokenById(server.app, operator, id);
  t.notOk(await isSignedIn(revoked));
});

t.test('signing out ends one session, signing out everywhere ends all of the token', async (t) => {
  const [one, two, three] = [await signedIn(), await signedIn(), await signedIn()];
  const stolen = newVisitor(server.url);
  stolen.cookies.set('entrepot-session', one.cookies.get('entrepot-session') ?? '');
  t.equal((await one.post('/sign-out', { form: fieldOf(await one.get('/account'), 'form') })).status, 303);
  t.notOk(await isSignedIn(one));
  t.notOk(await isSignedIn(stolen), 'on the server too');
  t.ok(await isSignedIn(two));
  await two.post('/sign-out-everywhere', { form: fieldOf(await two.get('/account'), 'form') });
  t.notOk(await isSignedIn(two));
  t.notOk(await isSignedIn(three));
});

t.test('forms from elsewhere are refused', async (t) => {
  const visitor = await signedIn();
  const form = fieldOf(await visitor.get('/account'), 'form');
  const other = fieldOf(await (await signedIn()).get('/account'), 'form');
  const cases: [string, Record<string, string>, Record<string, string>][] = [
    ['another origin', { form }, { origin: 'https://evil.example' }],
    ['an origin that is not said', { form }, { origin: '' }],
    ['an opaque origin', { form }, { origin: 'null' }],
    ['a host that starts like ours', { form }, { origin: `${server.url}.evil.example` }],
    ['no token', {}, {}],
    ['an empty token', { form: '' }, {}],
    ['the token of another session', { form: other }, {}],
  ];
  for (const [name, fields, headers] of cases) {
    const answer = await visitor.post('/sign-out-everywhere', fields, headers);
    t.ok([400, 403].includes(answer.status), name);
    t.ok(await isSignedIn(visitor), name);
  }
  const plain = { 'content-type': 'text/plain' };
  t.equal((await visitor.post('/sign-out', { form }, plain)).status, 400, 'as another media type');
  const login = newVisitor(server.url);
  await login.get('/sign-in');
  const forged = await login.post('/sign-in', { form, token: adminToken, next: '/' });
  t.equal(forged.status, 403, 'nor is anybody signed in from elsewhere');
});

t.test('the API does not look at cookies', async (t) => {
  const visitor = await signedIn();
  const cookie = `entrepot-session=${visitor.cookies.get('entrepot-session') ?? ''}`;
  const answer = await fetch(`${server.url}/api/v1/repositories/new`, { method: 'PUT', headers: { cookie } });
  t.equal(answer.status, 401);
});

t.test('wrong tokens are told so, and many are held up', async (t) => {
  const own = await startInProcess(t);
  const visitor = newVisitor(own.url);
  const wrong = await visitor.signIn('entrepot_wrong');
  t.match(wrong, { status: 401, body: /unknown, expired or revoked/ });
  t.notOk(wrong.body.toString().includes('entrepot_wrong'), 'what was typed is not sent back');
  let status = 0;
  for (let i = 0; i < 70 && status !== 429; i++) status = (await visitor.signIn('entrepot_wrong')).status;
  t.equal(status, 429);
});

t.test('nobody is led to another site after signing in', async (t) => {
  for (const next of [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/a\nb',
    'javascript:x',
    '',
  ]) {
    const visitor = newVisitor(server.url);
    t.match(await visitor.signIn(adminToken, next), { status: 303, headers: { location: '/' } }, next);
  }
});

t.test('a session sees private repositories, and downloads from them', async (t) => {
  const own: InProcess = await startInProcess(t);
  await jsonOf(
    await own.api('/api/v1/repositories/main', {
      method: 'PUT',
      body: JSON.stringify({ visibility: 'private' }),
    }),
  );
  const visitor = newVisitor(own.url);
  t.equal((await visitor.get('/r/main')).status, 404);
  await visitor.signIn(adminToken);
  t.equal((await visitor.get('/r/main')).status, 200);
  t.equal((await visitor.get('/apt/main/dists/stable/InRelease')).status, 200);
});
