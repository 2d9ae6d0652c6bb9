/** A private repository is not there for who may not see it: not its name, not its files, not its packages. */
import t, { type Test } from 'tap';
import { createToken } from '../../src/registry/create-token.ts';
import { ask, jsonOf, type Answer } from '../ask.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readYum } from '../served.ts';
import { adminToken, placeTestKey, startInProcess } from '../server.ts';

const server = await startInProcess(t);
placeTestKey(server.dataDir, 'vault');
const put = async (path: string, body: object): Promise<void> => {
  await jsonOf(
    await server.api(`/api/v1/repositories/${path}`, { method: 'PUT', body: JSON.stringify(body) }),
  );
};
await put('vault', { visibility: 'private' });
await put('vault/channels/stable', { format: 'apt' });
await put('vault/channels/el9', { format: 'yum' });
for (const [channel, { filename, bytes }] of [
  ['stable', debSample('hidden')],
  ['el9', rpmSample('hidden')],
] as const)
  await jsonOf(
    await server.api(`/api/v1/repositories/vault/channels/${channel}/packages/${filename}`, {
      method: 'PUT',
      body: new Uint8Array(bytes),
    }),
  );

const operator = { kind: 'operator', name: 'test' } as const;
const tokenFor = async (repositories: string[]): Promise<string> =>
  (await createToken(server.app, operator, { name: 'reader', scope: 'read', repositories, expiresAt: null }))
    .text;
const reader = await tokenFor(['vault']);
const stranger = await tokenFor(['main']);

const paths = [
  '/apt/vault/dists/stable/InRelease',
  '/apt/vault/dists/stable/Release.gpg',
  '/apt/vault/dists/stable/main/binary-amd64/Packages',
  '/apt/vault/dists/stable/main/binary-amd64/Packages.gz',
  '/apt/vault/pool/h/hidden/hidden_1.0-1_amd64.deb',
  '/apt/vault/snapshots/2/dists/stable/InRelease',
  '/yum/vault/el9/repodata/repomd.xml',
  '/yum/vault/el9/metalink',
  '/yum/vault/el9/packages/h/hidden-1.0-1.x86_64.rpm',
  '/yum/vault/el9/generations/2/repodata/repomd.xml',
  '/keys/vault.asc',
  '/keys/vault.gpg',
  '/setup/vault/stable.sources',
  '/setup/vault/el9.repo',
];
const calls = [
  '/api/v1/repositories/vault',
  '/api/v1/repositories/vault/channels',
  '/api/v1/repositories/vault/channels/stable',
  '/api/v1/repositories/vault/channels/stable/packages',
  '/api/v1/repositories/vault/channels/stable/packages/hidden',
  '/api/v1/repositories/vault/events',
  `/api/v1/repositories/vault/packages/${'0'.repeat(64)}`,
  '/r/vault',
];

const get = (path: string, token: string | null, method = 'GET'): Promise<Answer> =>
  ask(server.url, path, { method, headers: token === null ? {} : { authorization: `Bearer ${token}` } });

/** An answer without what differs from one request to the next, and with the name put in place of the other. */
function comparable({ status, headers, body }: Answer, name: string): object {
  const passing = ['date', 'x-request-id', 'content-length'];
  const rest = Object.entries(headers).filter(([header]) => !passing.includes(header));
  const id = String(headers['x-request-id']);
  const text = body.toString().replaceAll(id, 'ID').replaceAll(name, 'NAME');
  return { status, headers: rest, text };
}

async function looksAbsent(t: Test, token: string | null, method = 'GET'): Promise<void> {
  for (const path of [...paths, ...calls]) {
    const absent = path.replace('vault', 'nowhere');
    const [there, notThere] = await Promise.all([get(path, token, method), get(absent, token, method)]);
    t.notOk(there.status < 400, `${method} ${path}: ${there.status}`);
    t.same(comparable(there, 'vault'), comparable(notThere, 'nowhere'), `${method} ${path}`);
  }
}

t.test('without a token it looks like one that is not there', async (t) => {
  await looksAbsent(t, null);
  await looksAbsent(t, null, 'HEAD');
});

t.test('and with a token for another', async (t) => {
  await looksAbsent(t, stranger);
  await looksAbsent(t, stranger, 'HEAD');
});

t.test('nor does changing something say more', async (t) => {
  for (const token of [null, stranger])
    for (const [method, path, body] of [
      ['PUT', '/api/v1/repositories/vault', '{}'],
      ['PUT', '/api/v1/repositories/vault/channels/stable', '{"format":"apt"}'],
      ['PUT', '/api/v1/repositories/vault/channels/stable/packages/x.deb', 'x'],
      ['DELETE', '/api/v1/repositories/vault/channels/stable/packages/hidden/1.0-1/amd64', ''],
    ] as const) {
      const [there, notThere] = await Promise.all(
        ['vault', 'nowhere'].map((name) =>
          ask(server.url, path.replace('vault', name), {
            method,
            headers: {
              ...(body === '' ? {} : { 'content-type': 'application/json' }),
              ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            },
            body,
          }),
        ),
      );
      if (!there || !notThere) throw new Error('no answers');
      t.match(there.status, /^40[13]$/);
      t.same(comparable(there, 'vault'), comparable(notThere, 'nowhere'), `${method} ${path}`);
    }
});

t.test('it stands in no list and on no page', async (t) => {
  for (const token of [null, stranger])
    for (const path of ['/', '/api/v1/repositories', '/metrics', '/openapi.json'])
      t.notMatch((await get(path, token)).body.toString(), /vault/, path);
});

t.test('who may read it finds everything, with either kind of Authorization', async (t) => {
  const basic = `Basic ${Buffer.from(`machine:${reader}`).toString('base64')}`;
  for (const authorization of [`Bearer ${reader}`, basic]) {
    const read = readFrom(server.url, { authorization });
    t.match(await readApt(read, 'vault', 'stable'), [{ name: 'hidden' }]);
    t.match(await readYum(read, 'vault', 'el9'), [{ name: 'hidden' }]);
  }
  for (const path of [...paths, ...calls.slice(0, 6), '/r/vault']) {
    const answer = await get(path, reader);
    t.equal(answer.status, 200, path);
    t.notMatch(answer.headers['cache-control'], /public/, 'no shared cache keeps it');
  }
  t.match((await get('/', reader)).body.toString(), /href="\/r\/vault"/);
});

t.test('who made it public has made it public', async (t) => {
  await put('vault', { visibility: 'public' });
  t.equal((await get('/apt/vault/dists/stable/InRelease', null)).status, 200);
  await put('vault', { visibility: 'private' });
  t.equal((await get('/apt/vault/dists/stable/InRelease', null)).status, 401);
  t.equal((await get('/apt/vault/dists/stable/InRelease', adminToken)).status, 200);
});

t.test('it is private after a restart as well', async (t) => {
  await server.close();
  const again = await startInProcess(t, { dataDir: server.dataDir });
  t.equal((await ask(again.url, '/apt/vault/dists/stable/InRelease')).status, 401);
  t.equal((await ask(again.url, '/apt/main/dists/stable/InRelease')).status, 200);
});
