import { stdout } from 'node:process';
import type { Command } from 'commander';
import type { Resumed } from '../registry/resume-channel.ts';
import { connectionOf, postJson, repositoryUrl, withServerFlags, type ServerFlags } from './api.ts';

export function resumeCommand(program: Command): void {
  withServerFlags(
    program
      .command('resume')
      .description('After an older catalog was restored: publish what it says of a channel')
      .argument('<channel>'),
  )
    .requiredOption('--repository <name>', 'repository')
    .action(async (channel: string, { repository, ...flags }: ServerFlags & { repository: string }) => {
      const connection = connectionOf(flags);
      const url = repositoryUrl(connection, repository, 'channels', channel, 'resume');
      const { generation } = await postJson<Resumed>(connection, url, {});
      stdout.write(`${repository}/${channel}: generation ${generation} is published\n`);
    });
}
