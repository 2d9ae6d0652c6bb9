/** This server as a contender: the program itself, asked over HTTP. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { freePort, placeTestKey } from '../test/server.ts';
import { processCost } from './measure.ts';
import type { Contender } from './peers.ts';
import type { Sample } from './samples.ts';

const token = 'token-of-the-benches';

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
  const contender = (format: 'apt' | 'yum', channel: string): Contender => {
    const send = (sample: Sample): Promise<void> => put(agent, url, channel, sample);
    return {
      name: 'entrepot',
      format,
      fill: (samples) => concurrently(64, samples, send),
      add: async (sample) => {
        const before = processCost(pid);
        const started = performance.now();
        await send(sample);
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
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
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

async function put(agent: Agent, url: string, channel: string, { path, filename }: Sample): Promise<void> {
  const bytes = readFileSync(path);
  const target = `${url}/api/v1/repositories/main/channels/${channel}/packages/${encodeURIComponent(filename)}`;
  await new Promise<void>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-length': bytes.length };
    const asked = request(target, { method: 'PUT', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode === 201 || response.statusCode === 200) resolve();
        else reject(new Error(`${filename}: ${text}`));
      });
    });
    asked.on('error', reject);
    asked.end(bytes);
  });
}
