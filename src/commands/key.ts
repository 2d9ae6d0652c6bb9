import { mkdir } from 'node:fs/promises';
import { stdout } from 'node:process';
import type { Command } from 'commander';
import { listRepositories, listSigningKeys } from '../db/repositories.ts';
import { AppError } from '../errors.ts';
import { KeyRing } from '../registry/key-ring.ts';
import { openCatalog } from './open-catalog.ts';
import { withDataFlags } from './options.ts';

export function keyCommand(program: Command): void {
  const key = program.command('key').description('Signing keys');
  withDataFlags(
    key
      .command('generate')
      .description('Make the signing key of a repository, or take up the key file that stands there')
      .argument('<repository>'),
  ).action(async (repository: string, flags: Record<string, unknown>) => {
    await using catalog = await openCatalog(flags);
    const { db, clock, config } = catalog;
    const { keysDir } = config;
    await mkdir(keysDir, { recursive: true, mode: 0o700 });
    const ring = new KeyRing({ db, clock, keysDir, passphrase: config.keyPassphrase });
    if (!(await listRepositories(db)).some((row) => row.name === repository))
      throw new AppError('not_found', `There is no repository "${repository}".`);
    if (await ring.has(repository))
      throw new AppError('conflict', `"${repository}" has a signing key already.`);
    const signer = await ring.generate({ kind: 'operator', name: 'command line' }, repository);
    stdout.write(`${signer.key.fingerprint}\n`);
  });
  withDataFlags(key.command('list').description('The fingerprints of the signing keys')).action(
    async (flags: Record<string, unknown>) => {
      await using catalog = await openCatalog(flags);
      for (const { name } of await listRepositories(catalog.db))
        for (const row of await listSigningKeys(catalog.db, name))
          stdout.write(`${row.fingerprint}  ${row.state}  ${name}\n`);
    },
  );
}
