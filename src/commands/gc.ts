import { stdout } from 'node:process';
import type { Command } from 'commander';
import type { Collection } from '../registry/collect.ts';
import { connectionOf, postJson, withServerFlags, type ServerFlags } from './api.ts';
import { changeText, columns } from './change-text.ts';

type GcFlags = ServerFlags & {
  readonly repository?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
};

export function gcCommand(program: Command): void {
  withServerFlags(
    program.command('gc').description('Collect what no kept generation needs any more; the server does it'),
  )
    .option('--repository <name>', 'one repository; default: all')
    .option('--dry-run', 'list what would be done, and do nothing')
    .option('--json', 'print the report as JSON')
    .action(async ({ repository, dryRun = false, json = false, ...flags }: GcFlags) => {
      const connection = connectionOf(flags);
      const url = new URL(`${connection.server}/api/v1/collections`);
      const { collections } = await postJson<{ collections: Collection[] }>(connection, url, {
        dryRun,
        ...(repository === undefined ? {} : { repository }),
      });
      if (json) stdout.write(`${JSON.stringify(collections, null, 2)}\n`);
      else for (const collection of collections) stdout.write(collectionText(collection, dryRun));
    });
}

function collectionText(collection: Collection, dryRun: boolean): string {
  const { repository, generations, packages, deleted, waiting, bytes, retained, expired } = collection;
  const would = dryRun ? 'would be ' : '';
  const rows = [
    ...generations.map(({ channel, generation }) => ['generation', `${channel} ${generation}`, '', '']),
    ...packages.map(({ name, version, architecture, size }) => [
      'package',
      name,
      `${version} ${architecture}`,
      String(size),
    ]),
    ...deleted.map(({ key, size }) => ['file', key, '', String(size)]),
  ];
  return [
    `${repository}: ${generations.length} generations and ${packages.length} packages ${would}marked, `,
    `${deleted.length} files with ${bytes.deleted} bytes ${would}deleted, `,
    `${waiting.length} files with ${bytes.waiting} bytes ${dryRun ? 'would go' : 'go'} an hour after they were marked\n`,
    columns(rows),
    ...retained.map(changeText),
    ...expired.map((channel) => `${channel}: ${dryRun ? 'would expire' : 'expired'}\n`),
  ].join('');
}
