/** The doctor on a server: one thing is broken at a time, and is found. */
import { chmodSync, chownSync, copyFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Config } from '../../src/config.ts';
import { catalogOpens } from '../../src/doctor/server/catalog.ts';
import { serverChecks } from '../../src/doctor/server/checks.ts';
import { clockAndValidity } from '../../src/doctor/server/clock.ts';
import type { ServerContext } from '../../src/doctor/server/context.ts';
import { dataDirectory } from '../../src/doctor/server/data-directory.ts';
import { diskSpace, sameFileSystem } from '../../src/doctor/server/disk.ts';
import { heads } from '../../src/doctor/server/heads.ts';
import { signingKeys } from '../../src/doctor/server/keys.ts';
import { proxyHeaders, publicUrlIsUs } from '../../src/doctor/server/public-url.ts';
import { storeAnswers } from '../../src/doctor/server/store.ts';
import { tlsFiles } from '../../src/doctor/server/tls.ts';
import { openSqlite } from '../../src/db/catalog.ts';
import { makeAuthority } from '../certificates.ts';
import { unlessRoot } from '../clients/roots.ts';
import { unlessInstalled } from '../clients.ts';
import { debSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { freePort, startInProcess, temporaryDir } from '../server.ts';
import { testKeysDir } from '../signing-key.ts';
import { complaintsOf, startProxy } from './findings.ts';

const day = 86_400_000;
const server = await startInProcess(t, { settings: { trusted_proxies: '127.0.0.2' } });
const { app, dataDir } = server;
const { filename, bytes } = debSample('patient');
await server.upload('stable', filename, bytes);

function context(changes: Partial<Config> = {}, laterMs = 0): ServerContext {
  return {
    config: { ...app.config, publicUrl: server.url, trustedProxies: [], ...changes },
    clock: { now: () => Date.now() + laterMs },
    uid: statSync(dataDir).uid,
    openDb: () => Promise.resolve(app.db),
    openStore: () => Promise.resolve(app.store),
  };
}

t.test('a server that is well', async (t) => {
  const checks = serverChecks.filter((check) => check !== diskSpace);
  t.same(await complaintsOf(checks, context()), []);
});

t.test('the data directory', async (t) => {
  const complaints = (changes?: Partial<Config>, uid?: number) =>
    complaintsOf([dataDirectory], { ...context(changes), ...(uid !== undefined && { uid }) });
  t.match(await complaints({ dataDir: '/nowhere/data' }), [
    'fault data directory: /nowhere/data: There is no such directory.',
  ]);
  t.match(await complaints({}, 4711), [/and this is the user 4711\.$/]);
  const broken = async (path: string, mode: number, expected: RegExp): Promise<void> => {
    const before = statSync(path).mode & 0o777;
    chmodSync(path, mode);
    t.match(await complaints(), [expected], path);
    chmodSync(path, before);
  };
  await broken(join(dataDir, 'tree'), 0o777, /^fault .*\/tree: Others may write to it \(mode 0777\)\.$/);
  await broken(join(dataDir, 'catalog.db'), 0o644, /^warning .*\/catalog\.db: Others may read it/);
  await broken(join(dataDir, 'keys/main.asc'), 0o640, /^warning .*\/keys\/main\.asc: Others may read it/);
  if (unlessRoot === false) {
    chownSync(join(dataDir, 'catalog.db'), 4711, 0);
    t.match(await complaints(), [/^fault .*\/catalog\.db: It belongs to the user 4711/]);
    chownSync(join(dataDir, 'catalog.db'), statSync(dataDir).uid, 0);
  }
  t.same(await complaints(), []);
});

t.test(
  'a disk that is full, and a tree on another one',
  { skip: process.platform !== 'linux' },
  async (t) => {
    // /proc has no room at all, and is a file system of its own.
    t.match(await complaintsOf([diskSpace], context({ dataDir: '/proc' })), [
      'fault free space: /proc: 0.0 GiB are free.',
    ]);
    const store = { kind: 'directory', path: '/proc/tree' } as const;
    t.match(await complaintsOf([sameFileSystem], context({ store })), [/^warning .*another file system/]);
  },
);

t.test('the catalog', async (t) => {
  const complaints = (changes: Partial<ServerContext> = {}) =>
    complaintsOf([catalogOpens], { ...context(), ...changes });
  t.match(await complaints({ openDb: () => Promise.resolve(null) }), [
    /^fault catalog: .*There is no catalog\.$/,
  ]);
  const none = join(temporaryDir(t), 'none.db');
  writeFileSync(none, 'these are no pages of a database, and quite a number of bytes of them'.repeat(20));
  t.match(await complaints({ openDb: () => Promise.resolve(openSqlite(none)) }), [
    /^fault catalog: .*not a database/,
  ]);
  await app.db.insertInto('schema_migrations').values({ name: '9999_later.sql', applied_at: 1 }).execute();
  t.match(await complaints(), [/^fault .*A newer version of Entrepot has used it \(9999_later\.sql\)/]);
  await app.db.deleteFrom('schema_migrations').where('name', '=', '9999_later.sql').execute();
  const row = { name: '0005_downloads.sql', applied_at: 1 };
  await app.db.deleteFrom('schema_migrations').where('name', '=', row.name).execute();
  t.match(await complaints(), [/^warning .*older than this version \(without 0005_downloads\.sql\)/]);
  await app.db.insertInto('schema_migrations').values(row).execute();
  t.same(await complaints(), []);
});

t.test('the signing key', async (t) => {
  const complaints = (laterMs = 0) => complaintsOf([signingKeys], context({}, laterMs));
  const path = join(dataDir, 'keys/main.asc');
  t.match(await complaints(-20 * 365 * day), [/^fault signing key: main: Its key was made on .*ahead/]);
  renameSync(path, `${path}.away`);
  t.match(await complaints(), [/^fault signing key: main: There is no key file/]);
  copyFileSync(join(testKeysDir, 'second-signing-key.asc'), path);
  chmodSync(path, 0o600);
  t.match(await complaints(), [/^fault .*main: Its key file holds [0-9A-F]{40}, which the catalog/]);
  writeFileSync(path, 'not a key');
  t.match(await complaints(), [/^fault signing key: main: /]);
  renameSync(`${path}.away`, path);
  t.same(await complaints(), []);
});

t.test('the clock, and what was published', async (t) => {
  const complaints = (laterMs: number) => complaintsOf([clockAndValidity], context({}, laterMs));
  t.match(await complaints(-day), [/fault .*main\/stable: It was published on .*ahead of the clock/]);
  t.match(await complaints(2 * day), [/fault .*main\/stable: It has not been signed again since/]);
  t.match(await complaints(8 * day), [/fault .*main\/stable: It expired on .*apt-get update fails/]);
});

t.test('the store, and what clients start from', async (t) => {
  const store = { kind: 'directory', path: join(dataDir, 'nowhere') } as const;
  t.match(await complaintsOf([storeAnswers], context({ store })), [/^fault store: .*There is no tree/]);
  const pointer = join(dataDir, 'tree/apt/main/dists/stable/InRelease');
  renameSync(pointer, `${pointer}.away`);
  t.match(await complaintsOf([heads], context()), [
    'fault heads: apt/main/dists/stable/InRelease: It is missing.',
  ]);
  renameSync(`${pointer}.away`, pointer);
  t.same(await complaintsOf([heads, storeAnswers], context()), []);
});

t.test('the certificate', { skip: unlessInstalled('openssl') }, async (t) => {
  const authority = makeAuthority(temporaryDir(t));
  const tls = authority.issue('mine', { names: 'DNS:packages.example.com' });
  chmodSync(tls.key, 0o600);
  const complaints = (changes: Partial<Config>, laterMs = 0) =>
    complaintsOf(
      [tlsFiles],
      context({ tls, publicUrl: 'https://packages.example.com', ...changes }, laterMs),
    );
  t.same(await complaints({}), []);
  t.match(await complaints({}, 50 * day), [/^warning TLS: .*expires on/]);
  t.match(await complaints({}, 70 * day), [/^fault TLS: .*expired on/]);
  t.match(await complaints({ publicUrl: 'https://other.example.com' }), [
    /^fault TLS: .*It is not for other\.example\.com.*but for DNS:packages\.example\.com/,
  ]);
  t.match(await complaints({ tls: { ...tls, key: authority.issue('other').key } }), [
    /^fault TLS: .*not that/,
  ]);
  chmodSync(tls.key, 0o644);
  t.match(await complaints({}), [/^warning TLS: .*Everyone on this machine may read it/]);
});

t.test('the address that machines use', async (t) => {
  const complaints = (publicUrl: string) => complaintsOf([publicUrlIsUs], context({ publicUrl }));
  t.match(await complaints(`http://127.0.0.1:${await freePort()}`), [/^fault public_url: .*does not answer/]);
  const other = await startProxy(t, server.url, (_asked, answer) => {
    answer.end('Welcome to nginx!');
    return true;
  });
  t.match(await complaints(other), [
    /^fault public_url: .*\/keys\/main\.asc: The answer \(200\) is not what/,
  ]);
  t.match(await complaintsOf([publicUrlIsUs], context({ publicUrl: undefined })), [/^warning public_url: /]);
});

t.test('what a proxy in front says', async (t) => {
  const complaints = async (headers: Record<string, string>) => {
    const publicUrl = await startProxy(t, server.url, (asked) => ({
      host: asked.headers.host ?? '',
      ...headers,
    }));
    return await complaintsOf([proxyHeaders], context({ publicUrl }));
  };
  t.same(await complaints({}), []);
  t.match(await complaints({ 'x-forwarded-for': '192.0.2.1' }), [
    'fault trusted_proxies: 127.0.0.1: A proxy there sends X-Forwarded-For, and it is not believed: all clients look like one.',
  ]);
  t.match(await complaints({ host: 'upstream' }), [/^warning .*arrive with the host upstream/]);
  const behind = await startInProcess(t, { settings: { trusted_proxies: '127.0.0.1' } });
  const headers = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' };
  const publicUrl = await startProxy(t, behind.url, () => headers);
  t.match(await complaintsOf([proxyHeaders], context({ publicUrl })), [/^fault .*Requests arrive as https/]);
  const named = context({ trustedProxies: ['10.0.0.1'] });
  t.match(await complaintsOf([proxyHeaders], named), [/^warning .*No proxy stood on the way/]);
});

t.test('the command: findings for people and programs, and an exit code', async (t) => {
  const environment = { ENTREPOT_DATA: dataDir, ENTREPOT_PUBLIC_URL: server.url };
  const well = await runCommand(['doctor'], environment);
  t.match(well, { code: 0 }, well.stdout + well.stderr);
  t.match(well.stdout, /^ ok {3}signing key: main: Its key [0-9A-F]{40} opens/m);
  const away = { ...environment, ENTREPOT_PUBLIC_URL: `http://127.0.0.1:${await freePort()}` };
  const told = await runCommand(['doctor'], away);
  t.equal(told.code, 1);
  t.match(told.stdout, /^FAIL {2}public_url: .*does not answer.*\n {6}See that the server runs/m);
  t.equal(told.stderr, 'entrepot: 1 fault was found.\n');
  const database = {
    ENTREPOT_DATABASE_URL: `postgres://entrepot:hidden-word@127.0.0.1:${await freePort()}/none`,
  };
  const lost = await runCommand(['doctor'], { ...environment, ...database });
  t.match(lost, { code: 1, stderr: 'entrepot: 1 fault was found.\n' }, 'what follows from a fault is none');
  t.match(lost.stdout, /^FAIL {2}catalog: database_url: /m);
  t.notMatch(lost.stdout + lost.stderr, 'hidden-word');
  const { code, stdout } = await runCommand(['doctor', '--json'], away);
  t.equal(code, 1);
  const { findings } = JSON.parse(stdout) as { findings: unknown[] };
  t.match(
    findings.filter((finding) => (finding as { level: string }).level === 'fault'),
    [{ check: 'public_url', where: String, what: /does not answer/, todo: String }],
  );
  const reader = await runCommand(['doctor'], {
    ...environment,
    ENTREPOT_ROLE: 'read',
    ENTREPOT_DATA: join(temporaryDir(t), 'none'),
    ENTREPOT_STORE: join(dataDir, 'tree'),
  });
  t.match(reader, { code: 0, stdout: /^ ok {3}store: /m }, 'a node that only reads needs no catalog');
  t.notMatch(reader.stdout, /catalog:|data directory:/);
  const settings = await runCommand(['doctor'], { ENTREPOT_DATA: dataDir, ENTREPOT_LISTEN: 'nowhere' });
  t.equal(settings.code, 1);
  t.match(settings.stdout, /^FAIL {2}settings: .*listen: expected host:port, got "nowhere"\./m);
  const empty = join(temporaryDir(t), 'none');
  const nothing = await runCommand(['doctor', '--data', empty]);
  t.equal(nothing.code, 1);
  t.match(nothing.stdout, /^FAIL {2}data directory: .*no such directory/m);
  t.throws(() => statSync(empty), { code: 'ENOENT' }, 'and none was made');
});
