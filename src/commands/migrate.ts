import { existsSync } from 'node:fs';
import { stderr, stdout } from 'node:process';
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { migrate, openCatalogAt, type CatalogPlace } from '../db/catalog.ts';
import { copyCatalog } from '../db/copy-catalog.ts';
import { isOpenElsewhere } from '../db/exclusive.ts';
import { CommandFailed } from './failed.ts';
import { configOf, withDataFlags } from './options.ts';
import { withoutServer } from './without-server.ts';

type MigrateFlags = { readonly from: string; readonly to?: string } & Record<string, unknown>;

export function migrateCommand(program: Command): void {
  withDataFlags(
    program
      .command('migrate')
      .description('Copy the catalog from SQLite into an empty PostgreSQL database; no server may run'),
  )
    .requiredOption('--from <url>', 'sqlite:PATH; no row of it changes')
    .option('--to <url>', 'postgres://USER@HOST:PORT/DATABASE; default: the database_url of the settings')
    .action(async ({ from, to, ...flags }: MigrateFlags) => {
      const { database: source, dataDir } = configOf({ ...flags, databaseUrl: from });
      const { database: target } = configOf({ ...flags, databaseUrl: to });
      if (source.engine !== 'sqlite' || target.engine !== 'postgres')
        throw new CommandFailed('A catalog goes from sqlite:PATH to postgres://… and nowhere else.');
      // Not made here, neither of them: a misspelled path would be an empty catalog.
      for (const path of [dataDir, source.path])
        if (!existsSync(path)) throw new CommandFailed(`There is no ${path}: set --data and --from.`);
      await withoutServer({ dataDir }, async () => {
        if (isOpenElsewhere(source.path))
          throw new CommandFailed(`Another program has ${source.path} open: stop it first.`);
        await move(source, target);
      });
    });
}

async function move(source: CatalogPlace, target: CatalogPlace): Promise<void> {
  const [from, to] = [openCatalogAt(source), openCatalogAt(target)];
  try {
    for (const catalog of [to, from]) await migrate(catalog, systemClock.now());
    const copied = new Map<string, number>();
    await copyCatalog(from, to, (table, { rows, sha256 }) => {
      copied.set(table, rows);
      stderr.write(`${table}: ${rows} rows, SHA-256 ${sha256}\n`);
    });
    const total = [...copied.values()].reduce((sum, rows) => sum + rows, 0);
    stdout.write(
      `${total} rows of ${copied.size} tables are copied and compared. Start the server with database_url set.\n`,
    );
  } finally {
    await Promise.all([from.destroy(), to.destroy()]);
  }
}
