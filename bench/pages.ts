/**
 * `npm run bench pages`: how long pages take over HTTP. A channel of 10,000 packages and 1,000 generations, and 63,000
 * packages with 3 million file names to search, written straight into the catalog.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type { Catalog } from '../src/db/catalog.ts';
import { digestUrl, versionUrl, type VersionPlace } from '../src/web/links.ts';
import { fillCatalog } from '../test/fill-catalog.ts';
import { startInProcess } from '../test/server.ts';
import { machine, writeSection } from './report.ts';

const channelPackages = 10_000;
const generations = 1000;

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
    const size = { packages, filesEach: files, channelPackages, generations, versions: generations };
    await fillCatalog(server.app.db, size);
    const some = await versionOf(server.app.db, { offset: 5000 });
    const old = await versionOf(server.app.db, { name: 'always', offset: 500 });
    const lines: Line[] = [];
    for (const [title, ...paths] of [
      ['home', '/'],
      ['repository', '/r/main'],
      ['channel', '/r/main/c/stable', '/r/main/c/stable?q=k'],
      ['channel in an older generation', '/r/main/c/stable?at=900'],
      ['generations', '/r/main/c/stable/generations', '/r/main/c/stable/generations?before=500'],
      ['two generations compared', '/r/main/c/stable?from=990&to=1001'],
      ['two channels compared', '/r/main/c/stable?with=staging'],
      ['set-up', '/r/main/c/stable/setup', '/r/main/c/stable/setup/docker'],
      ['package', `/r/main/p/${some.name}`],
      ['package of 1,000 versions', '/r/main/p/always'],
      ['version', versionUrl(some), versionUrl(old)],
      ['provenance', versionUrl(some, 'provenance'), versionUrl(old, 'provenance')],
      ['files', versionUrl(some, 'files')],
      ['digest', digestUrl(some.sha256)],
      ['events', '/r/main/events', '/r/main/events?kind=upload'],
      ['status', '/status'],
      ['search for a name', '/search?q=kpkg-1', '/search?q=g-55'],
      ['search for what every name holds', '/search?q=pkg'],
      ['search for a file', '/search?q=%2Fusr%2Fshare%2Fpkg-5%2F', '/search?q=file77'],
      ['search for what every path begins with', '/search?q=%2Fusr', '/search?q=file'],
      ['search for a path that is not there', '/search?q=%2Fusr%2Fshare%2Fzzz', '/search?q=zzz'],
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

async function versionOf(
  db: Catalog,
  { name, offset }: { name?: string; offset: number },
): Promise<VersionPlace & { readonly sha256: string }> {
  const { format, ...row } = await db
    .selectFrom('packages')
    .select(['repository', 'name', 'version', 'architecture', 'format', 'distribution', 'sha256'])
    .$if(name !== undefined, (query) => query.where('name', '=', name ?? ''))
    .orderBy('id')
    .limit(1)
    .offset(offset)
    .executeTakeFirstOrThrow();
  return { ...row, format: format === 'yum' ? 'yum' : 'apt' };
}

function sectionOf(lines: readonly Line[], packages: number, files: number, requests: number): string[] {
  return [
    `A channel of ${channelPackages.toLocaleString('en')} packages and ${generations.toLocaleString('en')} generations in a repository of ` +
      `${packages.toLocaleString('en')} packages with ${(packages * files).toLocaleString('en')} file names, one of them with ${generations.toLocaleString('en')} versions, SQLite; ${requests} requests for each, one after the other.`,
    '',
    '| page | p50 (ms) | p95 (ms) | bytes |',
    '| --- | ---: | ---: | ---: |',
    ...lines.map(
      ({ name, p50, p95, bytes }) =>
        `| ${name} | ${p50.toFixed(1)} | ${p95.toFixed(1)} | ${bytes.toLocaleString('en')} |`,
    ),
  ];
}
