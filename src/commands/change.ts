/** What promote and rollback share: ask, show what it is, and say what stands in the way. */
import { stderr, stdout } from 'node:process';
import type { Command } from 'commander';
import type { ChangeReport } from '../registry/change-channel.ts';
import { postJson, Refused, withServerFlags, type Connection, type ServerFlags } from './api.ts';
import { changeText } from './change-text.ts';
import { CommandFailed } from './failed.ts';

export type ChangeFlags = ServerFlags & {
  readonly repository: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly plan?: string;
  readonly json?: boolean;
};

export function withChangeFlags(command: Command): Command {
  return withServerFlags(command)
    .requiredOption('--repository <name>', 'repository')
    .option('--dry-run', 'show what would change, and do nothing')
    .option('--force', 'go on where a guard-rail would stop')
    .option('--plan <plan>', 'do just what this dry run said, or nothing')
    .option('--json', 'print the report as JSON');
}

/** Asks for a change and prints the report; when a guard-rail stands in the way, prints what it would have been. */
export async function change(
  connection: Connection,
  url: URL,
  { dryRun = false, force = false, plan, json = false }: ChangeFlags,
  body: object,
): Promise<void> {
  const ask = (how: object): Promise<ChangeReport> =>
    postJson<ChangeReport>(connection, url, { ...body, ...how });
  try {
    const report = await ask({ dryRun, force, plan });
    stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : changeText(report));
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'needs_force') throw error;
    const report = await ask({ dryRun: true });
    if (json) stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else stderr.write(changeText(report));
    throw new CommandFailed('Nothing was changed. Use --force if this is meant. (needs_force)', {
      cause: error,
    });
  }
}
