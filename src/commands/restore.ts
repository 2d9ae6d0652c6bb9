import { existsSync, readFileSync } from 'node:fs';
import { copyFile, cp, mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { stdout } from 'node:process';
import type { Command } from 'commander';
import type { Config } from '../config.ts';
import { checkSqlite } from '../db/backup.ts';
import { openSqlite } from '../db/catalog.ts';
import { listChannels } from '../db/channels.ts';
import { AppError } from '../errors.ts';
import { copyTree } from '../store/copy-tree.ts';
import { filesOf, manifestName, type Manifest } from './backup.ts';
import { CommandFailed } from './failed.ts';
import { configOf, withDataFlags } from './options.ts';
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
  if (catalog) checkSqlite(join(dir, 'catalog.db'));
  await cp(join(dir, 'keys'), join(config.dataDir, 'keys'), { recursive: true });
  if (tree && files.tree !== null) await restoreTree(join(dir, 'tree'), files.tree);
  if (catalog && files.catalog !== null) await restoreCatalog(join(dir, 'catalog.db'), files.catalog);
  else
    stdout.write(
      'The catalog is not in this backup, or not for this database: restore it with pg_restore.\n',
    );
  stdout.write(`This is what was there on ${takenAt}; what was uploaded later has to be uploaded again.\n`);
}

async function restoreCatalog(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await copyFile(from, to);
  const db = openSqlite(to);
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
