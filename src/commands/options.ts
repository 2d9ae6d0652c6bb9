import type { Command } from 'commander';
import { loadConfig, type Config } from '../config.ts';

/** The flags that every command which opens the data directory shares. */
export function withDataFlags(command: Command): Command {
  return command
    .option('--config <file>', 'YAML file with settings')
    .option('--data <dir>', 'data directory');
}

/** Commander's camel-case flags as setting names. */
export function configOf(flags: Record<string, unknown>): Config {
  return loadConfig(
    Object.fromEntries(
      Object.entries(flags).map(([name, value]) => [
        name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        value,
      ]),
    ),
  );
}
