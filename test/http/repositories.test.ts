import t from 'tap';
import { jsonOf, problemOf } from '../ask.ts';
import { everythingKept } from '../kept.ts';
import { placeTestKey, startInProcess } from '../server.ts';

const server = await startInProcess(t);
const base = '/api/v1/repositories';

const put = (name: string, body?: unknown): Promise<Response> =>
  server.api(`${base}/${name}`, {
    method: 'PUT',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

type Repository = {
  name: string;
  description: string;
  origin: string;
  visibility: string;
  createdAt: string;
  keys: { fingerprint: string; state: string }[];
};

t.test('a repository is made by naming it, and gets a signing key of its own', async (t) => {
  const response = await put('acme');
  t.equal(response.status, 201);
  const repository = (await response.json()) as Repository;
  t.match(repository, {
    name: 'acme',
    description: 'Packages of acme',
    origin: 'acme',
    visibility: 'public',
  });
  t.match(repository.keys, [{ fingerprint: /^[0-9a-f]{40}$/i, state: 'active' }]);
  t.match(repository.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);

  const main = await jsonOf<Repository>(await server.api(`${base}/main`));
  t.not(main.keys[0]?.fingerprint, repository.keys[0]?.fingerprint);
});

t.test('what is given is changed, and the rest stays', async (t) => {
  placeTestKey(server.dataDir, 'changing');
  const first = await jsonOf<Repository>(await put('changing', { description: 'One', origin: 'Acme Corp' }));
  const response = await put('changing', { description: 'Two' });
  t.equal(response.status, 200);
  t.same(await response.json(), { ...first, description: 'Two' });
  t.same(await jsonOf(await server.api(`${base}/changing`)), { ...first, description: 'Two' });
});

t.test('the same again changes nothing', async (t) => {
  const before = await everythingKept(server);
  t.equal((await put('main', {})).status, 200);
  t.equal((await put('main')).status, 200);
  t.same(await everythingKept(server), before);
});

t.test('two who make the same repository at once get the same one', async (t) => {
  const answers = await Promise.all([put('at-once'), put('at-once'), put('at-once')]);
  t.same(answers.map((answer) => answer.status).sort(), [200, 200, 201]);
  const [first, second, third] = await Promise.all(answers.map((answer) => jsonOf<Repository>(answer)));
  t.same(first, second);
  t.same(first, third);
  t.equal(first?.keys.length, 1);
});

t.test('repositories are listed', async (t) => {
  const { repositories } = await jsonOf<{ repositories: Repository[] }>(await server.api(base));
  t.same(
    repositories.map(({ name }) => name),
    ['acme', 'at-once', 'changing', 'main'],
  );
});

t.test('names that a path, a URL or a file of settings could take otherwise are refused', async (t) => {
  const before = await everythingKept(server);
  for (const name of ['Acme', 'a b', '-a', 'a-', '.a', 'a..', 'a_b', 'a%2Fb', 'ä', 'a'.repeat(65)]) {
    const problem = await problemOf(await put(name));
    t.match(
      problem,
      { status: 400, code: 'bad_request', place: { part: 'params', field: 'repository' } },
      name,
    );
  }
  t.same(await everythingKept(server), before);
});

t.test('settings that are not settings are refused', async (t) => {
  const before = await everythingKept(server);
  for (const [body, field] of [
    [{ visibility: 'secret' }, 'visibility'],
    [{ description: 'two\nlines' }, 'description'],
    [{ description: '' }, 'description'],
    [{ origin: 'x'.repeat(201) }, 'origin'],
    [{ origin: 'right\u202eleft' }, 'origin'],
    [{ descripton: 'x' }, undefined],
    [[], undefined],
    ['x', undefined],
  ] as const) {
    const problem = await problemOf(await put('main', body));
    t.match(problem, { status: 400, code: 'bad_request', place: { part: 'body' } }, JSON.stringify(body));
    t.equal(problem.place?.['field'], field);
  }
  t.same(await everythingKept(server), before);
});

t.test('one that is not there is not found', async (t) => {
  t.match(await problemOf(await server.api(`${base}/nowhere`)), {
    status: 404,
    code: 'not_found',
    detail: 'There is no repository "nowhere".',
  });
});
