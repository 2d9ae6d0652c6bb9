import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import t from 'tap';
import { checkCatalog, migrate, openSqlite } from '../../src/db/catalog.ts';
import { runScript } from '../program.ts';
import { temporaryDir } from '../server.ts';
import { catalogWith, emptyCatalog, put } from './rows.ts';

const migrations = readdirSync(join(import.meta.dirname, '../../migrations'))
  .filter((name) => name.endsWith('.sql'))
  .sort();

t.test('every migration is applied once, in order', async (t) => {
  const db = openSqlite(join(temporaryDir(t), 'catalog.db'));
  t.teardown(() => db.destroy());
  t.same(await migrate(db, 5), migrations);
  t.same(await migrate(db, 6), []);
  const rows = await db.selectFrom('schema_migrations').selectAll().orderBy('name').execute();
  t.same(
    rows,
    migrations.map((name) => ({ name, applied_at: 5 })),
  );
});

/** Runs the same lines in several processes at once; answers what each has written. */
async function inProcesses(count: number, script: string): Promise<string[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const child = runScript(script);
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) throw new Error(`ended with ${code}: ${output}`);
      return output;
    }),
  );
}

t.test('programs that open a new catalog at once apply each once', async (t) => {
  const path = join(temporaryDir(t), 'catalog.db');
  const outputs = await inProcesses(
    3,
    `const { migrate, openSqlite } = await import('./src/db/catalog.ts');
    const db = openSqlite(${JSON.stringify(path)});
    console.log(JSON.stringify(await migrate(db, 0)));
    await db.destroy();`,
  );
  t.same(outputs.flatMap((output) => JSON.parse(output) as string[]).sort(), migrations);
});

t.test('a catalog of the first version is brought on with everything in it', async (t) => {
  const db = openSqlite(join(temporaryDir(t), 'catalog.db'));
  t.teardown(() => db.destroy());
  const [first = ''] = migrations;
  const text = readFileSync(join(import.meta.dirname, '../../migrations', first), 'utf8');
  for (const statement of text.split(/;\s*\n/).filter((part) => /^\s*CREATE/m.test(part)))
    await sql.raw(statement).execute(db);
  await sql`CREATE TABLE schema_migrations (name TEXT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)`.execute(
    db,
  );
  await sql`INSERT INTO schema_migrations VALUES (${first}, 1)`.execute(db);
  await sql`INSERT INTO repositories VALUES ('acme', 'Packages', 'acme', 'private', 7)`.execute(db);
  await sql`INSERT INTO channels VALUES ('acme/stable', 'acme', 'stable', 'apt', '', 'acme', 'acme', 'd', 'main', 'amd64', 3, 8)`.execute(
    db,
  );
  await sql`INSERT INTO generations VALUES ('acme/stable', 3, 1, 2, 3, 'upload', 'me', 1, 0, 1, '{}', '[]')`.execute(
    db,
  );
  await sql`INSERT INTO signing_keys VALUES ('ABCD', 'acme', 'active', 'a key', 9)`.execute(db);

  t.same(await migrate(db, 2), migrations.slice(1));
  t.match(await db.selectFrom('repositories').selectAll().execute(), [
    { name: 'acme', visibility: 'private' },
  ]);
  t.match(await db.selectFrom('channels').selectAll().execute(), [{ id: 'acme/stable', head: 3 }]);
  t.match(await db.selectFrom('generations').selectAll().execute(), [{ number: 3, date: 1, settings: '' }]);
  t.match(await db.selectFrom('signing_keys').selectAll().execute(), [
    { fingerprint: 'ABCD', repository: 'acme', state: 'active', public_key: 'a key', created_at: 9 },
  ]);
});

t.test('what a newer version has done to the catalog', async (t) => {
  const db = await emptyCatalog(t);
  const later = async (name: string): Promise<void> => {
    await db.insertInto('schema_migrations').values({ name, applied_at: 1 }).execute();
  };
  await later('9998_later.expands.sql');
  t.same(await migrate(db, 2), [], 'what only adds to it is no obstacle');
  await later('9999_later.sql');
  await db
    .deleteFrom('schema_migrations')
    .where('name', '=', migrations.at(-1) ?? '')
    .execute();
  const refused = { code: 'catalog_newer', message: /has 9999_later.sql, which/ };
  await t.rejects(migrate(db, 3), refused);
  t.same(
    await db.selectFrom('schema_migrations').select('name').where('applied_at', '=', 3).execute(),
    [],
    'nothing is applied to it',
  );
});

/** Statements after which an older version, which goes on beside a newer one, would not find what it knows. */
function breaking(text: string): string[] {
  const statements = text
    .replace(/^--.*$/gm, '')
    .split(/;\s*\n/)
    .map((statement) => statement.trim())
    .filter(Boolean);
  const column = /^ALTER TABLE \w+ ADD COLUMN \w+ (TEXT|BIGINT)(( NOT NULL)? DEFAULT ('[^']*'|\d+))?$/;
  return statements.filter((one) => !/^CREATE (TABLE|INDEX) /.test(one) && !column.test(one));
}

t.test('a migration that says that it only expands does', (t) => {
  t.same(
    breaking(
      `-- Why.
      CREATE TABLE a (b TEXT NOT NULL PRIMARY KEY);
      CREATE INDEX c ON a (b);
      ALTER TABLE a ADD COLUMN d TEXT NOT NULL DEFAULT '';
      ALTER TABLE a ADD COLUMN e BIGINT;
      `,
    ),
    [],
  );
  for (const statement of [
    'DROP TABLE a',
    'DROP INDEX c',
    'ALTER TABLE a RENAME TO b',
    'ALTER TABLE a DROP COLUMN b',
    'ALTER TABLE a ADD COLUMN d TEXT NOT NULL',
    'CREATE UNIQUE INDEX c ON a (b)',
    'UPDATE a SET b = 1',
    'DELETE FROM a',
  ])
    t.same(breaking(`${statement};\n`), [statement]);
  for (const name of migrations.filter((one) => one.endsWith('.expands.sql')))
    t.same(breaking(readFileSync(join(import.meta.dirname, '../../migrations', name), 'utf8')), [], name);
  t.end();
});

t.test('a migration that fails leaves nothing, and is tried again', async (t) => {
  const db = openSqlite(join(temporaryDir(t), 'catalog.db'));
  t.teardown(() => db.destroy());
  await sql`CREATE TABLE tokens (x TEXT)`.execute(db);
  await t.rejects(migrate(db, 0), /already exists/);
  const { rows } = await sql`SELECT name FROM sqlite_master WHERE name = 'repositories'`.execute(db);
  t.same(rows, []);
  await sql`DROP TABLE tokens`.execute(db);
  t.same(await migrate(db, 0), migrations);
});

t.test('what is acknowledged is on the disk, and what refers to something needs it', async (t) => {
  const db = await emptyCatalog(t);
  const pragma = async (name: string): Promise<unknown> =>
    Object.values(
      (await sql<Record<string, unknown>>`${sql.raw(`PRAGMA ${name}`)}`.execute(db)).rows[0] ?? {},
    )[0];
  t.equal(await pragma('journal_mode'), 'wal');
  t.equal(await pragma('synchronous'), 2, 'FULL');
  t.equal(await pragma('foreign_keys'), 1);
  await t.rejects(put(db, 'channels', { id: 'nowhere/x', repository: 'nowhere', name: 'x' }), /foreign key/i);
});

t.test('a new catalog is its owner’s alone, its folder and its files', async (t) => {
  const folder = join(temporaryDir(t), 'a/b');
  const db = openSqlite(join(folder, 'catalog.db'));
  await migrate(db, 0);
  t.equal(statSync(folder).mode & 0o077, 0);
  const files = readdirSync(folder);
  t.ok(files.includes('catalog.db-wal'));
  for (const name of files) t.equal(statSync(join(folder, name)).mode & 0o077, 0, name);
  await db.destroy();
});

t.test('it says whether it answers', async (t) => {
  const db = await catalogWith(t);
  await checkCatalog(db);
  await db.destroy();
  await t.rejects(checkCatalog(db));
});

t.test('a transaction that reads first can still write when another process has written', async (t) => {
  const path = join(temporaryDir(t), 'catalog.db');
  const db = openSqlite(path);
  t.teardown(() => db.destroy());
  await migrate(db, 0);
  await put(db, 'repositories', { name: 'acme', description: '0' });
  await inProcesses(
    3,
    `const { openSqlite } = await import('./src/db/catalog.ts');
    const db = openSqlite(${JSON.stringify(path)});
    for (let i = 0; i < 50; i++)
      await db.transaction().execute(async (transaction) => {
        const row = await transaction.selectFrom('repositories').selectAll().executeTakeFirstOrThrow();
        const description = String(Number(row.description) + 1);
        await transaction.updateTable('repositories').set({ description }).execute();
      });
    await db.destroy();`,
  );
  t.match(await db.selectFrom('repositories').select('description').execute(), [{ description: '150' }]);
});
