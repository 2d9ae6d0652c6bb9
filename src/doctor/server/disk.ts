/** Room for what comes, where the server writes. */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fault, good, warning, type Check, type Told } from '../finding.ts';
import type { ServerContext } from './context.ts';

const gib = 2 ** 30;
/** Less is a fault: neither the log of the catalog nor a generation may fit any more. */
const leastBytes = gib / 8;
const fewBytes = 2 * gib;
const leastInodes = 1_000;
const fewInodes = 50_000;

const inGib = (bytes: number): string => `${(bytes / gib).toFixed(1)} GiB`;

/** The folder itself, or the one that it would be made in. */
function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path));
}

function room(path: string): Told {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  const freeBytes = bavail * bsize;
  const todo = 'Make room: "entrepot gc --dry-run" says what collection would free; see retention.';
  if (freeBytes < leastBytes) return fault(path, `${inGib(freeBytes)} are free.`, todo);
  // A file system that makes inodes as it needs them says 0 of 0.
  if (files > 0 && ffree < leastInodes) return fault(path, `${ffree} inodes are free.`, todo);
  if (freeBytes < fewBytes) return warning(path, `${inGib(freeBytes)} are free.`, todo);
  if (files > 0 && ffree < fewInodes) return warning(path, `${ffree} inodes are free.`, todo);
  return good(path, `${inGib(freeBytes)} are free.`);
}

export const diskSpace: Check<ServerContext> = {
  name: 'free space',
  run: ({ config: { dataDir, store } }) => {
    const data = existing(dataDir);
    if (store.kind !== 'directory') return [room(data)];
    const tree = existing(store.path);
    return statSync(data).dev === statSync(tree).dev ? [room(data)] : [room(data), room(tree)];
  },
};

export const sameFileSystem: Check<ServerContext> = {
  name: 'file system',
  run: ({ config: { dataDir, store } }) => {
    if (store.kind !== 'directory') return [];
    const [staging, tree] = [existing(join(dataDir, 'staging')), existing(store.path)];
    return statSync(staging).dev === statSync(tree).dev
      ? [good(tree, 'Uploads are received on the file system of the tree.')]
      : [
          warning(
            tree,
            `It is on another file system than ${staging}: each package is copied once more.`,
            'Put data and store on one file system, if uploads are to be as fast as they can be.',
          ),
        ];
  },
};
