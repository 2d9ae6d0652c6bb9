import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readPrivateKey } from '../../src/signing/keys.ts';
import { debSample } from '../packages.ts';
import { runCommand, startCommand } from '../program.ts';
import { adminToken, freePort, placeTestKey, startInProcess, startProgram, temporaryDir } from '../server.ts';

t.setTimeout(240_000);

t.test('a passphrase encrypts the key that is made, and opens it at every start', async (t) => {
  const data = temporaryDir(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const variables = {
    ENTREPOT_DATA: data,
    ENTREPOT_LISTEN: listen,
    ENTREPOT_ADMIN_TOKEN: adminToken,
    ENTREPOT_LOG_LEVEL: 'silent',
    ENTREPOT_KEY_PASSPHRASE: 'correct horse',
  };
  const first = startCommand(['serve'], variables);
  t.teardown(() => first.child.kill('SIGKILL'));
  const fingerprint = /signing key +([0-9A-F]{40})/.exec(await first.says(/signing key/))?.[1];
  first.child.kill('SIGTERM');
  t.match(await first.ended, { code: 0 });

  const path = join(data, 'keys/main.asc');
  t.equal(statSync(path).mode & 0o777, 0o600);
  const armored = readFileSync(path, 'utf8');
  await t.rejects(readPrivateKey(armored), { code: 'key_passphrase' });
  await t.rejects(readPrivateKey(armored, 'wrong'), { code: 'key_passphrase' });
  t.equal((await readPrivateKey(armored, 'correct horse')).key.fingerprint.toUpperCase(), fingerprint);

  const list = await runCommand(['key', 'list', '--data', data]);
  t.match(list, { code: 0, stdout: `${fingerprint ?? ''}  active  main\n` });

  const upload = async (name: string): Promise<number> => {
    const { filename, bytes } = debSample(name);
    const response = await fetch(
      `http://${listen}/api/v1/repositories/main/channels/stable/packages/${filename}`,
      { method: 'PUT', headers: { authorization: `Bearer ${adminToken}` }, body: new Uint8Array(bytes) },
    );
    return response.status;
  };
  for (const [passphrase, status] of [
    ['wrong', 422],
    ['correct horse', 201],
  ] as const) {
    const again = startCommand(['serve'], { ...variables, ENTREPOT_KEY_PASSPHRASE: passphrase });
    t.teardown(() => again.child.kill('SIGKILL'));
    await again.says(/listening on/);
    t.equal(await upload('sealed'), status, passphrase);
    again.child.kill('SIGTERM');
    await again.ended;
  }
});

t.test('a key of one’s own is taken up, and a key that is there is never replaced', async (t) => {
  const server = await startInProcess(t);
  const key = (...args: string[]) => runCommand(['key', ...args, '--data', server.dataDir]);
  const before = readFileSync(join(server.dataDir, 'keys/main.asc'), 'utf8');
  const again = await key('generate', 'main');
  t.equal(again.code, 1);
  t.match(again.stderr, /^entrepot: "main" has a signing key already\..*\(conflict\)\n$/);
  t.equal(readFileSync(join(server.dataDir, 'keys/main.asc'), 'utf8'), before);

  const unknown = await key('generate', 'nowhere');
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /There is no repository "nowhere"/);
  t.notOk(existsSync(join(server.dataDir, 'keys/nowhere.asc')));

  // A repository whose key could not be made when it was.
  const { db } = server.app;
  const main = await db.selectFrom('repositories').selectAll().executeTakeFirstOrThrow();
  await db
    .insertInto('repositories')
    .values({ ...main, name: 'keyless' })
    .execute();
  placeTestKey(server.dataDir, 'keyless');
  const taken = await key('generate', 'keyless');
  t.equal(taken.code, 0, taken.stderr);
  const { stdout } = await key('list');
  t.match(stdout, new RegExp(`^${taken.stdout.trim()} {2}active {2}keyless$`, 'm'));
  t.equal(stdout.trimEnd().split('\n').length, 2);
});

t.test('a key file that is gone stops signing, and is said', async (t) => {
  const server = await startProgram(t);
  await server.stop();
  rmSync(join(server.dataDir, 'keys/main.asc'));
  writeFileSync(join(server.dataDir, 'keys/other.asc'), '');
  const again = startCommand(['serve'], {
    ENTREPOT_DATA: server.dataDir,
    ENTREPOT_LISTEN: new URL(server.url).host,
    ENTREPOT_PUBLIC_URL: server.url,
    ENTREPOT_LOG_LEVEL: 'silent',
  });
  t.teardown(() => again.child.kill('SIGKILL'));
  await again.says(/listening on/);
  t.equal(
    (await fetch(`${server.url}/apt/main/dists/stable/InRelease`)).status,
    200,
    'what is published is served',
  );
  const { filename, bytes } = debSample('unsigned');
  const response = await server.upload('stable', filename, bytes);
  t.equal(response.status, 503);
  t.match(await response.json(), { code: 'key_missing' });
});
