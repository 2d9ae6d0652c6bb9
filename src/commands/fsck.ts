import { join } from 'node:path';
import { stdout } from 'node:process';
import type { Command } from 'commander';
import { holdExclusively } from '../db/exclusive.ts';
import { checkEverything, type Fault } from '../registry/fsck.ts';
import { KeyRing } from '../registry/key-ring.ts';
import { repairEverything } from '../registry/repair.ts';
import { openStore } from '../store/open-store.ts';
import { CommandFailed } from './failed.ts';
import { openCatalog, type OpenCatalog } from './open-catalog.ts';
import { withDataFlags } from './options.ts';

export function fsckCommand(program: Command): void {
  withDataFlags(
    program.command('fsck').description('Check the published tree against the packages and the catalog'),
  )
    .option('--repair', 'write again what can be made from the packages and the catalog; no server may run')
    .action(async ({ repair = false, ...flags }: { repair?: boolean } & Record<string, unknown>) => {
      await using catalog = await openCatalog(flags);
      const unlock = holdExclusively(join(catalog.config.dataDir, 'lock.db'));
      if (repair && !unlock)
        throw new CommandFailed(`A server is running on ${catalog.config.dataDir}: stop it before a repair.`);
      // Without a repair a server may start meanwhile, and must find the directory free.
      if (!repair) unlock?.();
      try {
        await run(catalog, { alone: unlock !== null, repair });
      } finally {
        if (repair) unlock?.();
      }
    });
}

async function run(
  catalog: OpenCatalog,
  { alone, repair }: { alone: boolean; repair: boolean },
): Promise<void> {
  const { config, db, clock } = catalog;
  const { store } = await openStore(config, (error) => {
    throw error;
  });
  const check = async (tell: (fault: Fault) => string): Promise<Fault[]> => {
    const faults: Fault[] = [];
    for await (const fault of checkEverything({ db, store }, { alone })) {
      faults.push(fault);
      stdout.write(`${tell(fault)}\n`);
    }
    return faults;
  };
  const found = await check(({ key, problem }) => `${key}: ${problem}`);
  let left = found;
  if (repair && found.length > 0) {
    const { keysDir } = config;
    const keyRing = new KeyRing({ db, clock, keysDir, passphrase: config.keyPassphrase });
    const signerOf = keyRing.signerOf.bind(keyRing);
    await repairEverything({ db, store, clock, validMs: config.validMs, signerOf }, found);
    left = await check(({ key, problem }) => `${key}: ${problem}, and cannot be made again`);
    const lost = new Set(left.map(({ key }) => key));
    const mended = found.filter(({ key }) => !lost.has(key)).length;
    stdout.write(`${mended} of ${found.length} differences are mended\n`);
  }
  if (left.length > 0) throw new CommandFailed(`${left.length} differences between the catalog and the tree`);
  stdout.write('clean\n');
}
