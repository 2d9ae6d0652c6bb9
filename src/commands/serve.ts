import { rm, writeFile } from 'node:fs/promises';
import { createServer as createSocket } from 'node:net';
import { join } from 'node:path';
import process, { exit, stdin, stdout } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import { createTokenText } from '../auth/tokens.ts';
import { createApp, createReader, type App } from '../app.ts';
import { systemClock } from '../clock.ts';
import { ConfigError, printableConfig, type Config } from '../config.ts';
import { refuseNewer } from '../db/catalog.ts';
import { listTokens } from '../db/tokens.ts';
import { AppError } from '../errors.ts';
import { ServerCertificate } from '../http/certificate.ts';
import type { Server } from '../http/instance.ts';
import { createReadServer } from '../http/read-server.ts';
import { baseUrl, createServer } from '../http/server.ts';
import { createLogger, type Logger } from '../logger.ts';
import { initialise, type Initialised } from '../registry/initialise.ts';
import { showPins } from '../registry/pins.ts';
import { configOf, withDataFlags } from './options.ts';

/** Between two looks whether a newer version has changed the catalog under this one. */
const versionCheckMs = 10_000;

export function serveCommand(program: Command): void {
  withDataFlags(
    program.command('serve').description('Run the server; an empty data directory is initialised'),
  )
    .option('--listen <address>', 'address and port, host:port')
    .option('--public-url <url>', 'the URL that clients reach this server by')
    .option('--role <role>', 'all, or of several nodes: api, publish or read')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent')
    .action(async (flags: Record<string, unknown>) => {
      await serve(configOf(flags));
    });
}

async function serve(config: Config): Promise<void> {
  if (config.role === 'read') await serveTree(config);
  else await serveAll(config);
}

/** A node that needs the store and nothing else. */
async function serveTree(config: Config): Promise<void> {
  const log = createLogger(config.logLevel);
  const certificate = openCertificate(config, log);
  const reader = await createReader({ config, log });
  const server = createReadServer(reader, certificate);
  const address = await listen(server, config.listen, certificate);
  certificate?.start();
  stdout.write(`Entrepot is listening on ${config.publicUrl ?? address}, and only reads\n`);
  const stop = stopOnSignal(() => server.close());
  lookOnHangup(certificate, stop);
}

/** Fastify knows only of the servers that it makes itself that they speak TLS. */
async function listen(
  server: Server,
  { host, port }: Config['listen'],
  certificate: ServerCertificate | null,
): Promise<string> {
  const shown = (address: string): string => (certificate ? address.replace(/^http:/, 'https:') : address);
  return shown(await server.listen({ host, port, listenTextResolver: (at) => `listening at ${shown(at)}` }));
}

/** Throws what is wrong with it before anything is made. */
function openCertificate({ tls }: Config, log: Logger): ServerCertificate | null {
  return tls ? new ServerCertificate({ place: tls, clock: systemClock, log }) : null;
}

/** The first of several nodes that start on an empty catalog fills it, and the others find that. */
async function fillIfEmpty(app: App): Promise<Initialised | null> {
  return await app.identities.run('initialise', async () =>
    (await listTokens(app.db)).length === 0
      ? await initialise(app, app.config.adminToken ?? (await writeFirstToken(app.config.dataDir)))
      : null,
  );
}

/** Where the first token is, unless the operator chose it. */
const tokenFile = (dataDir: string): string => join(dataDir, 'admin-token');

/** Output is kept and read by many (docs/decisions/0008). On the disk before the catalog knows the token. */
async function writeFirstToken(dataDir: string): Promise<string> {
  const token = createTokenText();
  const path = tokenFile(dataDir);
  // Of a first start that did not come to its end.
  await rm(path, { force: true });
  await writeFile(path, `${token}\n`, { mode: 0o600, flag: 'wx', flush: true });
  return token;
}

async function serveAll(config: Config): Promise<void> {
  if (config.database.engine === 'postgres' && config.publicUrl === undefined)
    throw new ConfigError('public_url: needed with PostgreSQL: it is signed, and the same on every node.');
  // The space for new objects is 16 MB by now, and enough: it would grow to 64 MB and never be given back.
  setFlagsFromString('--semi-space-growth-factor=1');
  const log = createLogger(config.logLevel);
  const { host } = config.listen;
  const certificate = openCertificate(config, log);
  const port = await findPort(config.listen);
  const publicUrl = config.publicUrl ?? baseUrl(host, port, config.tls ? 'https' : 'http');
  log.debug({ config: printableConfig(config) }, 'settings');
  const app = await createApp({ config, log, publicUrl });
  const made = await fillIfEmpty(app);
  await app.publisher.recover();
  await app.setupFiles.writeAll();
  await app.visibility.writeAll();
  await showPins(app);
  const server =
    config.role === 'publish' ? createReadServer(app, certificate) : await createServer(app, certificate);
  await listen(server, { host, port }, certificate);
  certificate?.start();
  app.publisher.start();
  if (config.role !== 'api') {
    app.collector.start(config.collectMs);
    app.deliveries.start();
  }
  app.downloads.start();
  app.visibility.start();
  if (app.leases) endWhenNewer(app);
  stdout.write(made ? welcome(app, made) : `Entrepot is listening on ${publicUrl}\n`);
  log.info({ publicUrl, dataDir: config.dataDir }, 'listening');
  const stop = stopOnSignal(async () => {
    await server.close();
    await app.close();
  });
  lookOnHangup(certificate, stop);
}

/**
 * Another node may have been upgraded. What this one writes could be wrong then, so it ends at once, as in a crash;
 * that leaves nothing to do by hand.
 */
function endWhenNewer({ db, log }: App): void {
  const check = async (): Promise<void> => {
    try {
      await refuseNewer(db);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'catalog_newer') return;
      log.fatal({ err: error }, 'the catalog was changed by a newer version; ending');
      exit(1);
    }
  };
  setInterval(() => void check(), versionCheckMs).unref();
}

/**
 * The port to listen on, held for a moment: which one 0 would be has to be known before, because the URL is part
 * of what is published; and one that is in use has to be met before a token is made, which is shown only once.
 */
async function findPort({ host, port }: Config['listen']): Promise<number> {
  return await new Promise((resolve, reject) => {
    const socket = createSocket().once('error', reject);
    socket.listen(port, host, () => {
      const address = socket.address();
      socket.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** The first signal lets what runs finish; a second one does not wait. Answers what a signal calls. */
function stopOnSignal(stop: () => Promise<void>): (signal: NodeJS.Signals) => void {
  let stopping = false;
  const stopOnce = (signal: NodeJS.Signals): void => {
    if (stopping) throw new Error(`${signal} again: ending at once`);
    stopping = true;
    void stop();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stopOnce);
  return stopOnce;
}

/** SIGHUP: of a service, look at the certificate (`systemctl reload`); of a terminal, it was closed. */
function lookOnHangup(certificate: ServerCertificate | null, stop: (signal: NodeJS.Signals) => void): void {
  process.on('SIGHUP', (signal) => {
    if (stdin.isTTY) stop(signal);
    else certificate?.look({ now: true });
  });
}

function welcome(app: App, made: Initialised): string {
  const { publicUrl, config } = app;
  const { repository, aptChannel, yumChannel } = made;
  const api = `${publicUrl}/api/v1/repositories/${repository}/channels`;
  const path = config.adminToken === undefined ? tokenFile(config.dataDir) : null;
  const token =
    path === null ? '$ENTREPOT_ADMIN_TOKEN' : `$(cat '${path.replaceAll("'", String.raw`'\''`)}')`;
  const header = `-H "Authorization: Bearer ${token}"`;
  return `
Entrepot is listening on ${publicUrl}

  data directory   ${config.dataDir}
  repository       ${repository}, with the channels ${aptChannel} (apt) and ${yumChannel} (yum)
  signing key      ${made.fingerprint}
  admin token      ${path === null ? 'the one in ENTREPOT_ADMIN_TOKEN' : `in ${path}: keep it elsewhere, then delete the file`}

Upload a .deb:
  curl ${header} -T FILE.deb ${api}/${aptChannel}/packages/

Upload an .rpm:
  curl ${header} -T FILE.rpm ${api}/${yumChannel}/packages/

Set a machine up (Debian, Ubuntu; for others see ${publicUrl}/r/${repository}):
  curl -fsSo /etc/apt/sources.list.d/${repository}-${aptChannel}.sources ${publicUrl}/setup/${repository}/${aptChannel}.sources && apt-get update

`;
}
