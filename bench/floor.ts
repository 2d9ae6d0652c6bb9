/**
 * The physical floor of a publication: the least that any server has to do for the same bytes with the same
 * promises. Every byte of the package and of the indexes is hashed and written, everything is made durable, the
 * same number of signatures is made with the same kind of key, and one commit record is made durable after it.
 * No parsing, no compression, no database, no HTTP; one thread, one after the other.
 */
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Cost } from './measure.ts';

/** What one upload made the server write. */
export type Written = {
  /** Each as it is written: the package and the indexes. */
  readonly files: readonly Buffer[];
  /** What is hashed besides: the plain form of each index. */
  readonly plain: readonly Buffer[];
  /** Release, repomd.xml, signatures, …: small, and many. */
  readonly texts: Buffer;
  readonly signatures: number;
};

/** The files below a folder by their paths; links are not followed (`recursive` of readdir does). */
export function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}

/** What a publication wrote, from the files that are new in the tree. */
export function writtenBy(paths: Iterable<string>, packageFile: Buffer, format: 'apt' | 'yum'): Written {
  const files: Buffer[] = [packageFile];
  const plain: Buffer[] = [];
  const texts: Buffer[] = [];
  const signatures = new Set<string>();
  for (const path of paths) {
    const content = readFileSync(path);
    if (content.readUInt16BE(0) === 0x1f8b) {
      files.push(content);
      plain.push(gunzipSync(content));
      continue;
    }
    texts.push(content);
    const [signature] = /-----BEGIN PGP SIGNATURE[^]*/.exec(content.toString()) ?? [];
    if (signature !== undefined) signatures.add(signature);
  }
  // An rpm carries one more, over its header.
  const inside = format === 'yum' ? 1 : 0;
  return { files, plain, texts: Buffer.concat(texts), signatures: signatures.size + inside };
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });

/** Does the least, in a folder of its own on the same disk, and says what it took. */
export function floorOf({ files, plain, texts, signatures }: Written, parent: string): Cost {
  const dir = mkdtempSync(join(parent, 'floor-'));
  const before = process.cpuUsage();
  const started = performance.now();
  for (const content of [...plain, ...files]) hash('sha256', content);
  for (let i = 0; i < signatures; i++) sign('sha256', texts, privateKey);
  const durable = (name: string, content: Uint8Array): void => {
    const file = openSync(join(dir, name), 'wx');
    for (let done = 0; done < content.length;) done += writeSync(file, content, done);
    fsyncSync(file);
    closeSync(file);
  };
  files.forEach((content, i) => durable(`file-${i}`, content));
  durable('texts', texts);
  durable('commit', Buffer.alloc(512));
  const wallMs = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  rmSync(dir, { recursive: true });
  return { wallMs, cpuMs: (user + system) / 1000, peakKiB: 0 };
}
