/** The catalog's tables as types, and how it is opened. Queries live beside this file, one file per noun. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { AppError } from '../errors.ts';
import { openPostgres } from './postgres.ts';
import type { Uncertain } from './checkpoint.ts';
import { withPreparedStatements } from './prepared.ts';
import { isPostgres, transact } from './transact.ts';

export type RepositoryRow = {
  name: string;
  description: string;
  origin: string;
  visibility: 'public' | 'private';
  created_at: number;
  ephemeral: string;
  retention: string;
  signing: 'always' | 'unsigned-only' | 'require' | 'never';
  producer_keys: string;
};

export type ChannelRow = {
  id: string;
  repository: string;
  name: string;
  format: 'apt' | 'yum';
  distribution: string;
  origin: string;
  label: string;
  description: string;
  components: string;
  architectures: string;
  head: number;
  created_at: number;
  options: string;
  deleted_at: number | null;
  expires_at: number | null;
  expires_after_ms: number | null;
};

export type PackageRow = {
  id: string;
  repository: string;
  format: 'apt' | 'yum';
  distribution: string;
  name: string;
  version: string;
  architecture: string;
  filename: string;
  path: string;
  size_bytes: number;
  sha256: string;
  uploaded_size_bytes: number;
  uploaded_sha256: string;
  core_sha256: string;
  signed_by: string | null;
  source_name: string | null;
  source_version: string | null;
  summary: string;
  facts: string;
  signature_header: string | null;
  created_at: number;
  collected_at: number | null;
  staged_at: number;
};

export type PackageFileRow = {
  package: string;
  position: number;
  path: string;
  type: string;
  size_bytes: number;
  mode: number;
  target: string | null;
};

export type EntryRow = { package: string; kind: string; body: string };

type ChannelPackageRow = {
  channel: string;
  package: string;
  /** The package's. */
  name: string;
  component: string;
  added_in: number;
  removed_in: number | null;
};

type FileNameRow = {
  repository: string;
  folder: string;
  basename: string;
  name: string;
  package: string;
};

export type PackageRelationRow = {
  package: string;
  position: number;
  kind: string;
  name: string;
  text: string;
};

export type PinRow = {
  channel: string;
  name: string;
  generation: number;
  created_at: number;
  created_by: string;
};

export type PendingChangeRow = {
  id: string;
  channel: string;
  action: 'add' | 'remove';
  package: string;
  component: string;
  event: string;
};

/** `sha256` is empty in a pending document that goes. */
export type PendingDocumentRow = {
  id: string;
  channel: string;
  kind: string;
  sha256: string;
  event: string;
};

export type ChannelDocumentRow = {
  channel: string;
  kind: string;
  sha256: string;
  added_in: number;
  removed_in: number | null;
};

export type GenerationRow = {
  channel: string;
  number: number;
  date: number;
  signed_at: number;
  committed_at: number;
  cause: string;
  actor: string;
  added: number;
  removed: number;
  packages: number;
  pointers: string;
  indexes: string;
  settings: string;
  collected_at: number | null;
};

export type EventRow = {
  id: string;
  at: number;
  repository: string;
  channel: string | null;
  generation: number | null;
  package: string | null;
  kind: string;
  actor: string;
  token: string | null;
  detail: string;
};

export type UploadRow = {
  event: string;
  package: string;
  filename: string;
  client: string;
  uploaded_sha256: string;
  sha256: string;
  source: string | null;
  commit_id: string | null;
  ref: string | null;
  run: string | null;
  builder: string | null;
};

export type TokenRow = {
  id: string;
  name: string;
  sha256: string;
  scope: 'admin' | 'upload' | 'read';
  repositories: string;
  created_at: number;
  created_by: string;
  expires_at: number | null;
  revoked_at: number | null;
  last_used_at: number | null;
};

export type SessionRow = {
  sha256: string;
  token: string;
  client: string;
  created_at: number;
  last_used_at: number;
  expires_at: number;
};

export type WebhookRow = {
  id: string;
  repository: string;
  url: string;
  secret: string;
  kinds: string;
  created_at: number;
  created_by: string;
};

export type DeliveryRow = {
  id: string;
  webhook: string;
  kind: string;
  body: string;
  created_at: number;
  attempts: number;
  next_at: number | null;
  tried_at: number | null;
  status: number | null;
  answer: string;
};

export type SigningKeyRow = {
  fingerprint: string;
  repository: string;
  state: 'active' | 'retired';
  public_key: string;
  created_at: number;
};

export type LeaseRow = { name: string; holder: string; renewals: number; wanted: number };

/** `day` is days since 1970-01-01 in UTC. */
type DownloadRow = { package: string; day: number; count: number };

export type Tables = {
  repositories: RepositoryRow;
  channels: ChannelRow;
  packages: PackageRow;
  package_files: PackageFileRow;
  file_names: FileNameRow;
  package_relations: PackageRelationRow;
  pins: PinRow;
  /** The texts of documents by their digests; `body` is gzip in base64 (db/documents.ts). */
  documents: { sha256: string; body: string };
  channel_documents: ChannelDocumentRow;
  pending_documents: PendingDocumentRow;
  entries: EntryRow;
  channel_packages: ChannelPackageRow;
  pending_changes: PendingChangeRow;
  generations: GenerationRow;
  events: EventRow;
  uploads: UploadRow;
  tokens: TokenRow;
  signing_keys: SigningKeyRow;
  downloads: DownloadRow;
  sessions: SessionRow;
  webhooks: WebhookRow;
  deliveries: DeliveryRow;
  leases: LeaseRow;
  schema_migrations: { name: string; applied_at: number };
};

/** The catalog, or a transaction on it: queries take either. */
export type Catalog = Kysely<Tables>;

/** Where the catalog is: a file of this machine, or a database that several nodes share. */
export type CatalogPlace =
  | { readonly engine: 'sqlite'; readonly path: string }
  | { readonly engine: 'postgres'; readonly url: string; readonly connections?: number };

/** Opens the catalog at a place. `uncertain` is as for `openSqlite`; PostgreSQL itself sees to its disk. */
export function openCatalogAt(place: CatalogPlace, uncertain?: Uncertain): Catalog {
  return place.engine === 'sqlite'
    ? openSqlite(place.path, uncertain)
    : openPostgres(place.url, place.connections);
}

/** Who asks whether the server is ready does not wait longer. */
const checkTimeoutMs = 5_000;

const migrationsDir = join(import.meta.dirname, '../../migrations');

/**
 * Opens the SQLite catalog at `path`, creating it when there is none. `uncertain` is told of a write of which nobody
 * knows whether it holds.
 */
export function openSqlite(path: string, uncertain?: Uncertain): Catalog {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // For the server alone, whatever the umask: digests of tokens are in it. SQLite gives its logs the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const database = new Sqlite(path);
  database.pragma('journal_mode = WAL');
  // FULL: a commit is on the disk when it returns, which is what an acknowledged upload rests on.
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  database.pragma('busy_timeout = 10000');
  // KiB. better-sqlite3 would keep 16 MiB of pages, which reading a large channel fills for good; a publication comes
  // back to few, and the system has the others.
  database.pragma('cache_size = -6000');
  // The first query makes the log. SQLite itself passes over a failure to make its name durable.
  database.exec('SELECT 1 FROM sqlite_schema');
  syncFolder(dirname(path));
  return new Kysely<Tables>({
    dialect: new SqliteDialect({ database: withPreparedStatements(database, uncertain) }),
  });
}

function syncFolder(folder: string): void {
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * A statement of a migration for the engine of this catalog. On PostgreSQL every text is ordered and compared by
 * its code points, as on SQLite, whatever the collation of the database is.
 */
function statementFor(catalog: Catalog, statement: string): string {
  const text = statement.replace(/^--.*$/gm, '').trim();
  return isPostgres(catalog) ? text.replace(/\bTEXT\b/g, 'TEXT COLLATE "C"') : text;
}

/**
 * Makes the table of what was applied. Programs that start together on PostgreSQL may all find none: those that
 * come late are refused with a unique violation, and find it then.
 */
async function createMigrationsTable(catalog: Catalog): Promise<void> {
  const text = `CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)`;
  await transact(catalog, (transaction) => sql.raw(statementFor(catalog, text)).execute(transaction));
}

/**
 * Throws `catalog_newer` when a newer version of this program has changed the catalog in a way that this one cannot
 * go on with. It may where everything that it does not know is named `….expands.sql`: then whatever it reads and
 * writes is as it was (docs/scaling.md, "Upgrading several nodes").
 */
export async function refuseNewer(catalog: Catalog): Promise<void> {
  const { newer } = await listMigrations(catalog);
  if (newer.length > 0)
    throw new AppError(
      'catalog_newer',
      `The catalog has ${newer.join(', ')}, which this version of Entrepot does not know.`,
    );
}

/**
 * Applies the migrations that the catalog has not seen, in the order of their names, each in a transaction. Throws
 * `catalog_newer`, and then has applied none.
 */
export async function migrate(catalog: Catalog, now: number): Promise<string[]> {
  await createMigrationsTable(catalog);
  await refuseNewer(catalog);
  const applied: string[] = [];
  for (const name of migrationNames()) {
    const statements = readFileSync(join(migrationsDir, name), 'utf8').split(/;\s*\n/);
    const ran = await transact(catalog, async (transaction) => {
      // One program at a time; SQLite has a single writer as it is. Before anything is read.
      if (isPostgres(transaction))
        await sql`LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE`.execute(transaction);
      const seen = await transaction
        .selectFrom('schema_migrations')
        .select('name')
        .where('name', '=', name)
        .executeTakeFirst();
      if (seen) return false;
      for (const statement of statements) {
        const text = statementFor(transaction, statement);
        if (text !== '') await sql.raw(text).execute(transaction);
      }
      await transaction.insertInto('schema_migrations').values({ name, applied_at: now }).execute();
      return true;
    });
    if (ran) applied.push(name);
  }
  return applied;
}

/**
 * Of this version: the migrations that the catalog is without. Of newer ones: those after which this version cannot go
 * on with it. Throws what the query throws.
 */
export async function listMigrations(
  catalog: Catalog,
): Promise<{ readonly missing: readonly string[]; readonly newer: readonly string[] }> {
  const rows = await catalog.selectFrom('schema_migrations').select('name').orderBy('name').execute();
  const [applied, known] = [new Set(rows.map(({ name }) => name)), new Set(migrationNames())];
  return {
    missing: [...known.difference(applied)],
    newer: [...applied.difference(known)].filter((name) => !name.endsWith('.expands.sql')),
  };
}

function migrationNames(): string[] {
  return readdirSync(migrationsDir)
    .filter((name) => name.endsWith('.sql'))
    .sort();
}

/** Throws when the catalog does not answer, or not in time. */
export async function checkCatalog(catalog: Catalog): Promise<void> {
  const late = AbortSignal.timeout(checkTimeoutMs);
  await new Promise((resolve, reject) => {
    late.addEventListener('abort', () => reject(new Error('the catalog did not answer in time')));
    sql`SELECT 1`.execute(catalog).then(resolve, reject);
  });
}
