import { InvalidArgumentError, type Command } from 'commander';
import { connectionOf, repositoryUrl } from './api.ts';
import { change, withChangeFlags, type ChangeFlags } from './change.ts';

type Selector = {
  name?: string;
  version?: string;
  architecture?: string;
  source?: string;
  sourceVersion?: string;
};
type PromoteFlags = ChangeFlags & {
  readonly package?: Selector[];
  readonly source?: Selector[];
  readonly sha256?: string[];
  readonly exact?: boolean;
};

export function promoteCommand(program: Command): void {
  withChangeFlags(
    program
      .command('promote')
      .description(
        'Put packages of one channel into another, in one generation; all of them unless some are named',
      )
      .argument('<from>', 'the channel that has them')
      .argument('<to>', 'the channel that gets them'),
  )
    .option('--package <name[=version][:arch]>', 'a package, or one version of it; repeatable', addPackage)
    .option(
      '--source <name[=version]>',
      'all packages of a source, or of one version of it; repeatable',
      addSource,
    )
    .option('--sha256 <digest>', 'one file, by its SHA-256; repeatable', addDigest)
    .option('--exact', 'take out of the target what is not promoted')
    .action(promote);
}

function addDigest(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** `name`, `name=version`, either with `:architecture` at the end. */
function addPackage(text: string, before: Selector[] = []): Selector[] {
  const [, name, version, architecture] =
    /^([^=:]+)(?:=([^\s]+?))?(?::([a-z][a-z0-9_-]*))?$/.exec(text) ?? [];
  if (name === undefined)
    throw new InvalidArgumentError('expected NAME, NAME=VERSION or NAME=VERSION:ARCHITECTURE');
  return [...before, definedOf({ name, version, architecture })];
}

function addSource(text: string, before: Selector[] = []): Selector[] {
  const [, source, sourceVersion] = /^([^=]+)(?:=(\S+))?$/.exec(text) ?? [];
  if (source === undefined) throw new InvalidArgumentError('expected SOURCE or SOURCE=VERSION');
  return [...before, definedOf({ source, sourceVersion })];
}

function definedOf(values: Readonly<Record<string, string | undefined>>): Selector {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

async function promote(from: string, to: string, flags: PromoteFlags): Promise<void> {
  const connection = connectionOf(flags);
  const packages = [
    ...(flags.package ?? []),
    ...(flags.source ?? []),
    ...(flags.sha256 ?? []).map((sha256) => ({ sha256 })),
  ];
  await change(connection, repositoryUrl(connection, flags.repository, 'promotions'), flags, {
    from,
    to,
    exact: flags.exact ?? false,
    ...(packages.length > 0 ? { packages } : {}),
  });
}
