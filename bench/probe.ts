/** A thread that asks for pages again and again: what it waits for is the server, not who uploads meanwhile. */
import { parentPort, workerData } from 'node:worker_threads';
import { Uploader } from '../test/uploader.ts';
import { token } from './ours.ts';

const { url, paths } = workerData as { url: string; paths: readonly string[] };
const end = new AbortController();
parentPort?.once('message', () => end.abort());

async function probe(path: string): Promise<{ path: string; ms: number[] }> {
  const client = await Uploader.open(url, token);
  const ms: number[] = [];
  while (!end.signal.aborted) {
    const start = performance.now();
    const { status } = await client.ask('GET', path);
    ms.push(performance.now() - start);
    if (status !== 200) throw new Error(`${path}: ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  client.close();
  return { path, ms };
}

parentPort?.postMessage(await Promise.all(paths.map(probe)));
