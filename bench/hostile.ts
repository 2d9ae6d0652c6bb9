/** What other requests notice while bombs are uploaded. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { buildAr, buildTar, compressAs, controlTar } from '../test/build-deb.ts';
import { corpusFiles, unlessCorpus } from '../test/corpus.ts';
import { token, type Ours } from './ours.ts';

const MiB = 2 ** 20;

export type Latencies = { readonly path: string; readonly ms: readonly number[] };
export type Bomb = { readonly name: string; readonly bytes: Buffer };

/**
 * 100 MiB of xz that unpack to nearly 300 times as much, which stays below the ratio at which a package is refused
 * at once: one block of zeros with some noise in it, over and over.
 */
function xzBomb(): Bomb {
  const content = Buffer.alloc(16 * MiB);
  randomBytes(54 * 1024).copy(content);
  // The archive is one file that goes on for longer: nothing but its size can be held against it.
  const size = Buffer.alloc(12);
  size[0] = 0x80;
  size.writeBigUInt64BE(2n ** 35n, 4);
  const header = buildTar([{ name: './noise', size }], 0);
  const first = execFileSync('xz', ['-6', '-T1', '--check=crc32'], { input: header, maxBuffer: MiB });
  const packed = execFileSync('xz', ['-6', '-T1', '--check=crc32'], { input: content, maxBuffer: MiB });
  // Stream header of 12 bytes, blocks, index, footer of 12 bytes, which says how long the index is (xz format 2.1).
  const blockOf = (xz: Buffer): Buffer =>
    xz.subarray(12, xz.length - 12 - 4 * (xz.readUInt32LE(xz.length - 8) + 1));
  const block = blockOf(packed);
  const member = Buffer.concat([
    packed.subarray(0, 12),
    blockOf(first),
    ...Array.from({ length: Math.floor((100 * MiB) / block.length) }, () => block),
  ]);
  const control = compressAs('gzip', controlTar({ control: { Package: 'bomb' }, md5sums: false }));
  const bytes = buildAr([
    { name: 'debian-binary', data: '2.0\n' },
    { name: 'control.tar.gz', data: control },
    { name: 'data.tar.xz', data: member },
  ]);
  return { name: 'bomb-data-xz-100MiB.deb', bytes };
}

/** Every hostile package that there is, the bombs first. */
export function bombs(): Bomb[] {
  const corpus = unlessCorpus === false ? corpusFiles('bad') : [];
  const chosen = corpus.filter((path) => /bomb.*\.(deb|rpm)$/.test(basename(path)));
  return [xzBomb(), ...chosen.map((path) => ({ name: basename(path), bytes: readFileSync(path) }))];
}

const asked = ['/healthz', '/apt/main/dists/stable/InRelease'];

/** Latencies while `work` runs, in a thread that has nothing else to do. */
export async function latenciesDuring(ours: Ours, work: () => Promise<unknown>): Promise<Latencies[]> {
  const thread = new Worker(new URL('./probe.ts', import.meta.url), {
    workerData: { url: ours.url, paths: asked },
  });
  const found = once(thread, 'message');
  await work();
  thread.postMessage('end');
  const [latencies] = (await found) as [Latencies[]];
  return latencies;
}

/** Uploads each bomb, four at a time; answers the codes that they were refused with. */
export async function uploadBombs(ours: Ours, list: readonly Bomb[]): Promise<Map<string, number>> {
  const codes = new Map<string, number>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let bomb = list[next++]; bomb !== undefined; bomb = list[next++]) {
      const channel = bomb.name.endsWith('.rpm') ? 'stable-rpm' : 'stable';
      const response = await fetch(
        `${ours.url}/api/v1/repositories/main/channels/${channel}/packages/${bomb.name}`,
        { method: 'PUT', headers: { authorization: `Bearer ${token}` }, body: new Uint8Array(bomb.bytes) },
      );
      const { code = 'taken' } = (await response.json()) as { code?: string };
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  return codes;
}
