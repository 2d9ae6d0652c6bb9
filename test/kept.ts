/** Everything that a server keeps, as a value that two moments can be compared by. */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Catalog } from '../src/db/catalog.ts';

/** Every file and link below a folder with what it holds, by its path. Time stamps are left out. */
export function listTree(root: string): Record<string, string> {
  if (!existsSync(root)) return {};
  const found: Record<string, string> = {};
  for (const name of (readdirSync(root, { recursive: true }) as string[]).sort()) {
    const path = join(root, name);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) found[name] = `-> ${readlinkSync(path)}`;
    else if (stat.isFile()) found[name] = createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return found;
}

/** Every row of the catalog, a token's last use left out: looking at something is no change. */
export async function dumpCatalog(db: Catalog): Promise<Record<string, unknown[]>> {
  const dump: Record<string, unknown[]> = {};
  for (const { name: table } of await db.introspection.getTables()) {
    const { rows } = await sql<Record<string, unknown>>`SELECT * FROM ${sql.table(table)}`.execute(db);
    dump[table] = rows.map((row) => JSON.stringify({ ...row, last_used_at: undefined })).sort();
  }
  return dump;
}

/** The tree, the catalog and the staging folder of a server in this process. */
export async function everythingKept(server: {
  readonly dataDir: string;
  readonly app: { readonly db: Catalog };
}): Promise<{ tree: Record<string, string>; staging: string[]; catalog: Record<string, unknown[]> }> {
  return {
    tree: listTree(join(server.dataDir, 'tree')),
    staging: readdirSync(join(server.dataDir, 'staging')),
    catalog: await dumpCatalog(server.app.db),
  };
}
