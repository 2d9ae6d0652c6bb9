/** A pooler before a PostgreSQL of the tests: PgBouncer, which hands each transaction to another connection. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './server.ts';
import type { Postgres } from './postgres.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** Connections to the server: fewer than those of one of our pools, so that they have to be shared. */
const serverConnections = 3;

/** Answers what makes the URL of a database the one that goes through the pooler. */
export async function startPgbouncer(t: Teardown, postgres: Postgres): Promise<(url: string) => string> {
  const dir = mkdtempSync(join(tmpdir(), 'entrepot-pgbouncer-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const port = await freePort();
  const settings = join(dir, 'pgbouncer.ini');
  writeFileSync(
    settings,
    `[databases]
* = host=127.0.0.1 port=${postgres.port} user=entrepot
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${serverConnections}
max_client_conn = 200
`,
  );
  // It refuses to run as root.
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const user = { uid: idOf('-u'), gid: idOf('-g') };
  for (const path of [dir, settings]) chownSync(path, user.uid, user.gid);
  const pooler = spawn('pgbouncer', [settings], { ...user, cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  pooler.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const gone = once(pooler, 'exit');
  t.teardown(async () => {
    pooler.kill('SIGKILL');
    await gone;
  });
  const pooled = (url: string): string => url.replace(`:${postgres.port}/`, `:${port}/`);
  await answering(pooled(await postgres.newDatabase()), () => said);
  return pooled;
}

/** Waits for a pooler that is starting; it has no way to tell its parent. */
async function answering(url: string, said: () => string): Promise<void> {
  for (const deadline = Date.now() + 10_000; ;) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`PgBouncer does not answer:\n${said()}`, { cause: error });
    } finally {
      await client.end().catch(() => undefined);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
