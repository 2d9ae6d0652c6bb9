/** Servers for tests: in this process, with the clock in the test's hands, or as the real program. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp, type App } from '../src/app.ts';
import { systemClock, type Clock } from '../src/clock.ts';
import { loadConfig } from '../src/config.ts';
import { createServer } from '../src/http/server.ts';
import { createLogger } from '../src/logger.ts';
import { initialise } from '../src/registry/initialise.ts';
import { showPins } from '../src/registry/pins.ts';
import { databaseUrlOf } from './catalogs.ts';
import { entryPoint, ownEnvironment } from './program.ts';
import { testKeysDir } from './signing-key.ts';

export const adminToken = 'admin-token-of-the-tests';

/** What a test can do with a server, wherever it runs. */
export type TestServer = {
  readonly url: string;
  readonly dataDir: string;
  /** A request with the admin token, unless the headers say otherwise. */
  readonly api: (path: string, init?: RequestInit) => Promise<Response>;
  /** Uploads into a channel of the repository `main` and answers the response. */
  readonly upload: (channel: string, filename: string, bytes: Uint8Array) => Promise<Response>;
};

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** An empty directory that is gone when the test ends. */
export function temporaryDir(t: Teardown, name = 'entrepot-test-'): string {
  const dir = mkdtempSync(join(tmpdir(), name));
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}

export async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const address = socket.address();
  socket.close();
  await once(socket, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return address.port;
}

/** The throw-away key in place of one that would take seconds to make: a start takes up a key file it finds. */
export function placeTestKey(dataDir: string, repository = 'main'): void {
  mkdirSync(join(dataDir, 'keys'), { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'keys', `${repository}.asc`);
  copyFileSync(join(testKeysDir, 'first-signing-key.asc'), path);
  chmodSync(path, 0o600);
}

function clientOf(url: string, dataDir: string): TestServer {
  const api = (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${adminToken}`);
    if (typeof init.body === 'string' && !headers.has('content-type'))
      headers.set('content-type', 'application/json');
    return fetch(`${url}${path}`, { ...init, headers });
  };
  const upload = (channel: string, filename: string, bytes: Uint8Array): Promise<Response> =>
    api(`/api/v1/repositories/main/channels/${channel}/packages/${encodeURIComponent(filename)}`, {
      method: 'PUT',
      body: new Uint8Array(bytes),
    });
  return { url, dataDir, api, upload };
}

export type InProcess = TestServer & { readonly app: App; readonly close: () => Promise<void> };

/**
 * A listening server in this process with the repository `main` and its channels `stable` (apt) and
 * `stable-rpm` (yum).
 */
export async function startInProcess(
  t: Teardown,
  options: {
    clock?: Clock;
    dataDir?: string;
    settings?: Record<string, unknown>;
    environment?: NodeJS.ProcessEnv;
  } = {},
): Promise<InProcess> {
  const dataDir = options.dataDir ?? temporaryDir(t);
  placeTestKey(dataDir);
  const port = await freePort();
  const config = loadConfig(
    {
      data: dataDir,
      listen: `127.0.0.1:${port}`,
      log_level: 'silent',
      database_url: await databaseUrlOf(dataDir),
      ...options.settings,
    },
    options.environment ?? {},
  );
  const url = `http://127.0.0.1:${port}`;
  const app = await createApp({
    config,
    log: createLogger('silent'),
    publicUrl: config.publicUrl ?? url,
    clock: options.clock ?? systemClock,
  });
  if ((await app.db.selectFrom('tokens').select('id').execute()).length === 0)
    await initialise(app, adminToken);
  await app.publisher.recover();
  await app.setupFiles.writeAll();
  await app.visibility.writeAll();
  await showPins(app);
  const server = await createServer(app);
  await server.listen({ host: '127.0.0.1', port });
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    // Answers that a test left unread would keep their connections open.
    server.server.closeAllConnections();
    await server.close();
    await app.close();
  };
  t.teardown(close);
  return { ...clientOf(url, dataDir), app, close };
}

export type Program = TestServer & {
  readonly child: ChildProcess;
  /** What it has written so far, on both outputs. */
  readonly output: () => string;
  /** Asks it to end and waits; answers the exit code. */
  readonly stop: () => Promise<number | null>;
  /** Ends it as a power cut would, and waits until it is gone. */
  readonly kill: () => Promise<void>;
};

/** The program itself, as `npm start` runs it, once it answers. */
export async function startProgram(
  t: Teardown,
  options: {
    dataDir?: string;
    port?: number;
    env?: Record<string, string>;
    wrap?: readonly string[];
    program?: readonly string[];
  } = {},
): Promise<Program> {
  const dataDir = options.dataDir ?? temporaryDir(t);
  placeTestKey(dataDir);
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const program = options.program ?? [process.execPath, entryPoint];
  const [command, ...args] = [...(options.wrap ?? []), ...program, 'serve'];
  const child = spawn(command, args, {
    env: {
      ...ownEnvironment,
      ENTREPOT_DATA: dataDir,
      ENTREPOT_LISTEN: `127.0.0.1:${port}`,
      ENTREPOT_PUBLIC_URL: url,
      ENTREPOT_ADMIN_TOKEN: adminToken,
      ENTREPOT_LOG_LEVEL: 'warn',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const gone = once(child, 'exit').then(() => child.exitCode);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return await gone;
  };
  t.teardown(() => end('SIGKILL'));
  await Promise.race([
    answering(url),
    gone.then((code) => Promise.reject(new Error(`the server ended with ${code}:\n${output}`))),
  ]);
  return {
    ...clientOf(url, dataDir),
    child,
    output: () => output,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

/** Waits for a server that is starting; the process itself has no way to tell its parent. */
async function answering(url: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      if ((await fetch(`${url}/readyz`)).ok) return;
    } catch {
      // Not listening yet.
    }
    if (Date.now() > deadline) throw new Error(`${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
