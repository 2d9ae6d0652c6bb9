/** Several nodes of the real program on one catalog and one published tree, and clients that go on at another one. */
import { join } from 'node:path';
import { readApt, readFrom, sha256 } from '../served.ts';
import type { Sample } from '../packages.ts';
import type { Postgres } from '../postgres.ts';
import { freePort, placeTestKey, startProgram, temporaryDir, type Program } from '../server.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };
type Role = 'all' | 'api' | 'publish' | 'read';

export type Nodes = {
  /** Where the shared tree is, as `ENTREPOT_STORE` has it. */
  readonly store: string;
  readonly start: (role: Role) => Promise<Program>;
};

/** `store`: a directory or bucket that all share; `env`: what the programs need to reach it. */
export async function openNodes(
  t: Teardown,
  postgres: Postgres,
  { store, env = {} }: { store?: string; env?: Record<string, string> } = {},
): Promise<Nodes> {
  const shared = temporaryDir(t);
  placeTestKey(shared);
  const database = await postgres.newDatabase();
  const tree = store ?? join(shared, 'tree');
  // That of a balancer in front of them; nobody asks it here.
  const publicUrl = `http://127.0.0.1:${await freePort()}`;
  const start = async (role: Role): Promise<Program> =>
    await startProgram(t, {
      env: {
        ENTREPOT_ROLE: role,
        ENTREPOT_PUBLIC_URL: publicUrl,
        ENTREPOT_STORE: tree,
        ...(role === 'read' ? {} : { ENTREPOT_DATABASE_URL: database, ENTREPOT_KEYS: join(shared, 'keys') }),
        ...env,
      },
    });
  return { store: tree, start };
}

export type Uploads = {
  /** In milliseconds: from the loss of a node to the first upload that another one took in its place. */
  readonly failoverMs: number;
  /** Generations in which the receipts say that the packages are. */
  readonly generations: readonly number[];
};

/** Uploads all samples through two nodes, several at once, and ends the first half way; its clients go to the other. */
export async function uploadThrough(
  [lost, other]: readonly [Program, Program],
  samples: readonly Sample[],
  clients: number,
): Promise<Uploads> {
  const waiting = samples.map((sample, i) => ({ sample, node: i % 2 === 0 ? lost : other }));
  const generations: number[] = [];
  let done = 0;
  let killedAt: number | null = null;
  const failovers: number[] = [];
  const client = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      let { node } = next;
      for (;;) {
        try {
          const response = await node.upload('stable', next.sample.filename, next.sample.bytes);
          const text = await response.text();
          if (!response.ok) throw new Error(`${response.status} ${text}`);
          generations.push((JSON.parse(text) as { generation: number }).generation);
          break;
        } catch (error) {
          // One that is refused by a node that is there is a failure of the test.
          if (node === other) throw error;
          node = other;
        }
      }
      if (killedAt !== null && node !== next.node) failovers.push(performance.now() - killedAt);
      done += 1;
      if (done === Math.floor(samples.length / 2)) {
        killedAt = performance.now();
        await lost.kill();
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const [failoverMs] = failovers;
  if (failoverMs === undefined) throw new Error('nobody had to go to the other node');
  return { failoverMs, generations };
}

/** What is served at `url`: names by the digests of the files that the index names, each of which is fetched. */
export async function servedNames(url: string): Promise<string[]> {
  const read = readFrom(url);
  const names: string[] = [];
  for (const { name, path, sha256: digest } of await readApt(read, 'main', 'stable')) {
    if (sha256(await read(path)) !== digest) throw new Error(`${path} is not what its index says`);
    names.push(name);
  }
  return names.sort();
}

/** The numbers of all generations of the channel, the oldest first. */
export async function generationsOf(node: Program): Promise<number[]> {
  const numbers: number[] = [];
  for (let before = ''; ;) {
    const response = await node.api(
      `/api/v1/repositories/main/channels/stable/generations?limit=100${before}`,
    );
    const page = (await response.json()) as { generations: { generation: number }[] };
    numbers.push(...page.generations.map(({ generation }) => generation));
    const last = page.generations.at(-1);
    if (!last || page.generations.length < 100) return numbers.reverse();
    before = `&before=${last.generation}`;
  }
}
