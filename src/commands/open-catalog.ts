import { existsSync } from 'node:fs';
import { systemClock, type Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { migrate, openCatalogAt, type Catalog } from '../db/catalog.ts';
import { CommandFailed } from './failed.ts';
import { configOf } from './options.ts';

export type OpenCatalog = AsyncDisposable & {
  readonly config: Config;
  readonly db: Catalog;
  readonly clock: Clock;
};

/** The catalog alone, for commands that may run beside a running server. */
export async function openCatalog(flags: Record<string, unknown>): Promise<OpenCatalog> {
  const { data, config: file } = flags;
  const config = configOf({ data, config: file });
  // Not made here: a misspelled directory would be clean, and a token in an empty one would be taken for a sign
  // that it is initialised.
  const { database } = config;
  if (database.engine === 'sqlite' && !existsSync(database.path))
    throw new CommandFailed(`There is no catalog ${database.path}: start the server once, or set --data.`);
  const db = openCatalogAt(database);
  await migrate(db, systemClock.now());
  return { config, db, clock: systemClock, [Symbol.asyncDispose]: () => db.destroy() };
}
