import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stdout } from 'node:process';
import type { Command } from 'commander';
import { parseStorePlace } from '../config.ts';
import { findRepository } from '../db/repositories.ts';
import { exportRepository } from '../registry/export.ts';
import { openStore } from '../store/open-store.ts';
import { CommandFailed } from './failed.ts';
import { openCatalog } from './open-catalog.ts';
import { withDataFlags } from './options.ts';

type ExportFlags = { readonly to: string; readonly url?: string } & Record<string, unknown>;

export function exportCommand(program: Command): void {
  withDataFlags(
    program
      .command('export <repository>')
      .description('Copy a repository to a directory or a bucket, or bring the copy up to date'),
  )
    .requiredOption('--to <place>', 'a directory, or s3://bucket[/prefix]; belongs to exports alone')
    .option('--url <url>', 'the URL of the copy, for its set-up files; default: public_url')
    .action(async (repository: string, { to, url, ...flags }: ExportFlags) => {
      await using catalog = await openCatalog(flags);
      const { config, db, clock } = catalog;
      const publicUrl = url?.replace(/\/+$/, '') ?? config.publicUrl;
      if (publicUrl === undefined)
        throw new CommandFailed('Say with --url where machines find the copy: its set-up files name it.');
      if (!(await findRepository(db, repository)))
        throw new CommandFailed(`There is no repository "${repository}".`);
      const place = parseStorePlace(to);
      if (JSON.stringify(place) === JSON.stringify(config.store))
        throw new CommandFailed('That is the store of the server itself.');
      const fatal = (error: unknown): never => {
        throw error;
      };
      const { store } = await openStore(config, fatal);
      const { store: target } = await openStore({ ...config, store: place }, fatal);
      const stagingDir = join(config.dataDir, 'staging');
      await mkdir(stagingDir, { recursive: true });
      const copiesFolders = place.kind === 'bucket';
      const request = { repository, target, copiesFolders, publicUrl };
      const { copied, unchanged, removed } = await exportRepository(
        { db, store, clock, stagingDir },
        request,
      );
      stdout.write(`${copied} files copied, ${unchanged} there already, ${removed} removed\n`);
    });
}
