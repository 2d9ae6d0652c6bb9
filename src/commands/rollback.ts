import type { Command } from 'commander';
import { connectionOf, repositoryUrl, wholeNumber } from './api.ts';
import { change, withChangeFlags, type ChangeFlags } from './change.ts';

export function rollbackCommand(program: Command): void {
  withChangeFlags(
    program
      .command('rollback')
      .description('Publish a new generation of a channel whose packages are those of an older one')
      .argument('<channel>')
      .argument('<generation>', 'its number', wholeNumber),
  ).action(async (channel: string, generation: number, flags: ChangeFlags) => {
    const connection = connectionOf(flags);
    const url = repositoryUrl(connection, flags.repository, 'channels', channel, 'rollback');
    await change(connection, url, flags, { generation });
  });
}
