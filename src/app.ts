/** Everything that a running server consists of, built once. */
import { mkdir } from 'node:fs/promises';
import { BlockList } from 'node:net';
import { exit } from 'node:process';
import { join } from 'node:path';
import { systemClock, type Clock } from './clock.ts';
import type { Config } from './config.ts';
import { checkCatalog, migrate, openCatalogAt, type Catalog } from './db/catalog.ts';
import { holdExclusively } from './db/exclusive.ts';
import { AppError } from './errors.ts';
import { Leases } from './leases.ts';
import type { Logger } from './logger.ts';
import { Metrics } from './metrics.ts';
import { Publisher } from './publish/publisher.ts';
import type { KeepTimes } from './registry/collect.ts';
import { Snapshots } from './publish/snapshots.ts';
import { Collector } from './registry/collector.ts';
import { Downloads } from './registry/downloads.ts';
import { KeyRing } from './registry/key-ring.ts';
import { Mutexes } from './registry/mutexes.ts';
import { PackageReaders } from './registry/package-readers.ts';
import { UploadRecorder } from './registry/record-upload.ts';
import { clearStaging, type ReceiveLimits } from './registry/receive.ts';
import { Visibility } from './registry/visibility.ts';
import { SetupFiles } from './registry/setup-files.ts';
import type { Signer } from './signing/signer.ts';
import { parseNetworks, systemResolve, type Resolve } from './webhooks/addresses.ts';
import { Deliveries } from './webhooks/deliveries.ts';
import type { Fatal } from './store/folders.ts';
import { openStore } from './store/open-store.ts';
import type { Store } from './store/store.ts';

export type App = {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly db: Catalog;
  readonly store: Store;
  /** No trailing slash. */
  readonly publicUrl: string;
  readonly keyRing: KeyRing;
  readonly signerOf: (repository: string) => Promise<Signer>;
  readonly readers: PackageReaders;
  readonly publisher: Publisher;
  readonly recorder: UploadRecorder;
  readonly setupFiles: SetupFiles;
  readonly snapshots: Snapshots;
  /** Null for the only node. */
  readonly leases: Leases | null;
  readonly identities: Mutexes;
  readonly downloads: Downloads;
  readonly deliveries: Deliveries;
  readonly stagingDir: string;
  readonly receiveLimits: ReceiveLimits;
  readonly keepTimes: KeepTimes;
  readonly collector: Collector;
  /** Which repositories are public, for the read path, which asks no database. */
  readonly visibility: Visibility;
  /** Throws when the catalog or the store cannot be used. */
  readonly checkReady: () => Promise<void>;
  /** Finishes what runs and closes what is open. */
  readonly close: () => Promise<void>;
};

/** What serving the tree needs. */
export type Reader = Pick<App, 'config' | 'log' | 'clock' | 'metrics' | 'store' | 'snapshots' | 'checkReady'>;

export type AppOptions = {
  readonly config: Config;
  readonly log: Logger;
  /** The URL that goes into set-up files and signed metadata, without a trailing slash. */
  readonly publicUrl: string;
  readonly clock?: Clock;
  /** How names of receivers of webhooks are resolved. */
  readonly resolve?: Resolve;
};

/** Opens the data directory, brings the catalog to this version's tables, and rolls a crash forward. */
export async function createApp({
  config,
  log,
  publicUrl,
  clock = systemClock,
  resolve = systemResolve,
}: AppOptions): Promise<App> {
  const dataDir = await openDataDir(config, log, clock);
  const { db, store, stagingDir, keysDir } = dataDir;
  const metrics = new Metrics();
  const keyRing = new KeyRing({ db, clock, keysDir, passphrase: config.keyPassphrase });
  const signerOf = (repository: string): Promise<Signer> => keyRing.signerOf(repository);
  const { validMs, resignMs, indexCacheBytes } = config;
  const leases = config.database.engine === 'postgres' ? new Leases(db) : null;
  const publishing = { validMs, resignMs, signerOf, leases, indexCacheBytes };
  const publisher = new Publisher({ db, store, clock, log, metrics, publicUrl, ...publishing });
  const recorder = new UploadRecorder({ db, clock, settled: (channel) => publisher.settled(channel) });
  const readers = new PackageReaders({ size: config.intakeWorkers, timeoutMs: config.intakeTimeoutMs });
  const downloads = new Downloads({ db, clock, log });
  const allowed = parseNetworks(config.webhookAllow) ?? new BlockList();
  const deliveries = new Deliveries({ db, clock, log, allowed, resolve });
  const visibility = new Visibility({ db, store, clock, log });
  await visibility.load();
  const identities = new Mutexes(leases);
  const keepTimes = { graceMs: config.graceMs, stagedMs: config.stagedMs };
  const setupFiles = new SetupFiles({ db, store, clock, publicUrl });
  const collector = new Collector({ db, store, publisher, identities, clock, keepTimes, setupFiles, log });
  return {
    config,
    log,
    clock,
    metrics,
    db,
    store,
    publicUrl,
    keyRing,
    signerOf,
    readers,
    publisher,
    recorder,
    setupFiles,
    snapshots: new Snapshots({ store, clock }),
    leases,
    identities,
    downloads,
    deliveries,
    stagingDir,
    keepTimes,
    collector,
    receiveLimits: { maxBytes: config.maxUploadBytes, idleMs: config.uploadIdleTimeoutMs },
    visibility,
    checkReady: async () => {
      await checkCatalog(db);
      const file = await store.open('keys/none');
      await file?.close();
    },
    close: async () => {
      await collector.stop();
      await publisher.stop();
      visibility.stop();
      await downloads.stop();
      await deliveries.stop();
      await readers.close();
      await db.destroy();
      dataDir.unlock();
    },
  };
}

/** What a node that only reads consists of: the store, and nothing that is written. */
export async function createReader({ config, log }: Pick<AppOptions, 'config' | 'log'>): Promise<Reader> {
  const { store } = await openStore(config, endProcess(log));
  const checkReady = async (): Promise<void> => {
    const file = await store.open('keys/none');
    await file?.close();
  };
  const snapshots = new Snapshots({ store, clock: systemClock });
  return { config, log, clock: systemClock, metrics: new Metrics(), store, snapshots, checkReady };
}

/** What a server has open in its data directory. Throws `data_in_use`. */
async function openDataDir(config: Config, log: Logger, clock: Clock) {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const unlock = holdExclusively(join(config.dataDir, 'lock.db'));
  if (!unlock) throw new AppError('data_in_use', `Another server is running on ${config.dataDir}.`);
  const fatal = endProcess(log);
  const db = openCatalogAt(config.database, fatal);
  const applied = await migrate(db, clock.now());
  if (applied.length > 0) log.info({ migrations: applied }, 'catalog brought up to date');
  const { store, clear } = await openStore(config, fatal);
  await clear(clock.now(), config.database.engine === 'sqlite');
  const stagingDir = join(config.dataDir, 'staging');
  await clearStaging(stagingDir);
  const { keysDir } = config;
  await mkdir(keysDir, { recursive: true, mode: 0o700 });
  return { db, store, stagingDir, keysDir, unlock };
}

/** After a failed fsync nobody knows what the disk holds: a restart reads it afresh (fsync is never retried). */
function endProcess(log: Logger): Fatal {
  return (error) => {
    log.fatal({ err: error }, 'the disk did not take what was written; ending');
    exit(74);
  };
}
