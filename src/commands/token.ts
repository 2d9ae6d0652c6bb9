import { stdout } from 'node:process';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ZodType } from 'zod';
import { scopes, type Actor, type Scope } from '../auth/permissions.ts';
import type { TokenRow } from '../db/catalog.ts';
import { listTokens } from '../db/tokens.ts';
import { createToken, revokeTokenById } from '../registry/create-token.ts';
import { lineOfText, repositoryName } from '../registry/names.ts';
import { openCatalog } from './open-catalog.ts';
import { withDataFlags } from './options.ts';

const operator: Actor = { kind: 'operator', name: 'command line' };
const day = 86_400_000;

type CreateFlags = { name: string; scope: Scope; repository?: string[]; expires?: number };

function days(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('expected a number of days');
  return number;
}

/** An argument as a schema reads it; commander says which one was wrong. */
function checked<T>(schema: ZodType<T>): (text: string) => T {
  return (text) => {
    const { success, data, error } = schema.safeParse(text);
    if (!success) throw new InvalidArgumentError(error.issues.map((issue) => issue.message).join('; '));
    return data;
  };
}

function addRepository(text: string, before: string[] = []): string[] {
  return [...before, checked(repositoryName)(text)];
}

function stateOf(row: TokenRow, now: number): string {
  if (row.revoked_at !== null) return 'revoked';
  return row.expires_at !== null && row.expires_at <= now ? 'expired' : 'valid';
}

export function tokenCommand(program: Command): void {
  const token = program.command('token').description('Make, list and revoke tokens');
  withDataFlags(token.command('create').description('Make a token and print it, alone, on standard output'))
    .requiredOption('--name <name>', 'what it is for', checked(lineOfText))
    .addOption(new Option('--scope <scope>', 'what it may do').choices(scopes).makeOptionMandatory())
    .option('--repository <name...>', 'only for these repositories', addRepository)
    .option('--expires <days>', 'days until it ends', days)
    .action(async (flags: CreateFlags & Record<string, unknown>) => {
      await using catalog = await openCatalog(flags);
      const { text } = await createToken(catalog, operator, {
        name: flags.name,
        scope: flags.scope,
        repositories: flags.repository ?? [],
        expiresAt: flags.expires === undefined ? null : catalog.clock.now() + flags.expires * day,
      });
      stdout.write(`${text}\n`);
    });
  withDataFlags(token.command('list').description('List the tokens; their texts are not kept')).action(
    async (flags: Record<string, unknown>) => {
      await using catalog = await openCatalog(flags);
      for (const row of await listTokens(catalog.db)) {
        const state = stateOf(row, catalog.clock.now());
        const used = row.last_used_at === null ? 'never' : new Date(row.last_used_at).toISOString();
        stdout.write(
          `${row.id}  ${row.scope}  ${state}  ${row.repositories || '*'}  last used ${used}  ${row.name}\n`,
        );
      }
    },
  );
  withDataFlags(
    token.command('revoke').description('Revoke a token').argument('<id>', 'from "token list"'),
  ).action(async (id: string, flags: Record<string, unknown>) => {
    await using catalog = await openCatalog(flags);
    await revokeTokenById(catalog, operator, id);
  });
}
