import { join } from 'node:path';
import { stdout } from 'node:process';
import type { Command } from 'commander';
import { holdExclusively } from '../db/exclusive.ts';
import { checkEverything } from '../registry/fsck.ts';
import { DirectoryStore } from '../store/directory.ts';
import { CommandFailed } from './failed.ts';
import { openCatalog } from './open-catalog.ts';
import { withDataFlags } from './options.ts';

export function fsckCommand(program: Command): void {
  withDataFlags(
    program.command('fsck').description('Check the published tree against the packages and the catalog'),
  ).action(async (flags: Record<string, unknown>) => {
    await using catalog = await openCatalog(flags);
    const store = new DirectoryStore(catalog.config.storeDir, (error) => {
      throw error;
    });
    let faults = 0;
    const alone = isAlone(catalog.config.dataDir);
    for await (const fault of checkEverything({ db: catalog.db, store }, { alone })) {
      faults += 1;
      stdout.write(`${fault.key}: ${fault.problem}\n`);
    }
    if (faults > 0) throw new CommandFailed(`${faults} differences between the catalog and the tree`);
    stdout.write('clean\n');
  });
}

/** Whether no server is running on this directory, so that nothing moves while it is looked at. */
function isAlone(dataDir: string): boolean {
  const unlock = holdExclusively(join(dataDir, 'lock.db'));
  unlock?.();
  return unlock !== null;
}
