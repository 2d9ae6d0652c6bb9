/** What a server can hold when its pages are looked at: nothing, what is usual, and too much of everything. */
import { sql } from 'kysely';
import type { Catalog, DeliveryRow } from '../../src/db/catalog.ts';
import { msPerDay } from '../../src/db/downloads.ts';
import { createId } from '../../src/ids.ts';
import { jsonOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import { fillCatalog } from '../fill-catalog.ts';
import { commitOf, publishHello, repository } from '../http/pages-content.ts';
import type { InProcess } from '../server.ts';

export type Content = {
  readonly name: string;
  readonly fill: (server: InProcess) => Promise<void>;
  /** What stands for the parameters of a route. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Pages beside those that the routes give: with queries, and of other packages. */
  readonly paths: readonly string[];
};

const digest = '0'.repeat(64);
const shared = { client: 'ansible', script: 'postinst', file: 'hello.svg', '*': 'nothing-here' };

const empty: Content = {
  name: 'nothing',
  fill: async ({ api }) => {
    const body = JSON.stringify({ description: 'Nothing yet' });
    await jsonOf(await api('/api/v1/repositories/bare', { method: 'PUT', body }));
  },
  parameters: {
    ...shared,
    repository: 'main',
    channel: 'stable',
    name: 'hello',
    version: '1.0-1',
    architecture: 'amd64',
    other: '1.1-1',
    sha256: digest,
    generation: '1',
  },
  paths: ['/r/bare', '/r/bare/events', '/search?q=nowhere', '/r/main/promote?from=stable&to=stable'],
};

const usual: Content = {
  name: 'what is usual',
  fill: async (server) => {
    await publishHello(server);
    await addWebhooks(server.app.db, 2, 'https://hooks.example/entrepot');
    await addDownloads(server.app.db, 'hello', Date.now(), 30);
  },
  parameters: {
    ...shared,
    repository: 'main',
    channel: 'stable',
    name: 'hello',
    version: '1.3-1',
    architecture: 'amd64',
    other: '1.1-1',
    sha256: digest,
    generation: '3',
  },
  paths: [
    '/r/main/p/hello-rpm/0:1.0-1/x86_64/provenance',
    '/r/main/p/hello-rpm/0:1.0-1/x86_64/changelog',
    '/r/main/c/stable-rpm/setup',
    '/r/main/c/staging?with=stable',
    '/r/main/c/stable?from=1&to=3',
    '/r/main/c/stable?at=2',
    '/r/main/c/stable?at=whenever',
    '/r/main/p/hallo',
    '/r/main/events?kind=yank',
    '/r/main/promote?from=staging&to=stable',
    '/r/main/c/stable/roll-back?generation=2',
    '/r/main/c/stable/yank?name=hello&version=1.1-1&architecture=amd64',
    '/r/main/c/stable/yank?name=nothing&version=1&architecture=amd64',
    '/r/main/c/stable/edit?show=changes&description=Other&components=main&architectures=amd64',
    '/search?q=hello',
    '/search?q=%2Fusr%2Fbin',
    `/search?q=${commitOf(1)}`,
    '/search?q=identity_conflict',
  ],
};

/** As long as a name may be, without a place where it could be broken. */
const long = (start: string, length: number): string => start + 'x'.repeat(length - start.length);
const longName = long('a-package-with-a-long-name-', 120);
const longVersion = `1.${'0'.repeat(60)}-1`;
const longChannel = long('feature-with-a-long-name-', 50);
const longPage = `/r/main/p/${longName}/${longVersion}/amd64`;
const words = 'A sentence that goes on and on, as descriptions do. '.repeat(40);

const tooMuch: Content = {
  name: 'too much of everything',
  fill: fillWithTooMuch,
  parameters: {
    ...shared,
    repository: 'main',
    channel: 'stable',
    name: longName,
    version: longVersion,
    architecture: 'amd64',
    other: `${longVersion}ubuntu1`,
    sha256: digest,
    generation: '300',
  },
  paths: [
    `/r/main/c/${longChannel}`,
    `/r/main/c/${longChannel}/setup`,
    `/r/main/p/${longName}-rpm/0:1.0-1/x86_64`,
    `/r/main/p/${longName}-rpm/0:1.0-1/x86_64/changelog`,
    `${longPage}/files?from=250`,
    '/r/main/c/staging?with=stable',
    '/r/main/c/stable?from=1&to=301',
    '/r/main/c/stable?at=200',
    '/r/main/promote?from=staging&to=stable&exact=yes',
    '/r/main/c/stable/roll-back?generation=200',
    '/search?q=pkg',
    '/search?q=%2Fusr%2Fshare',
    `/search?q=${'x'.repeat(300)}`,
  ],
};

export const contents: readonly Content[] = [empty, usual, tooMuch];

async function addWebhooks(db: Catalog, count: number, url: string): Promise<void> {
  for (let i = 0; i < count; i++) {
    const id = createId(1_700_000_000_000 + i);
    const row = { id, repository: 'main', url: `${url}/${i}`, secret: 'whsec_test', created_by: 'admin' };
    await db
      .insertInto('webhooks')
      .values({ ...row, kinds: i % 2 ? 'upload promote' : '', created_at: 1_700_000_000_000 })
      .execute();
    const delivery = (n: number): DeliveryRow => ({
      id: createId(1_700_000_000_000 + n),
      webhook: id,
      kind: 'upload',
      body: '{}',
      created_at: 1_700_000_000_000 + n,
      attempts: n % 4,
      next_at: n % 3 === 0 ? 4_000_000_000_000 : null,
      tried_at: 1_700_000_000_000 + n,
      status: [200, 503, null][n % 3] ?? null,
      answer: n % 3 === 1 ? long('Service unavailable ', 300) : '',
    });
    await db
      .insertInto('deliveries')
      .values(Array.from({ length: 10 }, (_, n) => delivery(n)))
      .execute();
  }
}

/** Downloads of every package of a name, on each of the last days but some. */
export async function addDownloads(db: Catalog, name: string, now: number, days: number): Promise<void> {
  const today = Math.floor(now / msPerDay);
  const packages = await db.selectFrom('packages').select('id').where('name', '=', name).execute();
  const rows = packages
    .flatMap(({ id }, i) =>
      Array.from({ length: days }, (_, n) => ({ package: id, day: today - n, count: (n * 7919 + i) % 5000 })),
    )
    .filter(({ count }) => count % 5 > 0);
  await db.insertInto('downloads').values(rows).execute();
}

async function fillWithTooMuch(server: InProcess): Promise<void> {
  const { app, api } = server;
  const body = JSON.stringify({ format: 'apt', description: words.slice(0, 200) });
  await jsonOf(await api(`${repository}/channels/${longChannel}`, { method: 'PUT', body }));
  await jsonOf(await api(`${repository}/channels/staging`, { method: 'PUT', body }));
  for (const version of [`${longVersion}ubuntu1`, longVersion]) await uploadLong(server, version);
  await jsonOf(await server.upload('stable-rpm', 'long.rpm', longRpm()));
  await addDownloads(app.db, longName, Date.now(), 90);
  await addWebhooks(app.db, 10, `https://hooks.example/${'entrepot'.repeat(20)}`);
  await fillCatalog(app.db, { packages: 4000, filesEach: 5, channelPackages: 3000, generations: 300 });
  await app.db
    .deleteFrom('channel_packages')
    .where('channel', '=', 'main/staging')
    .where('added_in', '>', 200)
    .execute();
  await sql`WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 120)
    INSERT INTO channels (id, repository, name, format, distribution, origin, label, description, components, architectures, head, created_at)
    SELECT 'main/feature-' || n, 'main', 'feature-' || n, 'apt', 'release-' || (n % 7), 'o', 'l', ${words.slice(0, 200)}, 'main', 'amd64', 0, n
    FROM numbers`.execute(app.db);
  await sql`WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 240)
    INSERT INTO repositories (name, description, origin, visibility, created_at)
    SELECT 'team-' || n || '-with-a-long-name-that-goes-on', ${words.slice(0, 400)}, 'o', 'public', n FROM numbers`.execute(
    app.db,
  );
}

async function uploadLong({ api }: InProcess, version: string): Promise<void> {
  const deb = buildDeb({
    control: {
      Package: longName,
      Version: version,
      Architecture: 'amd64',
      Maintainer: `${long('A Team With A Long Name', 200)} <team@acme.example>`,
      Homepage: `https://acme.example/${long('', 300)}`,
      Depends: Array.from({ length: 200 }, (_, i) => `library-number-${i} (>= ${i}.0)`).join(', '),
      Description: `${long('summary', 200)}\n ${words}\n .\n ${long('', 400)}`,
    },
    files: Array.from({ length: 400 }, (_, i) => ({
      path: `/usr/share/${long('deep', 80)}/${long('deeper', 80)}/file-${i}${version.length}`,
      data: 'x',
    })),
    scripts: {
      postinst: `#!/bin/sh\n${`echo ${long('a line without an end', 300)}\n`.repeat(300)}`,
    },
  });
  const declared = new URLSearchParams({
    source: `https://git.example/${long('acme', 300)}`,
    commit: commitOf(1),
    ref: `refs/heads/${long('branch', 200)}`,
    run: `https://ci.example/${long('run', 300)}`,
    builder: long('builder', 300),
  });
  const path = `${repository}/channels/${longChannel}/packages/long.deb?${declared.toString()}`;
  await jsonOf(await api(path, { method: 'PUT', body: new Uint8Array(deb) }));
}

function longRpm(): Buffer {
  return buildRpm({
    name: `${longName}-rpm`,
    arch: 'x86_64',
    summary: long('summary', 200),
    description: words,
    license: long('license', 300),
    changelog: Array.from({ length: 200 }, (_, i) => ({
      time: 1_700_000_000 - i * 86_400,
      author: long(`Build Team ${i}`, 100),
      text: `- ${words.slice(0, 300)}\n- ${long('word', 150)}`,
    })),
  });
}
