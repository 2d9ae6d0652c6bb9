import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { stdout } from 'node:process';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import type { Config } from '../config.ts';
import { checkSqlite } from '../db/backup.ts';
import { openCatalogAt } from '../db/catalog.ts';
import { listChannels } from '../db/channels.ts';
import { AppError } from '../errors.ts';
import { copyTree } from '../store/copy-tree.ts';
import { filesOf, manifestName, type Manifest } from './backup.ts';
import { CommandFailed } from './failed.ts';
import { configOf, withDataFlags } from './options.ts';
import { restorePostgres } from './postgres-dump.ts';
import { withoutServer } from './without-server.ts';

export function restoreCommand(program: Command): void {
  withDataFlags(
    program
      .command('restore')
      .description('Put a backup where the server looks for its data; no server may run')
      .argument('<dir>', 'what "entrepot backup" made'),
  ).action(async (dir: string, flags: Record<string, unknown>) => {
    const config = configOf(flags);
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
    await withoutServer(config, () => restore(config, resolve(dir)));
  });
}

/** A catalog that is there is never written over: whoever restores beside a newer one has moved it away first. */
async function restore(config: Config, dir: string): Promise<void> {
  const { takenAt, tree, catalog } = readManifest(dir);
  const files = filesOf(config);
  if (files.catalog !== null && existsSync(files.catalog))
    throw new CommandFailed(`There is a catalog ${files.catalog}: move it away first.`);
  const file = catalog === null ? null : join(dir, catalog);
  const wantedFile = config.database.engine === 'sqlite' ? 'catalog.db' : 'catalog.dump';
  if (catalog !== null && catalog !== wantedFile)
    throw new CommandFailed(`The backup has its catalog in ${catalog}: set database_url as it was then.`);
  if (catalog === 'catalog.db') checkSqlite(join(dir, catalog));
  // Before the files, because the database may be the wrong one, or not be empty.
  if (file !== null && config.database.engine === 'postgres')
    await restorePostgres(config.database.url, file);
  await cp(join(dir, 'keys'), config.keysDir, { recursive: true });
  if (tree && files.tree !== null) await restoreTree(join(dir, 'tree'), files.tree);
  if (file !== null && files.catalog !== null) await restoreSqlite(file, files.catalog);
  if (file === null)
    stdout.write('The catalog is not in this backup: restore it before the server starts.\n');
  else await nameHeads(config.database);
  stdout.write(`This is what was there on ${takenAt}; what was uploaded later has to be uploaded again.\n`);
}

async function restoreSqlite(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  // For its owner alone, whatever the copy was: copyFile would take its mode over.
  await pipeline(createReadStream(from), createWriteStream(to, { flags: 'wx', mode: 0o600, flush: true }));
}

async function nameHeads(place: Config['database']): Promise<void> {
  const db = openCatalogAt(place);
  try {
    for (const { id, head } of await listChannels(db)) stdout.write(`${id}: generation ${head}\n`);
  } finally {
    await db.destroy();
  }
}

/** What stands in the tree stays: pointers there that are newer than the catalog tell what clients have seen. */
async function restoreTree(from: string, to: string): Promise<void> {
  const wants = (key: string): boolean => !existsSync(join(to, key));
  await copyTree(from, to, { wants, mirror: false });
}

function readManifest(dir: string): Manifest {
  try {
    // Written by the backup command.
    return JSON.parse(readFileSync(join(dir, manifestName), 'utf8')) as Manifest;
  } catch (cause) {
    throw new AppError('backup_damaged', `${dir} holds no backup that came to its end.`, undefined, {
      cause,
    });
  }
}
