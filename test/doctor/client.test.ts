/** The doctor on a machine that installs: one thing between it and the server is broken at a time, and is found. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createTls } from 'node:https';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { examineSetUp } from '../../src/doctor/client/checks.ts';
import type { ClientContext } from '../../src/doctor/client/context.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { startInProcess, temporaryDir } from '../server.ts';
import { makeAuthority } from '../certificates.ts';
import { strangeKey } from '../clients/roots.ts';
import { unlessInstalled } from '../clients.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { shortly, startProxy, type Meddle } from './findings.ts';

const day = 86_400_000;
const server = await startInProcess(t);
for (const [channel, { filename, bytes }] of [
  ['stable', debSample('patient')],
  ['stable-rpm', rpmSample('patient')],
] as const)
  await server.upload(channel, filename, bytes);

const setUps = {
  apt: await (await fetch(`${server.url}/setup/main/stable.sources`)).text(),
  yum: await (await fetch(`${server.url}/setup/main/stable-rpm.repo`)).text(),
};
type Kind = keyof typeof setUps;
const kinds = Object.keys(setUps) as Kind[];

async function examine(place: string, changes: Partial<ClientContext> = {}): Promise<Finding[]> {
  const machine = { clock: { now: () => Date.now() }, proxies: {}, token: undefined, ...changes };
  const found: Finding[] = [];
  for await (const finding of examineSetUp(place, machine)) found.push(finding);
  return found;
}

/** The set-up file on the machine, changed by `edit`. */
function machineFile(t: Test, kind: Kind, edit: (text: string) => string = (text) => text): string {
  const path = join(temporaryDir(t), kind === 'apt' ? 'main.sources' : 'main.repo');
  writeFileSync(path, edit(setUps[kind]));
  return path;
}

const complaints = async (place: string, changes?: Partial<ClientContext>): Promise<string[]> =>
  shortly(await examine(place, changes));

/** With a proxy on the way, that the set-up file names in the server's place. */
async function through(t: Test, kind: Kind, meddle: Meddle): Promise<string[]> {
  const url = await startProxy(t, server.url, meddle);
  return await complaints(machineFile(t, kind, viaBase(kind, url)));
}

/** A metalink leads to the server itself: the way through a proxy is that of a `baseurl`. */
const viaBase = (kind: Kind, url: string) => (text: string) =>
  (kind === 'apt' ? text : text.replace(/^metalink=(.*)metalink$/m, 'baseurl=$1')).replaceAll(
    server.url,
    url,
  );

for (const kind of kinds)
  t.test(`${kind}: a machine that is well, by its file and by its URL`, async (t) => {
    t.same(await complaints(machineFile(t, kind)), []);
    t.same(await complaints(machineFile(t, kind, viaBase(kind, server.url))), []);
    const file = kind === 'apt' ? 'stable.sources' : 'stable-rpm.repo';
    const found = await examine(`${server.url}/setup/main/${file}`);
    t.same(shortly(found), []);
    const looked = new Set(found.map(({ check }) => check));
    t.same(
      [...looked].sort(),
      ['by-hash', 'clock', 'connection', 'keys', 'name', 'ranges and 304', 'set-up file', 'signature'],
      'and all was looked at',
    );
  });

t.test('the set-up file', async (t) => {
  t.match(await complaints('/nowhere/main.sources'), [/^fault set-up file: .*ENOENT/]);
  t.match(await complaints(machineFile(t, 'apt', () => 'hello\n')), [/^fault set-up file: .*colon/]);
  t.match(await complaints(machineFile(t, 'apt', () => '# nothing\n')), [/^fault .*It names no repository/]);
  t.match(await complaints(`${server.url}/setup/main/none.sources`), [/^fault .*The answer is 404/]);
  const locked = machineFile(t, 'apt');
  chmodSync(locked, 0o600);
  t.match(await complaints(locked), [/^warning set-up file: .*Not everyone on this machine may read it/]);
});

t.test('the keys', async (t) => {
  const strange = await strangeKey();
  const key = join(temporaryDir(t), 'strange.asc');
  writeFileSync(key, strange);
  chmodSync(join(key, '..'), 0o755);
  const by = (value: string) => (text: string) =>
    text.replace(/^Signed-By:[\s\S]*/m, `Signed-By: ${value}\n`);
  t.match(await complaints(machineFile(t, 'apt', by(key))), [
    /^fault signature: stable: The signature is of the key [0-9A-F]{40}, which the set-up file does not have\.$/,
  ]);
  chmodSync(key, 0o600);
  t.match(await complaints(machineFile(t, 'apt', by(key))), [
    `fault keys: ${key}: The user _apt cannot read ${key}.`,
    /^fault signature: /,
  ]);
  chmodSync(key, 0o644);
  const folder = join(key, '../locked');
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, 'own.asc'), await (await fetch(`${server.url}/keys/main.asc`)).text());
  t.match(await complaints(machineFile(t, 'apt', by(join(folder, 'own.asc')))), [
    `fault keys: ${folder}/own.asc: The user _apt cannot read ${folder}.`,
  ]);
  t.match(await complaints(machineFile(t, 'apt', by('/nowhere.gpg'))), [
    /^fault keys: .*ENOENT/,
    /^fault sig/,
  ]);
  t.match(await complaints(machineFile(t, 'apt', (text) => text.replace(/^Signed-By:[\s\S]*/m, ''))), [
    /^fault keys: Signed-By of stable: It names no key/,
    /^fault signature/,
  ]);
  const unchecked = machineFile(t, 'yum', (text) => text.replace('repo_gpgcheck=1', 'repo_gpgcheck=0'));
  t.match(await complaints(unchecked), [
    /^warning keys: gpgkey of main-stable-rpm: Signatures are not checked/,
  ]);
});

t.test('a name that leads nowhere, and a port where nobody is', async (t) => {
  const at = (host: string) => machineFile(t, 'apt', (text) => text.replace(/127\.0\.0\.1:\d+/, host));
  t.match(await complaints(at('packages.invalid')), [
    /^fault name: packages\.invalid: No address is found for this name/,
    /^fault clock: /,
    /^fault signature: stable: /,
  ]);
  const socket = createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as { port: number };
  socket.close();
  await once(socket, 'close');
  t.match(await complaints(at(`127.0.0.1:${port}`)), [
    /^fault connection: 127\.0\.0\.1 port \d+: It takes no connection: .*ECONNREFUSED/,
    /^fault clock: /,
    /^fault signature: /,
  ]);
});

t.test('clocks that do not agree', async (t) => {
  const late = (laterMs: number) =>
    complaints(machineFile(t, 'apt'), { clock: { now: () => Date.now() + laterMs } });
  t.match(await late(10 * 60_000), [/^warning clock: clock: It is \d+ s ahead of that of/]);
  t.match(await late(-day), [
    /^warning clock: clock: It is \d+ s behind that of/,
    /^fault signature: .*InRelease: It is of .*, ahead of the clock here/,
  ]);
  t.match(await late(8 * day), [/^warning clock/, /^fault signature: .*InRelease: It expired on /]);
});

for (const kind of kinds)
  t.test(`${kind}: what stands between`, async (t) => {
    const isPointer = ({ url = '' }: IncomingMessage): boolean => /InRelease$|repomd\.xml$/.test(url);
    const isIndex = ({ url = '' }: IncomingMessage): boolean => /by-hash|repodata\/[0-9a-f]{64}/.test(url);
    const answers =
      (when: (asked: IncomingMessage) => boolean, work: (answer: ServerResponse) => void): Meddle =>
      (asked, answer) => {
        if (!when(asked)) return {};
        work(answer);
        return true;
      };
    t.same(await through(t, kind, () => ({})), [], 'a proxy that changes nothing');
    const portal = answers(isPointer, (answer) => answer.end('<html>Please log in'));
    t.match(await through(t, kind, portal), [
      /^fault signature: .*The answer is a page .*a portal on the way\.$/,
    ]);
    const old = answers(isPointer, (answer) => answer.writeHead(404).end());
    t.match(await through(t, kind, old), [/^fault signature: .*(?:InRelease|repomd\.xml): 404\.$/]);
    const elsewhere = answers(isPointer, (answer) => answer.writeHead(302, { location: '/login' }).end());
    t.match(await through(t, kind, elsewhere), [/^fault signature: .*leads elsewhere, to \/login\.$/]);
    const partial = answers(isIndex, (answer) => answer.writeHead(404).end());
    t.match(await through(t, kind, partial), [
      /^fault by-hash: .*The answer is 404/,
      /^warning ranges and 304/,
    ]);
    const packed = answers(isIndex, (answer) =>
      answer.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('something else')),
    );
    t.match(await through(t, kind, packed), [
      /^fault by-hash: .*, with the encoding gzip\.$/,
      /^warning ranges and 304: .*Asked for its first byte, the answer is 200 with \d+ bytes/,
    ]);
    const noRanges: Meddle = (asked) => {
      delete asked.headers.range;
      return {};
    };
    t.match(await through(t, kind, noRanges), [/^warning ranges and 304: .*the answer is 200 with/]);
    const noValidators: Meddle = (asked) => {
      delete asked.headers['if-none-match'];
      delete asked.headers['if-modified-since'];
      return {};
    };
    t.match(await through(t, kind, noValidators), [
      /^warning ranges and 304: .*Asked whether it has changed, the answer is 200/,
    ]);
  });

t.test('a cache that keeps pointers', async (t) => {
  const url = await startProxy(t, server.url, (asked, answer) => {
    if (!asked.url?.endsWith('InRelease')) return {};
    void fetch(`${server.url}${asked.url}`, { headers: asked.headers as Record<string, string> }).then(
      async (fresh) => {
        const headers = Object.fromEntries(fresh.headers);
        const date = new Date(Date.now() - 3_600_000).toUTCString();
        answer.writeHead(fresh.status, { ...headers, date, age: '3600' });
        answer.end(Buffer.from(await fresh.arrayBuffer()));
      },
    );
    return true;
  });
  t.match(await complaints(machineFile(t, 'apt', viaBase('apt', url))), [
    /^warning signature: .*InRelease: A cache on the way has kept it for 3600 s/,
  ]);
});

t.test('a private repository, and a proxy that the environment names', async (t) => {
  const asked: string[] = [];
  const proxy = await startProxy(t, server.url, ({ url = '' }) => {
    asked.push(url);
    return {};
  });
  const found = await examine(machineFile(t, 'apt'), { proxies: { http_proxy: proxy } });
  t.same(shortly(found), []);
  t.match(
    found.find(({ check }) => check === 'proxy'),
    { where: `${proxy}/`, what: /all goes through it/ },
  );
  t.ok(asked.includes(`${server.url}/apt/main/dists/stable/InRelease`), 'the proxy was asked');
  const before = asked.length;
  t.same(
    await complaints(machineFile(t, 'apt'), { proxies: { http_proxy: proxy, no_proxy: '127.0.0.1' } }),
    [],
  );
  t.equal(asked.length, before, 'no_proxy leads past it');
  t.match(await complaints(machineFile(t, 'apt'), { proxies: { http_proxy: 'nowhere' } }), [
    /^fault proxy: nowhere: /,
  ]);

  const visible = (visibility: string) =>
    server.api('/api/v1/repositories/main', { method: 'PUT', body: JSON.stringify({ visibility }) });
  await visible('private');
  t.match(await complaints(machineFile(t, 'apt')), [/^fault signature: stable: .*401.*set ENTREPOT_TOKEN/]);
  t.same(await complaints(machineFile(t, 'apt'), { token: 'admin-token-of-the-tests' }), []);
  await visible('public');
});

t.test(
  'a certificate that is not trusted, and the command',
  { skip: unlessInstalled('openssl') },
  async (t) => {
    const file = machineFile(t, 'apt');
    const well = await runCommand(['doctor', '--client', file]);
    t.match(well, { code: 0, stdout: /^ ok {3}signature: .*InRelease: It is signed by a key/m }, well.stderr);
    const authority = makeAuthority(temporaryDir(t));
    const { certificate, key } = authority.issue('server', { days: 5 });
    const tls = createTls({ cert: readFileSync(certificate), key: readFileSync(key) }, (asked, answer) => {
      void fetch(`${server.url}${asked.url ?? ''}`, {
        headers: asked.headers as Record<string, string>,
      }).then(async (got) => {
        answer.writeHead(got.status, Object.fromEntries(got.headers));
        answer.end(Buffer.from(await got.arrayBuffer()));
      });
    }).listen(0, '127.0.0.1');
    await once(tls, 'listening');
    t.teardown(() => tls.close());
    const { port } = tls.address() as { port: number };
    const over = machineFile(t, 'apt', (text) => text.replaceAll(server.url, `https://127.0.0.1:${port}`));
    t.match(await complaints(over), [/^fault TLS: .*TLS fails: /, /^fault clock/, /^fault signature/]);
    const told = await runCommand(['doctor', '--client', over, '--json'], {
      NODE_EXTRA_CA_CERTS: authority.ca,
    });
    const { findings } = JSON.parse(told.stdout) as { findings: Finding[] };
    t.match(shortly(findings), [/^warning TLS: .*Its certificate expires on /]);
    t.equal(told.code, 0);
  },
);
