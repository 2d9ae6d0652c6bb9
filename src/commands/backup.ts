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
import { dumpPostgres } from './postgres-dump.ts';

/** What a backup is of; the last file that is written into it, and the first that goes. */
export const manifestName = 'backup.json';

export type Manifest = {
  readonly version: string;
  readonly takenAt: string;
  /** The file of the catalog: one of SQLite, or a dump of PostgreSQL; null where it is backed up in another way. */
  readonly catalog: 'catalog.db' | 'catalog.dump' | null;
  readonly tree: boolean;
};

type Wanted = { readonly catalog: boolean; readonly tree: boolean };

export function backupCommand(program: Command): void {
  withDataFlags(
    program
      .command('backup')
      .description('Copy the catalog, the keys and the tree into a directory; a server may run')
      .argument('<dir>', 'an empty directory, or one with an older backup, which becomes this one'),
  )
    .option('--no-catalog', 'leave the catalog out: it is backed up in another way')
    .option('--no-tree', 'leave the published tree out: it is backed up in another way')
    .action(async (dir: string, { catalog, tree, ...flags }: Wanted & Record<string, unknown>) => {
      await backUp(configOf(flags), resolve(dir), { catalog, tree });
    });
}

/** What of the data is in files here: null for a catalog in PostgreSQL, and for a bucket. */
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
async function backUp(config: Config, dir: string, wanted: Wanted): Promise<void> {
  const files = filesOf(config);
  const source = wanted.tree ? files.tree : null;
  if (files.catalog !== null && !existsSync(files.catalog))
    throw new CommandFailed(`There is no catalog ${files.catalog}: nothing to back up.`);
  for (const inside of [files.tree ?? config.dataDir, config.dataDir])
    if (`${dir}/`.startsWith(`${inside}/`)) throw new CommandFailed(`${dir} is inside of ${inside}.`);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await rm(join(dir, manifestName), { force: true });
  const copied =
    source === null ? 0 : await copyTree(source, join(dir, 'tree'), { wants: isNamed, mirror: true });
  const catalog = wanted.catalog ? await copyCatalog(config.database, dir) : null;
  await cp(config.keysDir, join(dir, 'keys'), { recursive: true, force: true });
  const isNew = (key: string): boolean => isNamed(key) && isImmutable(key);
  const late =
    source === null ? 0 : await copyTree(source, join(dir, 'tree'), { wants: isNew, mirror: false });
  const manifest: Manifest = {
    version,
    takenAt: new Date(systemClock.now()).toISOString(),
    catalog,
    tree: source !== null,
  };
  await writeFile(join(dir, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  const parts = [
    catalog === null ? 'without the catalog' : 'the catalog',
    'the keys',
    source === null ? 'without the tree' : `${copied + late} new files of the tree`,
  ];
  stdout.write(`${dir}: ${parts.join(', ')}\n`);
}

/** Not what is being written: the store has a folder for it. */
const isNamed = (key: string): boolean => !key.startsWith('.');

/** Answers the name of the file, and leaves no other that an older backup may have had. */
async function copyCatalog(
  place: Config['database'],
  dir: string,
): Promise<NonNullable<Manifest['catalog']>> {
  const [name, other] =
    place.engine === 'sqlite'
      ? (['catalog.db', 'catalog.dump'] as const)
      : (['catalog.dump', 'catalog.db'] as const);
  const target = join(dir, name);
  if (place.engine === 'sqlite') {
    await rm(`${target}.part`, { force: true });
    await backUpSqlite(place.path, `${target}.part`);
    await rename(`${target}.part`, target);
  } else await dumpPostgres(place.url, target);
  await rm(join(dir, other), { force: true });
  return name;
}
