import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stdout } from 'node:process';
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { backUpSqlite } from '../db/backup.ts';
import { isImmutable } from '../formats/tree.ts';
import { copyTree } from '../store/copy-tree.ts';
import { version } from '../version.ts';
import { CommandFailed } from './failed.ts';
import { configOf, withDataFlags } from './options.ts';

/** What a backup is of; the last file that is written into it, and the first that goes. */
export const manifestName = 'backup.json';

export type Manifest = {
  readonly version: string;
  readonly takenAt: string;
  readonly catalog: boolean;
  readonly tree: boolean;
};

export function backupCommand(program: Command): void {
  withDataFlags(
    program
      .command('backup')
      .description('Copy the catalog, the keys and the tree into a directory; a server may run')
      .argument('<dir>', 'an empty directory, or one with an older backup, which becomes this one'),
  )
    .option('--no-tree', 'leave the published tree out: it is backed up in another way')
    .action(async (dir: string, { tree, ...flags }: { tree: boolean } & Record<string, unknown>) => {
      await backUp(configOf(flags), resolve(dir), tree);
    });
}

/** What of the data is in files here: null for a catalog in PostgreSQL, which pg_dump copies, and for a bucket. */
export function filesOf({ database, store }: Config): { catalog: string | null; tree: string | null } {
  return {
    catalog: database.engine === 'sqlite' ? database.path : null,
    tree: store.kind === 'directory' ? store.path : null,
  };
}

/**
 * The tree comes first, because it takes longest, then the catalog, then what the tree got meanwhile: so that
 * everything that the catalog names is there, and no pointer is newer than it.
 */
async function backUp(config: Config, dir: string, wantsTree: boolean): Promise<void> {
  const files = filesOf(config);
  const source = wantsTree ? files.tree : null;
  if (files.catalog !== null && !existsSync(files.catalog))
    throw new CommandFailed(`There is no catalog ${files.catalog}: nothing to back up.`);
  for (const inside of [files.tree ?? config.dataDir, config.dataDir])
    if (`${dir}/`.startsWith(`${inside}/`)) throw new CommandFailed(`${dir} is inside of ${inside}.`);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await rm(join(dir, manifestName), { force: true });
  const copied =
    source === null ? 0 : await copyTree(source, join(dir, 'tree'), { wants: isNamed, mirror: true });
  if (files.catalog !== null) await copyCatalog(files.catalog, join(dir, 'catalog.db'));
  await cp(join(config.dataDir, 'keys'), join(dir, 'keys'), { recursive: true, force: true });
  const isNew = (key: string): boolean => isNamed(key) && isImmutable(key);
  const late =
    source === null ? 0 : await copyTree(source, join(dir, 'tree'), { wants: isNew, mirror: false });
  const manifest: Manifest = {
    version,
    takenAt: new Date(systemClock.now()).toISOString(),
    catalog: files.catalog !== null,
    tree: source !== null,
  };
  await writeFile(join(dir, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  const parts = [
    files.catalog === null ? 'without the catalog: now run pg_dump' : 'the catalog',
    'the keys',
    source === null ? 'without the tree' : `${copied + late} new files of the tree`,
  ];
  stdout.write(`${dir}: ${parts.join(', ')}\n`);
}

/** Not what is being written: the store has a folder for it. */
const isNamed = (key: string): boolean => !key.startsWith('.');

async function copyCatalog(path: string, target: string): Promise<void> {
  await rm(`${target}.part`, { force: true });
  await backUpSqlite(path, `${target}.part`);
  await rename(`${target}.part`, target);
}
