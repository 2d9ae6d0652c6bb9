/** Memory stays flat whatever the size of an upload: what is large goes from the socket to the disk. */
import { existsSync, readFileSync, readdirSync, statfsSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { beginRequest, type Answer } from '../ask.ts';
import { buildAr, buildTar, compressAs, controlTar } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import { debSample, rpmSample } from '../packages.ts';
import { adminToken, startProgram, type Program } from '../server.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
/** Far above what buffers take, far below any of the files. */
const allowedGrowth = 256 * MiB;

const room = statfsSync(tmpdir());
const skip =
  (!existsSync('/proc/self/status') && 'needs /proc') ||
  (room.bavail * room.bsize < 6 * GiB && 'needs 6 GiB of disk for a while') ||
  false;

t.setTimeout(300_000);

/** The most memory that a process has ever held, in bytes. */
function peakBytes({ child }: Program): number {
  const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** A package that installs one file of this many zeros, uncompressed: what comes before and after them. */
function hugeDeb(name: string, sizeBytes: number): { head: Buffer; tail: Buffer } {
  const control = controlTar({ control: { Package: name }, md5sums: false });
  const entry = buildTar(
    [
      { name: './', type: '5' },
      { name: './zeros', size: sizeBytes.toString(8).padStart(11, '0') },
    ],
    0,
  );
  const padding = (512 - (sizeBytes % 512)) % 512;
  const tail = Buffer.alloc(padding + 1024);
  const archive = buildAr([
    { name: 'debian-binary', data: '2.0\n' },
    { name: 'control.tar.gz', data: compressAs('gzip', control) },
    { name: 'data.tar', data: '', size: String(entry.length + sizeBytes + tail.length) },
  ]);
  return { head: Buffer.concat([archive, entry]), tail };
}

async function uploadZeros(
  server: Program,
  { head, tail }: { head: Buffer; tail: Buffer },
  sizeBytes: number,
): Promise<Answer> {
  const { request, answer } = beginRequest(
    server.url,
    '/api/v1/repositories/main/channels/stable/packages/huge.deb',
    {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${adminToken}`,
        'content-length': String(head.length + sizeBytes + tail.length),
      },
    },
  );
  const chunk = Buffer.alloc(MiB);
  request.write(head);
  for (let sent = 0; sent < sizeBytes; sent += chunk.length)
    if (!request.write(chunk)) await once(request, 'drain');
  request.end(tail);
  return await answer;
}

/** A server that has read one package of each format, so that everything it needs at all is in memory. */
async function warmServer(t: Test): Promise<Program> {
  const server = await startProgram(t);
  for (const [channel, { filename, bytes }] of [
    ['stable', debSample('warm')],
    ['stable', debSample('warmer')],
    ['stable-rpm', rpmSample('warm')],
    ['stable-rpm', rpmSample('warmer')],
  ] as const)
    t.equal((await server.upload(channel, filename, bytes)).status, 201);
  return server;
}

t.test('a .deb of 2 GiB', { skip }, async (t) => {
  const server = await warmServer(t);
  const before = peakBytes(server);
  const start = Date.now();
  const answer = await uploadZeros(server, hugeDeb('huge', 2 * GiB), 2 * GiB);
  const seconds = (Date.now() - start) / 1000;
  t.equal(answer.status, 201, answer.body.toString());
  const growth = peakBytes(server) - before;
  t.ok(growth < allowedGrowth, `memory grew by ${Math.round(growth / MiB)} MiB`);
  t.ok(seconds < 120, `took ${seconds.toFixed(1)} s`);
  t.comment(`2 GiB in ${seconds.toFixed(1)} s, memory grew by ${Math.round(growth / MiB)} MiB`);

  const { url } = JSON.parse(answer.body.toString()) as { url: string };
  let received = 0;
  const response = await fetch(url);
  for await (const chunk of response.body ?? []) received += (chunk as Uint8Array).length;
  t.ok(received > 2 * GiB);
  t.ok(peakBytes(server) - before < allowedGrowth, 'nor does it grow while the file is served');
});

t.test('a .deb of 1 GiB that is refused at its end', { skip }, async (t) => {
  const server = await warmServer(t);
  const before = peakBytes(server);
  const { head, tail } = hugeDeb('broken', GiB);
  // The end of the archive of files is missing, and is told to be there.
  const answer = await uploadZeros(server, { head, tail: tail.subarray(0, tail.length - 512) }, GiB);
  t.equal(answer.status, 422, answer.body.toString());
  t.match(JSON.parse(answer.body.toString()), { code: 'archive_truncated' });
  const growth = peakBytes(server) - before;
  t.ok(growth < allowedGrowth, `memory grew by ${Math.round(growth / MiB)} MiB`);
  t.same(readdirSync(join(server.dataDir, 'staging')), []);
});

t.test('an .rpm of 384 MiB, which is written again with its signature', { skip }, async (t) => {
  const server = await warmServer(t);
  const before = peakBytes(server);
  const bytes = buildRpm({
    name: 'huge',
    compression: 'none',
    files: [{ path: '/opt/zeros', content: Buffer.alloc(384 * MiB) }],
  });
  const response = await server.upload('stable-rpm', 'huge.rpm', bytes);
  t.equal(response.status, 201, await response.text());
  const growth = peakBytes(server) - before;
  t.ok(growth < allowedGrowth, `memory grew by ${Math.round(growth / MiB)} MiB`);
  t.comment(`memory grew by ${Math.round(growth / MiB)} MiB`);
});
