import { join } from 'node:path';
import t from 'tap';
import { ask, jsonOf } from '../ask.ts';
import { debSample } from '../packages.ts';
import { runCommand, type Ended } from '../program.ts';
import { adminToken, startInProcess, temporaryDir } from '../server.ts';

t.setTimeout(240_000);
const server = await startInProcess(t);
const token = (...args: string[]): Promise<Ended> => runCommand(['token', ...args, '--data', server.dataDir]);

t.test('a token is made beside a running server, printed alone, and works at once', async (t) => {
  const { code, stdout, stderr } = await token('create', '--name', 'release job', '--scope', 'upload');
  t.equal(code, 0);
  t.equal(stderr, '');
  t.match(stdout, /^entrepot_[\w-]{43}\n$/);
  const { filename, bytes } = debSample('with-token');
  const answer = await ask(server.url, `/api/v1/repositories/main/channels/stable/packages/${filename}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${stdout.trim()}` },
    body: bytes,
  });
  t.equal(answer.status, 201);
});

t.test('for some repositories, and for some days', async (t) => {
  const { code, stdout } = await token(
    ...['create', '--name', 'narrow', '--scope', 'read', '--repository', 'acme', 'other', '--expires', '2'],
  );
  t.equal(code, 0);
  const rows = await server.app.db.selectFrom('tokens').selectAll().where('name', '=', 'narrow').execute();
  t.match(rows, [{ scope: 'read', repositories: 'acme other', created_by: 'command line' }]);
  const [row] = rows;
  t.ok(Math.abs(Number(row?.expires_at) - Date.now() - 2 * 86_400_000) < 60_000);
  t.notOk(JSON.stringify(rows).includes(stdout.trim()), 'its text is not kept');
});

t.test('tokens are listed without their texts, and revoked by id', async (t) => {
  const { stdout: text } = await token('create', '--name', 'short lived', '--scope', 'admin');
  const { stdout } = await token('list');
  const lines = stdout.trimEnd().split('\n');
  t.equal(lines.length, 4);
  t.notMatch(stdout, text.trim());
  t.notMatch(stdout, adminToken);
  const line = lines.find((each) => each.endsWith('short lived')) ?? '';
  t.match(line, /^[0-9A-Z]{26} {2}admin {2}valid {2}\* {2}last used never {2}short lived$/);
  t.match(
    lines.find((each) => each.endsWith('narrow')),
    /read {2}valid.*acme other/,
  );
  const [id = ''] = line.split(' ');

  const headers = { authorization: `Bearer ${text.trim()}` };
  t.equal((await ask(server.url, '/api/v1/repositories/main/events', { headers })).status, 200);
  t.match(await token('revoke', id), { code: 0, stdout: '', stderr: '' });
  t.equal((await ask(server.url, '/api/v1/repositories/main/events', { headers })).status, 401);
  t.match((await token('list')).stdout, /admin {2}revoked .*last used \d{4}-.*short lived/);

  const again = await token('revoke', id);
  t.equal(again.code, 1);
  t.match(again.stderr, `entrepot: There is no token ${id} that could be revoked.`);
});

t.test('one that has ended is shown as such', async (t) => {
  await token('create', '--name', 'ended', '--scope', 'read', '--expires', '0.00000001');
  t.match((await token('list')).stdout, /read {2}expired .*ended\n/);
});

t.test('what cannot be made is told', async (t) => {
  for (const [args, code, words] of [
    [['create', '--name', 'x'], 2, /required option '--scope <scope>'/],
    [['create', '--scope', 'read'], 2, /required option '--name <name>'/],
    [['create', '--name', 'x', '--scope', 'root'], 2, /Allowed choices are admin, upload, read/],
    [['create', '--name', 'x', '--scope', 'read', '--expires', 'soon'], 2, /expected a number of days/],
    [['create', '--name', 'x', '--scope', 'read', '--repository', 'A B'], 2, /repository name/],
    [['create', '--name', 'two\nlines', '--scope', 'read'], 2, /one line of text/],
    [['revoke', 'none'], 1, /There is no token none/],
  ] as const) {
    const ended = await token(...args);
    t.equal(ended.code, code, ended.stderr);
    t.match(ended.stderr, words);
    t.notMatch(ended.stderr, /\n {4}at /);
  }
});

t.test('a directory without a catalog is not made into one', async (t) => {
  const dir = join(temporaryDir(t), 'misspelled');
  for (const args of [
    ['token', 'create', '--name', 'x', '--scope', 'admin'],
    ['token', 'list'],
    ['key', 'list'],
    ['fsck'],
  ]) {
    const ended = await runCommand([...args, '--data', dir]);
    t.equal(ended.code, 1);
    t.match(ended.stderr, /^entrepot: There is no catalog .*misspelled/);
  }
});

t.test('what the command line did stands among the events', async (t) => {
  const rows = await server.app.db
    .selectFrom('events')
    .select(['kind', 'actor'])
    .where('actor', '=', 'command line')
    .execute();
  t.ok(rows.some(({ kind }) => kind === 'token-create'));
  t.ok(rows.some(({ kind }) => kind === 'token-revoke'));
  t.ok(await jsonOf(await server.api('/api/v1/repositories/main/events')));
});
