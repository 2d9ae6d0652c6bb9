/** The end of a server that has much to do. */
import { once } from 'node:events';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { beginRequest, jsonOf, type Begun } from '../ask.ts';
import { debSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { adminToken, startProgram, type Program } from '../server.ts';

t.setTimeout(240_000);

/** Begins to upload a package, and sends so many of its bytes once it is admitted. */
async function beginUpload(
  server: Program,
  name: string,
  sent: number,
): Promise<Begun & { readonly rest: Buffer }> {
  const { filename, bytes } = debSample(name);
  const path = `/api/v1/repositories/main/channels/stable/packages/${filename}`;
  const headers = {
    authorization: `Bearer ${adminToken}`,
    'content-length': String(bytes.length),
    expect: '100-continue',
  };
  const { request, answer } = beginRequest(server.url, path, { method: 'PUT', headers });
  request.flushHeaders();
  await once(request, 'continue');
  if (sent > 0) request.write(bytes.subarray(0, sent));
  return { request, answer, rest: bytes.subarray(sent) };
}

/** Resolves when no new connection is taken any more. */
async function takesNobody(server: Program): Promise<void> {
  for (;;)
    try {
      await (await fetch(`${server.url}/healthz`)).text();
    } catch {
      return;
    }
}

t.test(
  'SIGTERM under load: every upload in flight is answered, and clients that went leave no trace',
  async (t) => {
    const server = await startProgram(t);
    const begin = (name: string) => beginUpload(server, name, 100);
    const all = (prefix: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, number) => begin(`${prefix}-${number}`)));
    const [staying, going] = await Promise.all([all('staying', 64), all('going', 16)]);
    const ended = server.stop();
    await takesNobody(server);
    for (const { request, rest } of staying) request.end(rest);
    for (const { status, body } of await Promise.all(staying.map(({ answer }) => answer)))
      t.equal(status, 201, body.toString());
    // Those who go do so with their last byte: their packages are being recorded when no connection is left.
    for (const { request, rest } of going) request.end(rest, () => request.destroy());
    t.equal(await ended, 0);
    t.notMatch(server.output(), /"level":"(?:error|fatal)"/);
    t.match(await runCommand(['fsck', '--data', server.dataDir]), { code: 0, stdout: 'clean\n' });
    const again = await startProgram(t, { dataDir: server.dataDir });
    for (const { answer } of staying) {
      const { package: stored } = JSON.parse((await answer).body.toString()) as Receipt;
      t.match(await jsonOf(await again.api(`/api/v1/repositories/main/packages/${stored.sha256}`)), stored);
    }
  },
);

const bigBytes = 32 * 2 ** 20;

/** Begins to download a file that is larger than all buffers on the way, and reads nothing of it. */
async function beginDownload(server: Program): Promise<IncomingMessage> {
  const path = 'apt/main/pool/b/big/big_1.0_amd64.deb';
  const file = join(server.dataDir, 'tree', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
  truncateSync(file, bigBytes);
  const [response] = (await once(get(`${server.url}/${path}`), 'response')) as [IncomingMessage];
  return response;
}

t.test('SIGTERM waits for no client that does not read, and for an upload as long as it takes', async (t) => {
  const server = await startProgram(t, { env: { ENTREPOT_STOP_GRACE: '0' } });
  const stuck = await beginDownload(server);
  const { request, answer, rest } = await beginUpload(server, 'in-time', 0);
  const ended = server.stop();
  await takesNobody(server);
  t.notOk(stuck.destroyed, 'an upload is under way: nobody is sent away yet');
  request.end(rest);
  t.equal((await answer).status, 201);
  t.equal(await ended, 0);
  const broken = once(stuck, 'error');
  stuck.resume();
  t.match(await broken, [{ code: 'ECONNRESET' }]);
});

t.test('SIGTERM lets a download come to its end while there is time', async (t) => {
  const server = await startProgram(t, { env: { ENTREPOT_STOP_GRACE: '600' } });
  const download = await beginDownload(server);
  const ended = server.stop();
  await takesNobody(server);
  let sizeBytes = 0;
  for await (const chunk of download) sizeBytes += (chunk as Buffer).length;
  t.equal(sizeBytes, bigBytes);
  t.equal(await ended, 0);
});
