/** The end of a server that has much to do. */
import { once } from 'node:events';
import t from 'tap';
import { beginRequest } from '../ask.ts';
import { debSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { adminToken, startProgram } from '../server.ts';

t.setTimeout(60_000);

t.test(
  'SIGTERM under load: every upload in flight is answered, and clients that went leave no trace',
  async (t) => {
    const server = await startProgram(t);
    const begin = async (name: string) => {
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
      request.write(bytes.subarray(0, 100));
      return { request, answer, rest: bytes.subarray(100) };
    };
    const all = (prefix: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, number) => begin(`${prefix}-${number}`)));
    const [staying, going] = await Promise.all([all('staying', 64), all('going', 16)]);
    const ended = server.stop();
    for (;;)
      try {
        await (await fetch(`${server.url}/healthz`)).text();
      } catch {
        break;
      }
    for (const { request, rest } of staying) request.end(rest);
    for (const { status, body } of await Promise.all(staying.map(({ answer }) => answer)))
      t.equal(status, 201, body.toString());
    // Those who go do so with their last byte: their packages are being recorded when no connection is left.
    for (const { request, rest } of going) request.end(rest, () => request.destroy());
    t.equal(await ended, 0);
    t.notMatch(server.output(), /"level":"(?:error|fatal)"/);
    t.match(await runCommand(['fsck', '--data', server.dataDir]), { code: 0, stdout: 'clean\n' });
  },
);
