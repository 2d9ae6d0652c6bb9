/** The catalog moves from SQLite to PostgreSQL, and machines and uploaders notice nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import t from 'tap';
import { migrate, openCatalogAt } from '../../src/db/catalog.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { jsonOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { debSample, rpmSample } from '../packages.ts';
import { startPostgres, unlessPostgres, type Postgres } from '../postgres.ts';
import { runCommand, type Ended } from '../program.ts';
import { readApt, readFrom, readYum, sha256 } from '../served.ts';
import { startProgram, temporaryDir, type Program } from '../server.ts';

t.setTimeout(240_000);
const skip = unlessPostgres();
const main = '/api/v1/repositories/main';

/** More rows than are read at once, and names that a collation other than that of code points orders otherwise. */
function manyFiles(): Buffer {
  const names = Array.from({ length: 1_200 }, (_, i) => `${i % 2 === 0 ? 'a' : 'B'}-${i}`);
  return buildDeb({
    control: {
      Package: 'many',
      Version: '1.0-1',
      Architecture: 'amd64',
      Description: 'élan, Ωmega and 漢字',
    },
    files: [...names, 'été', 'Été', '~x'].map((name) => ({ path: `/usr/share/many/${name}`, data: name })),
  });
}

/** Uploads of both formats, a promotion, a yank and a token. */
async function fill(server: Program): Promise<void> {
  const body = JSON.stringify({ format: 'apt' });
  await jsonOf(await server.api(`${main}/channels/staging`, { method: 'PUT', body }));
  for (const name of ['first', 'second', 'yanked']) {
    const [deb, rpm] = [debSample(name), rpmSample(name)];
    await jsonOf(await server.upload('staging', deb.filename, deb.bytes));
    await jsonOf(await server.upload('stable-rpm', rpm.filename, rpm.bytes));
  }
  await jsonOf(await server.upload('staging', 'many_1.0-1_amd64.deb', manyFiles()));
  const promotion = JSON.stringify({ from: 'staging', to: 'stable' });
  await jsonOf(await server.api(`${main}/promotions`, { method: 'POST', body: promotion }));
  const yanked = `${main}/channels/stable/packages/yanked/1.0-1/amd64`;
  await jsonOf(await server.api(yanked, { method: 'DELETE' }));
}

/** Every file of the published tree with its digest. */
function treeOf(dataDir: string): Map<string, string> {
  const dir = join(dataDir, 'tree');
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).sort();
  return new Map(paths.map((path) => [path, sha256(readFileSync(path))]));
}

/** Everything that was done, as the API tells it. */
async function eventsOf(server: Program): Promise<unknown> {
  return await jsonOf(await server.api(`${main}/events?limit=100`));
}

async function served(server: Program): Promise<unknown[]> {
  const read = readFrom(server.url);
  const pointers = ['dists/stable/InRelease', 'dists/staging/InRelease'].map((path) => `apt/main/${path}`);
  const documents = [...pointers, 'yum/main/stable-rpm/repodata/repomd.xml'];
  return [
    ...(await Promise.all(documents.map(async (path) => sha256(await read(path))))),
    await readApt(read, 'main', 'stable'),
    await readYum(read, 'main', 'stable-rpm'),
  ];
}

async function rowsIn(url: string): Promise<number> {
  const db = openPostgres(url);
  try {
    return (await db.selectFrom('repositories').select('name').execute()).length;
  } finally {
    await db.destroy();
  }
}

t.test('a catalog moves to PostgreSQL', { skip }, async (t) => {
  const postgres: Postgres = await startPostgres(t);
  const server = await startProgram(t);
  const { dataDir } = server;
  const port = Number(new URL(server.url).port);
  const catalog = join(dataDir, 'catalog.db');
  const source = `sqlite:${catalog}`;
  const target = await postgres.newDatabase();
  const move = (to: string, from = source, data = dataDir): Promise<Ended> =>
    runCommand(['migrate', '--from', from, '--to', to, '--data', data]);

  await fill(server);
  const token = runCommand(['token', 'create', '--name', 'ci', '--scope', 'upload', '--data', dataDir]);
  const authorization = `Bearer ${(await token).stdout.trim()}`;
  const [before, events] = [await served(server), await eventsOf(server)];
  t.match(await move(target), { code: 1, stderr: /A server is running/ });
  const elsewhere = await move(target, source, temporaryDir(t));
  t.match(elsewhere, { code: 1, stderr: /has .*catalog\.db open: stop it first/ }, 'whatever --data says');
  t.equal(await server.stop(), 0);
  const tree = treeOf(dataDir);
  const beside = openCatalogAt({ engine: 'sqlite', path: catalog });
  await sql`CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)`.execute(beside);
  await beside.destroy();

  await t.test('what is not a copy is refused and leaves nothing', async (t) => {
    for (const [statements, code] of [
      [["INSERT INTO schema_migrations VALUES ('9999_later.sql', 1)"], 'catalog_newer'],
      [["INSERT INTO schema_migrations VALUES ('9999_later.expands.sql', 1)"], 'catalog_versions'],
      [
        [
          `CREATE FUNCTION other() RETURNS trigger AS 'BEGIN NEW.summary := upper(NEW.summary); RETURN NEW; END' LANGUAGE plpgsql`,
          'CREATE TRIGGER other BEFORE INSERT ON packages FOR EACH ROW EXECUTE FUNCTION other()',
        ],
        'catalog_copy_differs',
      ],
    ] as const) {
      const url = await postgres.newDatabase();
      const db = openPostgres(url);
      await migrate(db, Date.now());
      for (const statement of statements) await sql.raw(statement).execute(db);
      await db.destroy();
      t.match(await move(url), { code: 1, stderr: new RegExp(`\\(${code}\\)`) });
      t.equal(await rowsIn(url), 0, code);
    }
    t.match(await move(target, `sqlite:${join(dataDir, 'none.db')}`), { code: 1, stderr: /There is no/ });
    t.match(await move(source), { code: 1, stderr: /from sqlite:PATH to postgres:/ });
  });

  const moved = await move(target);
  t.match(moved, { code: 0, stdout: /^\d+ rows of \d+ tables are copied/ }, moved.stderr);
  t.match(moved.stderr, /^package_files: 1\d\d\d rows, SHA-256 [0-9a-f]{64}$/m);
  const [old, copy] = [openCatalogAt({ engine: 'sqlite', path: catalog }), openPostgres(target)];
  const counts = [...moved.stderr.matchAll(/^(\w+): (\d+) rows/gm)];
  t.ok(counts.length > 20);
  for (const [, name = '', rows] of counts) {
    const count = sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.table(name)}`;
    const counted = [(await count.execute(old)).rows, (await count.execute(copy)).rows];
    t.same(counted, [[{ n: Number(rows) }], [{ n: Number(rows) }]], name);
  }
  await Promise.all([old.destroy(), copy.destroy()]);

  const env = { ENTREPOT_DATABASE_URL: target };
  const again = await startProgram(t, { dataDir, port, env });
  t.same(treeOf(dataDir), tree, 'the start publishes nothing, and writes nothing otherwise than it was');
  t.same(await served(again), before);
  t.same(await eventsOf(again), events);
  const { filename, bytes } = debSample('later');
  const upload = await again.api(`${main}/channels/stable/packages/${filename}`, {
    method: 'PUT',
    body: new Uint8Array(bytes),
    headers: { authorization },
  });
  t.match(await upload.json(), { status: 'created', channel: 'stable' }, 'with the token from before');
  const names = (await readApt(readFrom(again.url), 'main', 'stable')).map(({ name }) => name);
  t.same(names, ['first', 'later', 'many', 'second']);
  t.equal(await again.stop(), 0);
  t.match(await runCommand(['fsck', '--data', dataDir], env), { code: 0, stdout: 'clean\n' });

  const twice = await move(target);
  t.match(twice, { code: 1, stderr: /The table \w+ of the target has rows\. .*\(catalog_not_empty\)/ });
  const byDefault = await runCommand(['migrate', '--from', source, '--data', dataDir], env);
  t.match(byDefault, { code: 1, stderr: /catalog_not_empty/ }, 'the settings name the target');
});
