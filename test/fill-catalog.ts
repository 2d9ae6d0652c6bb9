/** A large catalog at once, for tests and benches of pages: rows made by the database itself (SQLite), no files. */
import { sql } from 'kysely';
import type { Catalog } from '../src/db/catalog.ts';

/** Rows numbered from 0, made by the database itself: `n` in what follows. */
const numbered = (count: number) =>
  sql`WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${count})`;

/** A name like those of a distribution: spread over the alphabet, many with one beginning. */
const nameOf = sql`substr('abcdefghijklmnopqrstuvwxyz', n % 26 + 1, 1) || 'pkg-' || (n % 97) || '-' || n`;

export type Size = {
  /** Packages of the repository `main`. */
  readonly packages: number;
  readonly filesEach: number;
  /** So many that the channels `stable` and `staging` hold, and the generations of `stable` after its first. */
  readonly channelPackages: number;
  readonly generations: number;
  /** Of one package, named `always`: each in `stable` until the next generation brings the next one. */
  readonly versions?: number;
};

/** Fills `main` as it would be after years. What is published stays as it is: this is for what pages ask. */
export async function fillCatalog(
  db: Catalog,
  { packages, filesEach, channelPackages, generations, versions = 0 }: Size,
): Promise<void> {
  await sql`${numbered(packages + versions)} INSERT INTO packages (id, repository, format, distribution, name, version, architecture,
    filename, path, size_bytes, sha256, uploaded_size_bytes, uploaded_sha256, core_sha256, summary, facts, created_at)
    SELECT printf('%026d', n), 'main', 'apt', '', iif(n < ${packages}, ${nameOf}, 'always'), '1.' || iif(n < ${packages}, n % 50, n) || '-1', 'amd64', 'f' || n || '.deb',
    'apt/main/pool/' || n, 10000 + n, printf('%064x', n * 7919), 10000, printf('%064x', n * 7919), printf('%064x', n * 7919),
    'what package ' || n || ' is for, in a line of the usual length',
    '{"description":"","maintainer":"Build Team","homepage":null,"license":null,"section":"utils","source":{"name":"src","version":"1"},"buildTime":null,"buildHost":null,"installedSizeBytes":1000,"relations":[{"kind":"depends","text":"libc6 (>= 2.36)"}],"scripts":[],"changelog":[],"findings":[]}', 1700000000000 + n
    FROM numbers`.execute(db);
  await sql`${numbered(packages * filesEach)} INSERT INTO file_names (repository, folder, basename, name, package)
    SELECT 'main', '/usr/share/pkg-' || (n % 97) || '/' || (n / ${filesEach}) || '/', 'file' || (n % 1000) || '-' || (n % ${filesEach}) || '.txt',
    name, id FROM numbers JOIN packages ON packages.id = printf('%026d', n / ${filesEach})`.execute(db);
  // A few hundred are in one of the two alone.
  for (const [channel, first] of [
    ['main/stable', 0],
    ['main/staging', Math.min(200, packages - channelPackages)],
  ] as const)
    await sql`${numbered(channelPackages)} INSERT INTO channel_packages (channel, package, name, component, added_in, removed_in)
      SELECT ${channel}, id, name, 'main', n % ${generations} + 2, NULL FROM numbers JOIN packages ON packages.id = printf('%026d', n + ${first})`.execute(
      db,
    );
  if (versions > 0)
    await sql`${numbered(Math.min(versions, generations - 1))} INSERT INTO channel_packages (channel, package, name, component, added_in, removed_in)
    SELECT 'main/stable', printf('%026d', n + ${packages}), 'always', 'main', n + 2, n + 3 FROM numbers`.execute(
      db,
    );
  await sql`${numbered(generations)} INSERT INTO generations (channel, number, date, signed_at, committed_at, cause, actor, added, removed, packages, pointers, indexes, settings)
    SELECT 'main/stable', n + 2, 1700000000 + n * 3600, 1700000000000 + n * 3600000, 1700000000000 + n * 3600000, 'upload', 'ci', 10, 0, 10 * (n + 1), pointers, indexes, settings
    FROM numbers JOIN (SELECT pointers, indexes, settings FROM generations WHERE channel = 'main/stable' AND number = 1)`.execute(
    db,
  );
  await sql`UPDATE channels SET head = ${generations + 1} WHERE id = 'main/stable'`.execute(db);
}
