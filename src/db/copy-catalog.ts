/** A whole catalog from SQLite to PostgreSQL, table by table, as of one moment. */
import { createHash, type Hash } from 'node:crypto';
import { sql, type RawBuilder } from 'kysely';
import { AppError } from '../errors.ts';
import type { Catalog } from './catalog.ts';
import { transact } from './transact.ts';

/** Rows that are in memory at once: one with the entries of a large package has some megabytes. */
const maxRows = 500;
/** The protocol of PostgreSQL counts the parameters of a statement in 16 bits. */
const maxParameters = 65_535;

type Row = Readonly<Record<string, string | number | null>>;

/** `key`: the columns of the primary key, in its order, which is that of the rows on both engines. */
type Table = { readonly name: string; readonly columns: readonly string[]; readonly key: readonly string[] };

/** `sha256` is over all rows in the order of their key: equal for equal contents, on either engine. */
export type TableDigest = { readonly rows: number; readonly sha256: string };

/**
 * Copies every table of the SQLite catalog `from` into the PostgreSQL catalog `to`: all or nothing. Both have their
 * migrations. `tell` is called with each table that is copied and was read back equal; for all of them again when
 * the target asks for the transaction to be run again. Nobody writes `from` meanwhile; ids are texts that the program
 * makes, so the target has no sequence to set on. Throws `catalog_versions`, `catalog_not_empty` and
 * `catalog_copy_differs`.
 */
export async function copyCatalog(
  from: Catalog,
  to: Catalog,
  tell: (table: string, digest: TableDigest) => void,
): Promise<void> {
  await from.transaction().execute(async (source) => {
    const tables = await listTables(source);
    await transact(to, async (target) => {
      await refuseOtherVersion(source, target);
      for (const { name } of tables) await refuseRows(target, name);
      for (const table of tables) tell(table.name, await copyTable(source, target, table));
    });
  });
}

async function copyTable(source: Catalog, target: Catalog, table: Table): Promise<TableDigest> {
  const read = digesting(table);
  for await (const rows of pagesOf(source, table)) {
    read.add(rows);
    await insertRows(target, table, rows);
  }
  // Back from the target: what a type, a trigger or an encoding made of the rows is not what was sent.
  const written = digesting(table);
  for await (const rows of pagesOf(target, table)) written.add(rows);
  const [expected, actual] = [read.end(), written.end()];
  if (expected.rows !== actual.rows || expected.sha256 !== actual.sha256)
    throw new AppError(
      'catalog_copy_differs',
      `Table ${table.name}: ${told(expected)} were read, and ${told(actual)} are in the copy.`,
    );
  // Until PostgreSQL knows how large the tables are, it plans queries as for empty ones.
  await sql`ANALYZE ${sql.table(table.name)}`.execute(target);
  return actual;
}

const told = ({ rows, sha256 }: TableDigest): string => `${rows} rows (SHA-256 ${sha256})`;

/** The tables of a SQLite catalog, each after those that it refers to. */
async function listTables(source: Catalog): Promise<Table[]> {
  // Litestream keeps tables of its own beside ours, whose names begin with "_".
  const { rows: columns } = await sql<{ table: string; column: string; position: number }>`
    SELECT t.name AS "table", c.name AS "column", c.pk AS position
    FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND t.name NOT GLOB 'sqlite_*' AND t.name NOT GLOB '_*'
      AND t.name <> 'schema_migrations'
    ORDER BY t.name, c.cid`.execute(source);
  const { rows: references } = await sql<{ table: string; needs: string }>`
    SELECT DISTINCT t.name AS "table", f."table" AS needs
    FROM sqlite_schema AS t JOIN pragma_foreign_key_list(t.name) AS f
    WHERE t.type = 'table' AND f."table" <> t.name`.execute(source);
  const waiting = new Map(
    [...Map.groupBy(columns, ({ table }) => table)].map(([name, all]) => [name, tableOf(name, all)]),
  );
  const tables: Table[] = [];
  while (waiting.size > 0) {
    const next = [...waiting.values()].find(
      ({ name }) => !references.some(({ table, needs }) => table === name && waiting.has(needs)),
    );
    if (!next) throw new Error(`tables that refer to each other: ${[...waiting.keys()].join(', ')}`);
    waiting.delete(next.name);
    tables.push(next);
  }
  return tables;
}

function tableOf(name: string, columns: readonly { column: string; position: number }[]): Table {
  const key = columns.filter(({ position }) => position > 0).sort((a, b) => a.position - b.position);
  if (key.length === 0) throw new Error(`table ${name} has no primary key`);
  return { name, columns: columns.map(({ column }) => column), key: key.map(({ column }) => column) };
}

/** What one of them has applied and the other does not know comes from a newer version of this program. */
async function refuseOtherVersion(source: Catalog, target: Catalog): Promise<void> {
  const read = async (db: Catalog): Promise<string[]> =>
    (await db.selectFrom('schema_migrations').select('name').orderBy('name').execute()).map(
      ({ name }) => name,
    );
  const [ours, theirs] = [await read(source), await read(target)];
  const differing = [
    ...ours.filter((name) => !theirs.includes(name)),
    ...theirs.filter((name) => !ours.includes(name)),
  ];
  if (differing.length > 0)
    throw new AppError('catalog_versions', `One of the catalogs alone has ${differing.join(', ')}.`);
}

async function refuseRows(target: Catalog, table: string): Promise<void> {
  const { rows } = await sql`SELECT 1 FROM ${sql.table(table)} LIMIT 1`.execute(target);
  if (rows.length > 0) throw new AppError('catalog_not_empty', `The table ${table} of the target has rows.`);
}

function listOf(names: readonly string[]): RawBuilder<unknown> {
  return sql.join(names.map((name) => sql.ref(name)));
}

/** All rows of a table in the order of its key, in pages: each begins after the last row of the one before. */
async function* pagesOf(db: Catalog, { name, columns, key }: Table): AsyncGenerator<readonly Row[]> {
  const limit = Math.min(maxRows, Math.floor(maxParameters / columns.length));
  let after = sql``;
  for (;;) {
    const { rows } = await sql<Row>`
      SELECT ${listOf(columns)} FROM ${sql.table(name)} ${after}
      ORDER BY ${listOf(key)} LIMIT ${sql.lit(limit)}`.execute(db);
    const last = rows.at(-1);
    if (!last) return;
    yield rows;
    after = sql`WHERE (${listOf(key)}) > (${sql.join(key.map((column) => last[column]))})`;
  }
}

async function insertRows(target: Catalog, { name, columns }: Table, rows: readonly Row[]): Promise<void> {
  const values = rows.map((row) => sql`(${sql.join(columns.map((column) => row[column]))})`);
  await sql`INSERT INTO ${sql.table(name)} (${listOf(columns)}) VALUES ${sql.join(values)}`.execute(target);
}

function digesting({ columns }: Table): {
  readonly add: (rows: readonly Row[]) => void;
  readonly end: () => TableDigest;
} {
  const hash: Hash = createHash('sha256');
  let count = 0;
  return {
    add: (rows) => {
      count += rows.length;
      for (const row of rows) hash.update(`${JSON.stringify(columns.map((column) => row[column]))}\n`);
    },
    end: () => ({ rows: count, sha256: hash.digest('hex') }),
  };
}
