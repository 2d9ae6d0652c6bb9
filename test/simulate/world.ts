/**
 * One server without its network: the real registry, publisher and catalog over a tree in memory, on a machine
 * that can crash. What a crash leaves, the tree and the database, is taken up by the next life of the server.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Kysely, SqliteDialect, type SqliteDatabase } from 'kysely';
import { migrate, type Catalog, type Tables } from '../../src/db/catalog.ts';
import { withPreparedStatements } from '../../src/db/prepared.ts';
import { insertRepository, insertSigningKey } from '../../src/db/repositories.ts';
import { createLogger } from '../../src/logger.ts';
import { Metrics } from '../../src/metrics.ts';
import { Publisher } from '../../src/publish/publisher.ts';
import type { KeepTimes } from '../../src/registry/collect.ts';
import { Mutexes } from '../../src/registry/mutexes.ts';
import { PackageReaders } from '../../src/registry/package-readers.ts';
import { UploadRecorder } from '../../src/registry/record-upload.ts';
import { putChannel } from '../../src/registry/put-channel.ts';
import { clearStaging } from '../../src/registry/receive.ts';
import { SetupFiles } from '../../src/registry/setup-files.ts';
import { readPrivateKey, signerOf } from '../../src/signing/keys.ts';
import type { Signer } from '../../src/signing/signer.ts';
import type { Store } from '../../src/store/store.ts';
import type { FormatName } from '../../src/formats/package.ts';
import { fakeClock, type FakeClock } from '../fake-clock.ts';
import { testKeysDir } from '../signing-key.ts';
import { endangeredDatabase, endangeredStore, Hazard } from './hazard.ts';
import { MemoryStore, type Disk } from './memory-store.ts';

export const repository = 'main';
export const channels = ['dev', 'test', 'prod'] as const;
export const operator = { kind: 'operator', name: 'simulator' } as const;
const publicUrl = 'https://packages.example';
const hourMs = 3_600_000;

/** What all lives of all servers share: nothing of it is changed by them. */
export type Ground = {
  readonly signer: Signer;
  readonly readers: PackageReaders;
  readonly stagingDir: string;
  readonly metrics: Metrics;
  /** A fresh server's database and tree, with its channels published empty. */
  readonly fresh: Readonly<Record<FormatName, { readonly database: Buffer; readonly disk: Disk }>>;
  readonly close: () => Promise<void>;
};

const log = createLogger('silent');

/** Signing costs a twentieth of a millisecond with this key. */
async function cheapSigner(): Promise<Signer> {
  const armored = readFileSync(join(testKeysDir, 'ed25519-locked.asc'), 'utf8');
  return signerOf(await readPrivateKey(armored, 'correct horse'));
}

export async function openGround(): Promise<Ground> {
  // In memory where there is such a folder: staged uploads are files.
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'entrepot-simulate-'));
  const stagingDir = join(dir, 'staging');
  await clearStaging(stagingDir);
  const common = {
    signer: await cheapSigner(),
    readers: new PackageReaders({ size: 1, timeoutMs: 600_000 }),
    stagingDir,
    metrics: new Metrics(),
  };
  return {
    ...common,
    fresh: { apt: await makeFresh(common, 'apt'), yum: await makeFresh(common, 'yum') },
    close: async () => {
      await common.readers.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function makeFresh(
  ground: Omit<Ground, 'fresh' | 'close'>,
  format: FormatName,
): Promise<Ground['fresh'][FormatName]> {
  const machine = new Machine(new Sqlite(':memory:'), new Map());
  const db = machine.observe();
  const now = machine.clock.now();
  await migrate(db, now);
  await insertRepository(db, {
    name: repository,
    description: 'simulated',
    origin: 'Simulated',
    visibility: 'public',
    created_at: now,
    ephemeral: '',
    retention: '',
    signing: 'always',
    producer_keys: '[]',
  });
  const { fingerprint, armored, createdAt } = ground.signer.key;
  const key = {
    fingerprint,
    repository,
    state: 'active',
    public_key: armored,
    created_at: createdAt,
  } as const;
  await insertSigningKey(db, key);
  const server = machine.boot(ground);
  for (const channel of channels)
    await putChannel(server, operator, repository, channel, {
      format,
      ...(format === 'apt' ? { architectures: ['amd64'], contents: channel !== 'dev' } : {}),
    });
  return { database: machine.database.serialize(), disk: machine.disk };
}

/** One life of a server: what is lost with it is in here. */
export type Life = {
  readonly hazard: Hazard;
  readonly db: Catalog;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly publisher: Publisher;
  readonly recorder: UploadRecorder;
  readonly setupFiles: SetupFiles;
  readonly readers: PackageReaders;
  readonly signerOf: () => Promise<Signer>;
  readonly identities: Mutexes;
  readonly stagingDir: string;
  readonly receiveLimits: { readonly maxBytes: number; readonly idleMs: number };
  readonly keepTimes: KeepTimes;
  readonly publicUrl: string;
};

/** So short that histories of some hours meet it. */
export const keepTimes: KeepTimes = { graceMs: 2 * hourMs, stagedMs: 2 * hourMs };

export class Machine {
  readonly database: Sqlite.Database;
  readonly disk: Disk;
  readonly clock = fakeClock();
  readonly #prepared: SqliteDatabase;

  constructor(database: Sqlite.Database, disk: Disk) {
    this.database = database;
    this.disk = disk;
    this.#prepared = withPreparedStatements(database);
    database.pragma('foreign_keys = ON');
  }

  static fresh(ground: Ground, format: FormatName): Machine {
    const { database, disk } = ground.fresh[format];
    return new Machine(new Sqlite(database), new Map(disk));
  }

  /** The database and the tree as nothing can happen to them. */
  observe(): Catalog {
    return new Kysely<Tables>({ dialect: new SqliteDialect({ database: this.#prepared }) });
  }

  look(): Store {
    return new MemoryStore(this.disk, this.clock.now);
  }

  /** A server on what is here, which has not looked at anything yet. */
  boot(ground: Omit<Ground, 'fresh' | 'close'>): Life {
    const hazard = new Hazard();
    const db = new Kysely<Tables>({
      dialect: new SqliteDialect({ database: endangeredDatabase(this.#prepared, hazard) }),
    });
    const store = endangeredStore(this.look(), hazard);
    const { clock } = this;
    const { readers, stagingDir, metrics, signer } = ground;
    const signerOf = (): Promise<Signer> => Promise.resolve(signer);
    const settings = { validMs: 7 * 24 * hourMs, resignMs: 12 * hourMs, publicUrl };
    const publisher = new Publisher({ db, store, clock, log, metrics, signerOf, leases: null, ...settings });
    const settled = (channel: string): Promise<void> => publisher.settled(channel);
    return {
      hazard,
      db,
      store,
      clock,
      publisher,
      recorder: new UploadRecorder({ db, clock, settled }),
      setupFiles: new SetupFiles({ db, store, clock, publicUrl }),
      readers,
      signerOf,
      identities: new Mutexes(null),
      stagingDir,
      receiveLimits: { maxBytes: 2 ** 24, idleMs: 600_000 },
      keepTimes,
      publicUrl,
    };
  }

  /** What a power cut does to a transaction. */
  loseTransaction(): void {
    if (this.database.inTransaction) this.database.exec('ROLLBACK');
  }
}

/** What `serve` does before it listens. */
export async function recover(life: Life): Promise<void> {
  await clearStaging(life.stagingDir);
  await life.publisher.recover();
  life.hazard.alive();
  await life.setupFiles.writeAll();
}
