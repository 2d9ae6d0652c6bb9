/** Machines that read without a pause while a channel is published several times a second: nobody notices. */
import { Agent } from 'node:http';
import { ask } from '../ask.ts';
import { aptRoot, complaints as aptComplaints } from '../clients/apt-root.ts';
import { complaints as dnfComplaints, dnfRoot } from '../clients/dnf-root.ts';
import { download } from '../clients/roots.ts';
import { complaints as zypperComplaints, zypperRoot } from '../clients/zypper-root.ts';
import { startProgram, type TestServer } from '../server.ts';
import { readPublicKey } from '../../src/signing/keys.ts';
import type { Read } from '../served.ts';
import { startTeam } from './publish-on.ts';
import { aptReader, baseurlReader, metalinkReader, pairReader, type Reader } from './raw-readers.ts';

export type SoakReport = {
  readonly minutes: number;
  readonly publications: Readonly<Record<string, number>>;
  /** Rounds of each reader. */
  readonly reads: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
};

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** What is told at most: one fault can come a thousand times. */
const mostErrors = 20;

/** On one connection of its own that is kept, as a client's is. */
function connectionTo(t: Teardown, url: string): Read {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  return async (path) => {
    const { status, body } = await ask(url, `/${path}`, { agent });
    if (status !== 200) throw new Error(`${path}: ${status} ${body.toString().slice(0, 300)}`);
    return body;
  };
}

function takingTurns<T>(...items: readonly [T, ...T[]]): () => T {
  let turn = 0;
  return () => items[turn++ % items.length] ?? items[0];
}

async function aptMachine(t: Teardown, server: TestServer, suites: string): Promise<Reader> {
  const root = aptRoot(t);
  const sources = (await download(server, '/setup/main/stable.sources')).toString();
  root.writeSources(sources.replace(/^Suites: .*$/m, `Suites: ${suites}`));
  return async () => {
    const outcome = await root.update();
    if (outcome.code !== 0 || aptComplaints(outcome).length > 0) throw new Error(outcome.output);
  };
}

async function repoFiles(server: TestServer): Promise<string> {
  const files = ['stable-rpm', 'production-rpm'].map((channel) =>
    download(server, `/setup/main/${channel}.repo`),
  );
  return (await Promise.all(files)).join('\n');
}

async function dnfMachine(t: Teardown, server: TestServer): Promise<Reader> {
  const root = dnfRoot(t);
  root.writeRepo(await repoFiles(server));
  return async () => {
    root.forgetLogs();
    const outcome = await root.dnf('makecache', '--refresh');
    const complaints = dnfComplaints(root, outcome);
    if (outcome.code !== 0 || complaints.length > 0)
      throw new Error([outcome.output, ...complaints].join('\n'));
  };
}

async function zypperMachine(t: Teardown, server: TestServer): Promise<Reader> {
  const root = zypperRoot(t);
  root.writeRepo(await repoFiles(server));
  return async () => {
    const outcome = await root.zypper('refresh');
    if (outcome.code !== 0 || zypperComplaints(outcome).length > 0) throw new Error(outcome.output);
  };
}

async function readersOf(t: Teardown, server: TestServer): Promise<Record<string, Reader>> {
  const key = readPublicKey((await download(server, '/keys/main.asc')).toString());
  const connect = (): Read => connectionTo(t, server.url);
  const suite = takingTurns('apt/main/dists/stable', 'apt/main/dists/production', 'apt/main/dists/quiet');
  const yumChannel = takingTurns('stable-rpm', 'production-rpm');
  const pair = takingTurns(
    { document: 'apt/main/dists/stable/Release', signature: 'apt/main/dists/stable/Release.gpg' },
    {
      document: 'yum/main/stable-rpm/repodata/repomd.xml',
      signature: 'yum/main/stable-rpm/repodata/repomd.xml.asc',
    },
    { document: 'apt/main/dists/quiet/Release', signature: 'apt/main/dists/quiet/Release.gpg' },
  );
  const metalinks = metalinkReader(connect(), key, yumChannel);
  const plain = baseurlReader(connect(), yumChannel);
  return {
    'apt-get update, three channels': await aptMachine(t, server, 'stable production quiet'),
    'apt-get update': await aptMachine(t, server, 'stable'),
    'dnf makecache --refresh': await dnfMachine(t, server),
    'dnf makecache --refresh, another': await dnfMachine(t, server),
    'zypper refresh': await zypperMachine(t, server),
    'InRelease and everything by hash': aptReader(connect(), key, suite),
    'metalink, repomd.xml and everything it names': async () => {
      await metalinks();
      await plain();
    },
    'a document and the signature beside it': pairReader(connect(), key, pair),
  };
}

/** Runs for so many minutes; `tell` is called with each error as it comes. */
export async function soak(
  t: Teardown,
  minutes: number,
  tell: (error: string) => void = () => undefined,
): Promise<SoakReport> {
  // Half a minute is the shortest: a channel that nobody touches is signed again and again.
  const server = await startProgram(t, { env: { ENTREPOT_RESIGN_HOURS: '0.01' } });
  for (const [channel, format] of [
    ['production', 'apt'],
    ['quiet', 'apt'],
    ['production-rpm', 'yum'],
  ] as const) {
    const init = { method: 'PUT', body: JSON.stringify({ format }) };
    const response = await server.api(`/api/v1/repositories/main/channels/${channel}`, init);
    if (!response.ok) throw new Error(await response.text());
  }
  const errors: string[] = [];
  const fail = (who: string, error: Error): void => {
    const text = `${new Date().toISOString()} ${who}: ${error.message}`;
    tell(text);
    if (errors.length < mostErrors) errors.push(text);
  };
  const readers = await readersOf(t, server);
  const reads: Record<string, number> = {};
  const end = performance.now() + minutes * 60_000;
  const team = startTeam(server, (error) => fail('publishing', error));
  await Promise.all(
    Object.entries(readers).map(async ([name, reader]) => {
      while (performance.now() < end) {
        await reader().catch((error: unknown) => fail(name, error as Error));
        reads[name] = (reads[name] ?? 0) + 1;
      }
    }),
  );
  await team.stop();
  const code = await server.stop();
  if (code !== 0) fail('the server', new Error(`ended with ${code}`));
  if (server.output().includes('"level":"error"')) fail('the server', new Error(server.output()));
  return { minutes, publications: team.done, reads, errors };
}
