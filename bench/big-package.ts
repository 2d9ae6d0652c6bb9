/**
 * A .deb of 200 MiB with the libraries of this machine in it, and how long it takes to be taken in, beside what
 * any reader of it has to do at least: `xz -dc | sha256sum` on its data member.
 */
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildAr, compressAs, controlTar } from '../test/build-deb.ts';
import { costOf } from './measure.ts';
import { token, type Ours } from './ours.ts';
import { Uploader } from '../test/uploader.ts';

const MiB = 2 ** 20;
/** Installed; packed by xz that gives about 200 MiB. */
const rawBytes = 650 * MiB;

/** Files of this machine, so many bytes of them, as paths without the leading slash. */
function* someFiles(dir: string): Generator<{ path: string; sizeBytes: number }> {
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name);
    const stat = lstatSync(path);
    if (stat.isDirectory()) yield* someFiles(path);
    else if (stat.isFile() && stat.nlink === 1) yield { path: path.slice(1), sizeBytes: stat.size };
  }
}

/** Writes `data.tar.xz` into a folder and answers its path. */
export function makeDataMember(dir: string): string {
  const names: string[] = [];
  let bytes = 0;
  for (const { path, sizeBytes } of someFiles('/usr/lib')) {
    if (bytes >= rawBytes) break;
    names.push(`./${path}`);
    bytes += sizeBytes;
  }
  const list = join(dir, 'files');
  const member = join(dir, 'data.tar.xz');
  writeFileSync(list, names.join('\n'));
  execFileSync('sh', [
    '-ec',
    'tar -C / --format=gnu --owner=0 --group=0 -T "$0" -cf - | xz -1 -T1 > "$1"',
    list,
    member,
  ]);
  return member;
}

function bigDeb(member: Buffer, version: string): Buffer {
  const control = compressAs(
    'gzip',
    controlTar({ control: { Package: 'big', Version: version }, md5sums: false }),
  );
  return buildAr([
    { name: 'debian-binary', data: '2.0\n' },
    { name: 'control.tar.gz', data: control },
    { name: 'data.tar.xz', data: member },
  ]);
}

export type BigRun = { readonly floorMs: number; readonly uploadMs: number };

/** The two in turn, `rounds` times; each upload is another version. */
export async function measureBig(
  ours: Ours,
  dir: string,
  rounds: number,
): Promise<{ sizeBytes: number; runs: BigRun[] }> {
  const path = makeDataMember(dir);
  const member = readFileSync(path);
  const uploader = await Uploader.open(ours.url, token);
  const runs: BigRun[] = [];
  for (let round = 0; round <= rounds; round++) {
    const { wallMs: floorMs } = await costOf(`xz -dc '${path}' | sha256sum`, {}, dir);
    const bytes = bigDeb(member, `1.${round}`);
    const start = performance.now();
    const { status, body } = await uploader.ask(
      'PUT',
      `/api/v1/repositories/main/channels/stable/packages/big_1.${round}_amd64.deb`,
      bytes,
    );
    const uploadMs = performance.now() - start;
    if (status !== 201) throw new Error(`the big package: ${status} ${body}`);
    // The first round warms caches and is not counted.
    if (round > 0) runs.push({ floorMs, uploadMs });
  }
  uploader.close();
  return { sizeBytes: member.length, runs };
}
