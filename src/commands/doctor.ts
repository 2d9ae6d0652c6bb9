import { existsSync } from 'node:fs';
import { getuid, stdout } from 'node:process';
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { clientEnvironment, ConfigError, proxyEnvironment, type Config } from '../config.ts';
import { checkCatalog, openCatalogAt, type Catalog } from '../db/catalog.ts';
import { examineSetUp } from '../doctor/client/checks.ts';
import { fault, runChecks, type Finding } from '../doctor/finding.ts';
import { serverChecks } from '../doctor/server/checks.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { CommandFailed } from './failed.ts';
import { configOf, withDataFlags } from './options.ts';

type Flags = { readonly client?: string; readonly json?: boolean } & Record<string, unknown>;

export function doctorCommand(program: Command): void {
  withDataFlags(
    program.command('doctor').description('Look for what is wrong with this server, or with a client of one'),
  )
    .option('--client <set-up>', 'on a client: its .sources or .repo file, or the URL of one on the server')
    .option('--json', 'the findings as JSON')
    .action(async ({ client, json = false, ...flags }: Flags) => {
      const findings =
        client === undefined
          ? await collect(examineServer(flags), json)
          : await collect(examineSetUp(client, machine()), json);
      if (json) stdout.write(`${JSON.stringify({ findings }, null, 2)}\n`);
      const faults = findings.filter(({ level }) => level === 'fault').length;
      if (faults > 0)
        throw new CommandFailed(`${faults} ${faults === 1 ? 'fault was' : 'faults were'} found.`);
    });
}

const marks = { good: ' ok ', warning: 'WARN', fault: 'FAIL' } as const;

/** Shows the findings as they come, for people. */
async function collect(found: AsyncIterable<Finding>, isQuiet: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of found) {
    findings.push(finding);
    if (isQuiet) continue;
    const { level, check, where, what, todo } = finding;
    stdout.write(`${marks[level]}  ${check}: ${where}: ${what}\n${todo === null ? '' : `      ${todo}\n`}`);
  }
  return findings;
}

/** What a server would start with, or why it does not. */
function readSettings(flags: Record<string, unknown>): Config | Finding {
  try {
    return configOf(flags);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const what = `They cannot be used: ${error.message.replaceAll('\n', '; ').replace(/\.$/, '')}.`;
    const todo = 'Put right what is named: docs/configuration.md has every setting.';
    return { check: 'settings', ...fault('settings', what, todo) };
  }
}

/** Opens nothing before a check asks for it, and makes nothing: not even a catalog. */
async function* examineServer(flags: Record<string, unknown>): AsyncGenerator<Finding> {
  const config = readSettings(flags);
  if (!('dataDir' in config)) {
    yield config;
    return;
  }
  let db: Catalog | null | undefined;
  let opened: Catalog | null = null;
  let store: Promise<Store> | undefined;
  const { database } = config;
  const open = (): Catalog | null =>
    config.role === 'read' || (database.engine === 'sqlite' && !existsSync(database.path))
      ? null
      : openCatalogAt(database);
  const context = {
    config,
    clock: systemClock,
    uid: getuid?.(),
    openDb: async () => {
      if (db !== undefined) return db;
      db = null;
      opened = open();
      if (opened !== null) await checkCatalog(opened);
      return (db = opened);
    },
    openStore: () =>
      (store ??= openStore(config, (error) => {
        throw error;
      }).then(({ store: opened }) => opened)),
  };
  try {
    yield* runChecks(serverChecks, context);
  } finally {
    await (opened as Catalog | null)?.destroy();
  }
}

function machine() {
  return { clock: systemClock, proxies: proxyEnvironment(), token: clientEnvironment().token };
}
