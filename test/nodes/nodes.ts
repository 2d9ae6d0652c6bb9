/** Several nodes of the real program on one catalog and one published tree, and clients that go on at another one. */
import { join } from 'node:path';
import { jsonOf } from '../ask.ts';
import type { Sample } from '../packages.ts';
import type { Postgres } from '../postgres.ts';
import { readApt, readFrom, readPackage, readYum } from '../served.ts';
import { freePort, placeTestKey, startProgram, temporaryDir, type Program } from '../server.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };
type Role = 'all' | 'api' | 'publish' | 'read';

export type Nodes = {
  /** That of a balancer in front of them; nobody asks it here. Set-up files name it. */
  readonly publicUrl: string;
  /** The URL of the catalog. */
  readonly database: string;
  readonly start: (role: Role) => Promise<Program>;
};

/** The tree that all nodes share: what `ENTREPOT_STORE` says, and what else the programs need to reach it. */
export type SharedStore = { readonly store: string; readonly env: Readonly<Record<string, string>> };

/** `shared`: a bucket; without one the tree is in a directory. */
export async function openNodes(t: Teardown, postgres: Postgres, shared?: SharedStore): Promise<Nodes> {
  const dir = temporaryDir(t);
  placeTestKey(dir);
  const database = await postgres.newDatabase();
  const publicUrl = `http://127.0.0.1:${await freePort()}`;
  const start = async (role: Role): Promise<Program> =>
    await startProgram(t, {
      env: {
        ENTREPOT_ROLE: role,
        ENTREPOT_PUBLIC_URL: publicUrl,
        ENTREPOT_STORE: shared?.store ?? join(dir, 'tree'),
        ...(role === 'read' ? {} : { ENTREPOT_DATABASE_URL: database, ENTREPOT_KEYS: join(dir, 'keys') }),
        ...shared?.env,
      },
    });
  return { publicUrl, database, start };
}

export type Channel = 'stable' | 'stable-rpm';
export const channels: readonly Channel[] = ['stable', 'stable-rpm'];

export type Upload = Sample & { readonly channel: Channel };

/** All times in milliseconds. */
export type Uploaded = {
  /** From the first request to the last receipt, and the part of it before the loss. */
  readonly tookMs: number;
  readonly beforeLossMs: number;
  /** From the loss to the first receipt, and to the last, of the uploads that the lost node had not answered. */
  readonly firstTakenMs: number;
  readonly lastTakenMs: number;
  /** The longest that one request was under way. */
  readonly longestMs: number;
  /** By channel: generations in which the receipts say that the packages are. */
  readonly generations: ReadonlyMap<Channel, readonly number[]>;
};

/**
 * Uploads everything through two nodes, so many at once, and kills the first half way; its clients send the same
 * again to the other. Throws when one is refused by a node that is there.
 */
export async function uploadThrough(
  [lost, other]: readonly [Program, Program],
  uploads: readonly Upload[],
  clients: number,
): Promise<Uploaded> {
  const waiting = uploads.map((upload, i) => ({ upload, isFirst: i % 2 === 0 }));
  const generations = new Map<Channel, number[]>(channels.map((channel) => [channel, []]));
  const begunAt = performance.now();
  let lostAt = Infinity;
  let longestMs = 0;
  const takenMs: number[] = [];
  let done = 0;
  const send = async (node: Program, { channel, filename, bytes }: Upload): Promise<number> => {
    const sentAt = performance.now();
    const receipt = await jsonOf<{ generation: number }>(await node.upload(channel, filename, bytes));
    longestMs = Math.max(longestMs, performance.now() - sentAt);
    return receipt.generation;
  };
  const unlessLost = (error: unknown): null => {
    if (lostAt === Infinity) throw error;
    return null;
  };
  const client = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { upload, isFirst } = next;
      const begun = performance.now();
      let generation = isFirst ? await send(lost, upload).catch(unlessLost) : null;
      if (generation === null) {
        generation = await send(other, upload);
        // Of those that were under way when it was lost; later ones find nobody there, and lose no time.
        if (isFirst && begun < lostAt) takenMs.push(performance.now() - lostAt);
      }
      generations.get(upload.channel)?.push(generation);
      done += 1;
      if (done === Math.floor(uploads.length / 2)) {
        lostAt = performance.now();
        await lost.kill();
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  if (takenMs.length === 0) throw new Error('nobody had to go to the other node');
  return {
    tookMs: performance.now() - begunAt,
    beforeLossMs: lostAt - begunAt,
    firstTakenMs: Math.min(...takenMs),
    lastTakenMs: Math.max(...takenMs),
    longestMs,
    generations,
  };
}

/** Names of what machines are served at `url` in both channels; every file is fetched and held against its index. */
export async function servedNames(url: string): Promise<string[]> {
  const read = readFrom(url);
  const packages = [
    ...(await readApt(read, 'main', 'stable')),
    ...(await readYum(read, 'main', 'stable-rpm')),
  ];
  for (const entry of packages) await readPackage(read, entry);
  return packages.map(({ name }) => name).sort();
}

/** The numbers of all generations of a channel, the oldest first. */
export async function generationsOf(node: Program, channel: Channel): Promise<number[]> {
  const numbers: number[] = [];
  for (let before = ''; ;) {
    const path = `/api/v1/repositories/main/channels/${channel}/generations?limit=100${before}`;
    const page = await jsonOf<{ generations: { generation: number }[] }>(await node.api(path));
    numbers.push(...page.generations.map(({ generation }) => generation));
    const last = page.generations.at(-1);
    if (!last || page.generations.length < 100) return numbers.reverse();
    before = `&before=${last.generation}`;
  }
}
