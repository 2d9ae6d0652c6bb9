/**
 * `npm run bench pages`: how long pages take over HTTP. A channel of 10,000 packages and 1,000 generations, and 63,000
 * packages with 3 million file names to search, written straight into the catalog.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { sql } from 'kysely';
import type { Catalog } from '../src/db/catalog.ts';
import { startInProcess } from '../test/server.ts';
import { machine, writeSection } from './report.ts';

const channelPackages = 10_000;
const generations = 1000;

/** Rows numbered from 0, made by the database itself: `n` in what follows. */
const numbered = (count: number) =>
  sql`WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${count})`;

/** A name like those of a distribution: spread over the alphabet, many with one beginning. */
const nameOf = sql`substr('abcdefghijklmnopqrstuvwxyz', n % 26 + 1, 1) || 'pkg-' || (n % 97) || '-' || n`;

async function fill(db: Catalog, packages: number, filesEach: number): Promise<void> {
  await sql`${numbered(packages)} INSERT INTO packages (id, repository, format, distribution, name, version, architecture,
    filename, path, size_bytes, sha256, uploaded_size_bytes, uploaded_sha256, core_sha256, summary, facts, created_at)
    SELECT printf('%026d', n), 'main', 'apt', '', ${nameOf}, '1.' || (n % 50) || '-1', 'amd64', 'f' || n || '.deb',
    'apt/main/pool/' || n, 10000 + n, printf('%064x', n * 7919), 10000, printf('%064x', n * 7919), printf('%064x', n * 7919),
    'what package ' || n || ' is for, in a line of the usual length',
    '{"description":"","maintainer":"Build Team","homepage":null,"license":null,"section":"utils","source":{"name":"src","version":"1"},"buildTime":null,"buildHost":null,"installedSizeBytes":1000,"relations":[{"kind":"depends","text":"libc6 (>= 2.36)"}],"scripts":[],"changelog":[],"findings":[]}', 1700000000000 + n
    FROM numbers`.execute(db);
  await sql`${numbered(packages * filesEach)} INSERT INTO file_names (repository, folder, basename, name, package)
    SELECT 'main', '/usr/share/pkg-' || (n % 97) || '/' || (n / ${filesEach}) || '/', 'file' || (n % 1000) || '-' || (n % ${filesEach}) || '.txt',
    name, id FROM numbers JOIN packages ON packages.id = printf('%026d', n / ${filesEach})`.execute(db);
  for (const channel of ['main/stable', 'main/staging'])
    await sql`${numbered(channelPackages)} INSERT INTO channel_packages (channel, package, name, component, added_in, removed_in)
      SELECT ${channel}, printf('%026d', n), ${nameOf}, 'main', n % ${generations} + 2, NULL FROM numbers`.execute(
      db,
    );
  await sql`${numbered(generations)} INSERT INTO generations (channel, number, date, signed_at, committed_at, cause, actor, added, removed, packages, pointers, indexes, settings)
    SELECT 'main/stable', n + 2, 1700000000 + n * 3600, 1700000000000 + n * 3600000, 1700000000000 + n * 3600000, 'upload', 'ci', 10, 0, 10 * (n + 1), pointers, indexes, settings
    FROM numbers JOIN (SELECT pointers, indexes, settings FROM generations WHERE channel = 'main/stable' AND number = 1)`.execute(
    db,
  );
  await sql`UPDATE channels SET head = ${generations + 1} WHERE id = 'main/stable'`.execute(db);
}

type Line = {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly p50: number;
  readonly p95: number;
};

async function measure(url: string, name: string, paths: readonly string[], requests: number): Promise<Line> {
  const times: number[] = [];
  let bytes = 0;
  for (let i = 0; i < requests + 5; i++) {
    const path = paths[i % paths.length] ?? '/';
    const start = performance.now();
    const response = await fetch(`${url}${path}`, { headers: { accept: 'text/html' } });
    const body = await response.arrayBuffer();
    if (!response.ok)
      throw new Error(`${path}: ${response.status} ${Buffer.from(body).toString().slice(0, 300)}`);
    // The first warm up what a running server has warm.
    if (i >= 5) times.push(performance.now() - start);
    bytes = Math.max(bytes, body.byteLength);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { name, path: paths[0] ?? '/', bytes, p50: at(0.5), p95: at(0.95) };
}

export async function benchPages(args: string[]): Promise<void> {
  const options = {
    packages: { type: 'string', default: '63000' },
    files: { type: 'string', default: '48' },
    requests: { type: 'string', default: '100' },
  } as const;
  const { values } = parseArgs({ args, options });
  const [packages, files, requests] = [
    Number(values.packages),
    Number(values.files),
    Number(values.requests),
  ];
  const ends: (() => unknown)[] = [];
  try {
    const server = await startInProcess({ teardown: (work) => void ends.push(work) });
    const staging = JSON.stringify({ format: 'apt' });
    await server.api('/api/v1/repositories/main/channels/staging', { method: 'PUT', body: staging });
    console.error(`${packages} packages, ${packages * files} file names`);
    await fill(server.app.db, packages, files);
    const lines: Line[] = [];
    for (const [title, ...paths] of [
      ['home', '/'],
      ['repository', '/r/main'],
      ['channel', '/r/main/c/stable', '/r/main/c/stable?q=k'],
      ['channel in an older generation', '/r/main/c/stable?at=900'],
      ['generations', '/r/main/c/stable/generations', '/r/main/c/stable/generations?before=500'],
      ['two generations compared', '/r/main/c/stable?from=990&to=1001'],
      ['package', await pageOfSome(server.app.db)],
      ['search for a name', '/search?q=kpkg-1', '/search?q=g-55'],
      [
        'search for a file',
        '/search?q=%2Fusr%2Fshare%2Fpkg-5%2F',
        '/search?q=file77',
        '/search?q=%2Fusr%2Fshare%2Fpkg-9',
      ],
      ['search for a digest', '/search?q=00000000'],
    ] as const) {
      const line = await measure(server.url, title, paths, requests);
      lines.push(line);
      console.error(
        `${title}: p50 ${line.p50.toFixed(1)} ms, p95 ${line.p95.toFixed(1)} ms, ${line.bytes} bytes`,
      );
    }
    await writeSection('pages', [machine(), '', ...sectionOf(lines, packages, files, requests)]);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function pageOfSome(db: Catalog): Promise<string> {
  const row = await db.selectFrom('packages').select('name').limit(1).offset(5000).executeTakeFirstOrThrow();
  return `/r/main/p/${row.name}`;
}

function sectionOf(lines: readonly Line[], packages: number, files: number, requests: number): string[] {
  return [
    `A channel of ${channelPackages.toLocaleString('en')} packages and ${generations.toLocaleString('en')} generations in a repository of ` +
      `${packages.toLocaleString('en')} packages with ${(packages * files).toLocaleString('en')} file names, SQLite; ${requests} requests for each, one after the other.`,
    '',
    '| page | p50 (ms) | p95 (ms) | bytes |',
    '| --- | ---: | ---: | ---: |',
    ...lines.map(
      ({ name, p50, p95, bytes }) =>
        `| ${name} | ${p50.toFixed(1)} | ${p95.toFixed(1)} | ${bytes.toLocaleString('en')} |`,
    ),
  ];
}
