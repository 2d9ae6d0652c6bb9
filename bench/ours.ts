/** This server as a contender: the program itself, asked over HTTP. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort, placeTestKey } from '../test/server.ts';
import { processCost } from './measure.ts';
import type { Contender } from './peers.ts';
import type { Sample } from './samples.ts';

export const token = 'token-of-the-benches';

export type Ours = {
  readonly apt: Contender;
  readonly yum: Contender;
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
};

/** Starts the server on an empty directory, with a key of the size that everybody has. */
export async function startOurs(dataDir: string, env: Record<string, string> = {}): Promise<Ours> {
  placeTestKey(dataDir);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [join(import.meta.dirname, '../src/entrepot.js'), 'serve'], {
    env: {
      PATH: process.env['PATH'],
      ENTREPOT_DATA: dataDir,
      ENTREPOT_LISTEN: `127.0.0.1:${port}`,
      ENTREPOT_PUBLIC_URL: url,
      ENTREPOT_ADMIN_TOKEN: token,
      ENTREPOT_LOG_LEVEL: 'warn',
      // As its packages start it: packaging/debian/entrepot.
      MALLOC_ARENA_MAX: '2',
      NODE_OPTIONS: '--max-semi-space-size=4',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the server did not start');
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    try {
      if ((await fetch(`${url}/readyz`)).ok) break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const lines: { apt?: Line; yum?: Line } = {};
  const contender = (format: 'apt' | 'yum', channel: string): Contender => {
    return {
      name: 'entrepot',
      format,
      fill: (samples) => stageAndPublish(agent, url, channel, samples),
      add: async (sample) => {
        const request = writeRequest(url, channel, sample);
        lines[format] ??= await connectTo(port);
        const before = processCost(pid);
        const started = performance.now();
        await exchange(lines[format], request);
        const wallMs = performance.now() - started;
        const after = processCost(pid);
        return { wallMs, cpuMs: after.cpuMs - before.cpuMs, peakKiB: after.peakKiB };
      },
    };
  };
  return {
    apt: contender('apt', 'stable'),
    yum: contender('yum', 'stable-rpm'),
    url,
    dataDir,
    pid,
    stop: async () => {
      agent.destroy();
      for (const { socket } of Object.values(lines)) socket.destroy();
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** An upload as it goes over the wire: what a client's library takes is no part of what is measured. */
function writeRequest(url: string, channel: string, { path, filename }: Sample): Buffer {
  const body = readFileSync(path);
  const target = `/api/v1/repositories/main/channels/${channel}/packages/${encodeURIComponent(filename)}`;
  const head = [
    `PUT ${target} HTTP/1.1`,
    `Host: ${new URL(url).host}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/octet-stream',
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

/** `gone` is aborted when the server ends the connection. */
type Line = { readonly socket: Socket; readonly gone: AbortSignal };

async function connectTo(port: number): Promise<Line> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  return { socket, gone: closed.signal };
}

/** Sends a request on a connection that is kept, and waits for the last byte of its answer. Throws unless it is 201. */
async function exchange({ socket, gone }: Line, request: Buffer): Promise<void> {
  socket.write(request);
  let answer = '';
  for (;;) {
    const [chunk] = (await once(socket, 'data', { signal: gone })) as [Buffer];
    answer += chunk.toString('latin1');
    const [head, length] = /^HTTP[^]*?\r\ncontent-length: (\d+)[^]*?\r\n\r\n/i.exec(answer) ?? [];
    if (head === undefined || answer.length < head.length + Number(length)) continue;
    if (!answer.startsWith('HTTP/1.1 201 ')) throw new Error(answer);
    return;
  }
}

/** Works through a list with so many at a time. */
export async function concurrently<T>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Uploads in one publication: what is staged is cheap, and the channel gets one generation for many packages. */
const packagesPerPublication = 2000;

async function stageAndPublish(
  agent: Agent,
  url: string,
  channel: string,
  samples: readonly Sample[],
): Promise<void> {
  for (let start = 0; start < samples.length; start += packagesPerPublication) {
    const add: string[] = [];
    await concurrently(16, samples.slice(start, start + packagesPerPublication), async (sample) => {
      const reply = await put(agent, `${url}/api/v1/repositories/main/uploads/`, sample);
      add.push((JSON.parse(reply) as { package: { sha256: string } }).package.sha256);
    });
    const target = `${url}/api/v1/repositories/main/channels/${channel}/publications`;
    // Packages whose dependencies come later are not installable until then: the guard-rails say so.
    await ask(agent, 'POST', target, JSON.stringify({ add, force: true }), 'application/json');
  }
}

async function put(agent: Agent, base: string, { path, filename }: Sample): Promise<string> {
  const target = `${base}${encodeURIComponent(filename)}`;
  return await ask(agent, 'PUT', target, readFileSync(path), 'application/octet-stream');
}

async function ask(
  agent: Agent,
  method: string,
  url: string,
  body: Buffer | string,
  type: string,
): Promise<string> {
  return await new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': type,
      'content-length': Buffer.byteLength(body),
    };
    const asked = request(url, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode === 201 || response.statusCode === 200) resolve(text);
        else reject(new Error(`${method} ${url}: ${text}`));
      });
    });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      // The server had just closed a connection that was idle for some seconds.
      if (asked.reusedSocket && error.code === 'ECONNRESET') resolve(ask(agent, method, url, body, type));
      else reject(error);
    });
    asked.end(body);
  });
}
