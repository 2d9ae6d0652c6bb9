/** A private PostgreSQL: Debian's programs, a cluster in a temporary directory, on loopback alone. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './server.ts';

const programsDir = '/usr/lib/postgresql';

/** The programs of the newest version that is installed; undefined for none. */
function findPrograms(): string | undefined {
  if (!existsSync(programsDir)) return undefined;
  return readdirSync(programsDir)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(programsDir, version, 'bin'))
    .find((dir) => existsSync(join(dir, 'initdb')));
}

/** For tap's `skip` option: `false` when a cluster can be started, else the reason. */
export function unlessPostgres(): string | false {
  const reason =
    findPrograms() === undefined
      ? 'PostgreSQL not installed (Debian: apt-get install postgresql)'
      : process.getuid?.() !== 0 && 'not root, who alone can start PostgreSQL as its own user';
  if (reason !== false && process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

export type Postgres = {
  readonly port: number;
  /** Makes an empty database and answers its URL. */
  readonly newDatabase: () => Promise<string>;
  /** Ends every connection and the server; `start` goes on where it was. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Halts the server as it stands, as a hung machine would, or lets it go on. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => void;
};

type Teardown = { readonly teardown: (work: () => unknown) => void };

/**
 * Starts a cluster that is gone when the test ends. It survives a crash of itself, but no power cut unless `isDurable`:
 * fsync is off.
 */
export async function startPostgres(t: Teardown, { isDurable = false } = {}): Promise<Postgres> {
  const bin = findPrograms() ?? '';
  const dir = mkdtempSync(join(tmpdir(), 'entrepot-postgres-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  // initdb and postgres refuse to run as root.
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const user = { uid: idOf('-u'), gid: idOf('-g'), cwd: dir };
  chownSync(dir, user.uid, user.gid);
  const data = join(dir, 'data');
  // A collation that does not order by code points, as most databases have: the catalog must not depend on it.
  const locale = ['--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en', '--encoding=UTF8'];
  const options = ['--no-sync', '--auth=trust', '--username=entrepot', '--no-instructions', ...locale];
  execFileSync(join(bin, 'initdb'), ['-D', data, ...options], { ...user, stdio: 'pipe' });
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories='];
  const fast = isDurable ? [] : ['fsync=off', 'full_page_writes=off'];
  const all = [...settings, ...fast, 'max_connections=60'];
  const args = ['-D', data, ...all.flatMap((setting) => ['-c', setting])];
  let server: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    const running = server;
    server = undefined;
    if (!running || running.exitCode !== null) return;
    const gone = once(running, 'exit');
    running.kill('SIGCONT');
    // "Immediate": connections are cut, as when the machine is lost.
    running.kill('SIGQUIT');
    await gone;
  };
  const start = async (): Promise<void> => {
    server = spawn(join(bin, 'postgres'), args, { ...user, stdio: 'ignore' });
    await answering(urlOf(port, 'postgres'));
  };
  t.teardown(stop);
  await start();
  let databases = 0;
  const newDatabase = async (): Promise<string> => {
    const name = `catalog_${++databases}`;
    await query(urlOf(port, 'postgres'), `CREATE DATABASE ${name}`);
    return urlOf(port, name);
  };
  return { port, newDatabase, stop, start, signal: (signal) => server?.kill(signal) };
}

function urlOf(port: number, database: string): string {
  return `postgres://entrepot@127.0.0.1:${port}/${database}`;
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** Waits for a server that is starting; it has no way to tell its parent. */
async function answering(url: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; ;) {
    try {
      await query(url, 'SELECT 1');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
