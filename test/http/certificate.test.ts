/** A server that ends TLS itself: the files it is given, their renewal, and clients that look closely. */
import { once } from 'node:events';
import { copyFileSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { AppError } from '../../src/errors.ts';
import { readCertificate, ServerCertificate } from '../../src/http/certificate.ts';
import type { Logger } from '../../src/logger.ts';
import { makeAuthority } from '../certificates.ts';
import { aptRoot, complaints } from '../clients/apt-root.ts';
import { unlessRoot } from '../clients/roots.ts';
import { unlessInstalled } from '../clients.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample } from '../packages.ts';
import { runCommand, startCommand } from '../program.ts';
import { run } from '../run.ts';
import { adminToken, freePort, placeTestKey, temporaryDir } from '../server.ts';

t.setTimeout(240_000);

const skip = unlessInstalled('openssl');
const day = 86_400_000;
const dir = temporaryDir(t);
const { authority, first, second, ca } = makeFiles();

/** Without openssl there are none, and every test of this file is skipped. */
function makeFiles() {
  if (skip !== false) return {} as never;
  const made = makeAuthority(dir);
  const second = made.issue('second', { days: 90 });
  return { authority: made, first: made.issue('first'), second, ca: readFileSync(made.ca) };
}

/** Files where a server looks for them, that a test replaces. */
function placed(t: Test): typeof first {
  const place = temporaryDir(t);
  const at = { certificate: join(place, 'fullchain.pem'), key: join(place, 'privkey.pem') };
  copyFileSync(first.certificate, at.certificate);
  copyFileSync(first.key, at.key);
  return at;
}

t.test('files that cannot be used are told before a client meets them', { skip }, (t) => {
  const now = Date.now();
  const file = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };
  const locked = file(
    'locked.key',
    readFileSync(first.key, 'utf8').replace('BEGIN PRIVATE', 'BEGIN ENCRYPTED PRIVATE'),
  );
  const chain = readFileSync(first.certificate, 'utf8');
  for (const [name, place, at, code, words] of [
    ['none', { ...first, certificate: '/nowhere.pem' }, now, 'tls_unreadable', /\/nowhere\.pem/],
    ['no certificate', { ...first, certificate: first.key }, now, 'tls_unreadable', /holds no certificate/],
    ['no key', { ...first, key: first.certificate }, now, 'tls_unreadable', /holds no private key/],
    ['a passphrase', { ...first, key: locked }, now, 'tls_unreadable', /or one with a passphrase/],
    ['another key', { ...first, key: second.key }, now, 'tls_mismatch', /is not that of the certificate/],
    ['too late', first, now + 61 * day, 'tls_expired', /expired on/],
    ['too early', first, now - day, 'tls_expired', /is not valid before/],
    [
      'a chain that is cut',
      { ...first, certificate: file('cut.pem', `${chain}-----BEGIN CERTIFICATE-----\nMIIB\n`) },
      now,
      'tls_unreadable',
      /OpenSSL does not take/,
    ],
  ] as const)
    try {
      readCertificate(place, at);
      t.fail(`${name} was taken`);
    } catch (error) {
      t.ok(error instanceof AppError, name);
      t.match(error, { code, message: words }, name);
    }
  t.match(readCertificate(first, now).leaf.subjectAltName, 'DNS:localhost');
  t.end();
});

t.test('a renewal whose files come one after the other breaks nothing', { skip }, (t) => {
  const place = placed(t);
  const clock = fakeClock(Date.now());
  const told: string[] = [];
  const tell = (level: string) => (fields: unknown, text?: string) =>
    told.push(`${level}: ${text ?? String(fields)}`);
  const log = { info: tell('info'), warn: tell('warn'), error: tell('error') } as unknown as Logger;
  const certificate = new ServerCertificate({ place, clock, log });
  const untilBefore = certificate.validUntilMs;
  certificate.look();
  t.same(told, [], 'nothing has changed');

  copyFileSync(second.certificate, place.certificate);
  certificate.look();
  t.same(told, [], 'half of it is there: the next look will tell');
  copyFileSync(second.key, place.key);
  certificate.look();
  t.match(told.splice(0), [/^info: the renewed TLS certificate is shown/]);
  t.equal(certificate.validUntilMs - untilBefore > 29 * day, true);

  copyFileSync(first.key, place.key);
  for (let look = 0; look < 5; look++) certificate.look();
  t.match(told.splice(0), [/^error: .*the old certificate stays/], 'once, and not every minute');
  certificate.look({ now: true });
  t.match(told.splice(0), [/^error: /], 'whoever asks is told');
  copyFileSync(second.key, place.key);
  certificate.look();
  t.same(told, [], 'the pair is the one in use again');

  t.equal(certificate.warning, null);
  clock.advance(80 * day);
  t.match(certificate.warning, /^The TLS certificate expires on /);
  clock.advance(20 * day);
  t.match(certificate.warning, /^The TLS certificate expired on /);
  t.end();
});

/** The program with TLS; answers once it listens. */
async function serveTls(t: Test, place: typeof first, options: { role?: string } = {}) {
  const data = temporaryDir(t);
  placeTestKey(data);
  const port = await freePort();
  const running = startCommand(['serve'], {
    ENTREPOT_DATA: data,
    ENTREPOT_LISTEN: `127.0.0.1:${port}`,
    ENTREPOT_ADMIN_TOKEN: adminToken,
    ENTREPOT_TLS_CERTIFICATE: place.certificate,
    ENTREPOT_TLS_KEY: place.key,
    ENTREPOT_ROLE: options.role ?? 'all',
  });
  t.teardown(async () => {
    running.child.kill('SIGKILL');
    await running.ended;
  });
  const said = await running.says(/Entrepot is listening on https:\/\//);
  return { running, said, port, url: `https://localhost:${port}` };
}

/** The certificate that a new connection is shown, by its common name. */
async function shown(port: number): Promise<string> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

async function ask(url: string, agent?: Agent): Promise<{ status: number; body: string; socket: unknown }> {
  const request = get(url, { ca, agent });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const { socket } = response;
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, body, socket };
}

t.test('real clients over https, and a renewal while a connection lives', { skip }, async (t) => {
  const place = placed(t);
  const { running, said, port, url } = await serveTls(t, place);
  t.match(said, url, 'what is published says https');
  t.match(JSON.parse((await ask(`${url}/readyz`)).body), { status: 'ok', warnings: undefined });
  const until = /^entrepot_tls_valid_until_seconds (\S+)$/m.exec((await ask(`${url}/metrics`)).body)?.[1];
  t.equal(Number(until), readCertificate(first, Date.now()).leaf.validToDate.getTime() / 1000);

  const { filename, bytes } = debSample('over-tls');
  const file = join(temporaryDir(t), filename);
  writeFileSync(file, bytes);
  if (unlessInstalled('curl') === false) {
    const upload = `${url}/api/v1/repositories/main/channels/stable/packages/`;
    const auth = ['-H', `Authorization: Bearer ${adminToken}`];
    const done = await run('curl', ['-sS', '--cacert', authority.ca, ...auth, '-T', file, upload]);
    t.match(done.stdout, '"status":"created"', done.stderr);
    const unknown = await run('curl', ['-sS', `${url}/healthz`]);
    t.equal(unknown.code, 60, 'a client that does not know the authority refuses');
  }
  if ((unlessInstalled('apt-get', 'curl') || unlessRoot) === false) {
    const machine = aptRoot(t);
    machine.writeSources((await ask(`${url}/setup/main/stable.sources`)).body);
    const updated = await machine.update(`Acquire::https::CAInfo=${authority.ca}`);
    t.same(complaints(updated), [], updated.output);
    t.match((await machine.cache('policy', 'over-tls')).output, 'Candidate');
  }

  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  t.teardown(() => agent.destroy());
  const before = await ask(`${url}/healthz`, agent);
  copyFileSync(second.certificate, place.certificate);
  copyFileSync(second.key, place.key);
  running.child.kill('SIGHUP');
  await running.says(/the renewed TLS certificate is shown from now on/);
  t.equal(await shown(port), 'second', 'new connections see the new one');
  const after = await ask(`${url}/healthz`, agent);
  t.equal(after.status, 200);
  t.equal(after.socket, before.socket, 'and the old connection lives on');

  writeFileSync(place.key, 'not a key');
  running.child.kill('SIGHUP');
  await running.says(/the TLS files cannot be used; the old certificate stays/);
  t.equal(await shown(port), 'second');
  running.child.kill('SIGTERM');
  agent.destroy();
  t.match(await running.ended, { code: 0 });
});

t.test('a node that only reads, and links that are replaced as certbot does it', { skip }, async (t) => {
  const live = temporaryDir(t);
  const link = (name: string, to: string): void => {
    symlinkSync(to, join(live, `${name}.new`));
    renameSync(join(live, `${name}.new`), join(live, name));
  };
  const place = { certificate: join(live, 'fullchain.pem'), key: join(live, 'privkey.pem') };
  link('fullchain.pem', first.certificate);
  link('privkey.pem', first.key);
  const { running, port, url } = await serveTls(t, place, { role: 'read' });
  t.match((await ask(`${url}/metrics`)).body, 'entrepot_tls_valid_until_seconds');
  t.equal(await shown(port), 'first');
  link('fullchain.pem', second.certificate);
  link('privkey.pem', second.key);
  running.child.kill('SIGHUP');
  await running.says(/the renewed TLS certificate/);
  t.equal(await shown(port), 'second');
});

t.test('a start with a pair that does not fit says so, and makes nothing', { skip }, async (t) => {
  const data = join(temporaryDir(t), 'data');
  const files = { ENTREPOT_TLS_CERTIFICATE: first.certificate, ENTREPOT_TLS_KEY: second.key };
  const ended = await runCommand(['serve', '--data', data, '--listen', '127.0.0.1:0'], files);
  t.equal(ended.code, 1);
  t.match(ended.stderr, /^entrepot: The key in .*second\.key is not that of .*\(tls_mismatch\)\n$/);
  t.throws(() => readFileSync(data), { code: 'ENOENT' });
  const half = await runCommand(['serve', '--data', data], { ENTREPOT_TLS_KEY: second.key });
  t.equal(half.code, 2);
  t.match(half.stderr, /^entrepot: tls_certificate: the certificate and its key go together/);
});
