/** The program: one sub-command a file. */
import { argv, exit, stderr } from 'node:process';
import { Command, CommanderError } from 'commander';
import { backupCommand } from './commands/backup.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exportCommand } from './commands/export.ts';
import { CommandFailed } from './commands/failed.ts';
import { fsckCommand } from './commands/fsck.ts';
import { gcCommand } from './commands/gc.ts';
import { keyCommand } from './commands/key.ts';
import { migrateCommand } from './commands/migrate.ts';
import { promoteCommand } from './commands/promote.ts';
import { pushCommand } from './commands/push.ts';
import { restoreCommand } from './commands/restore.ts';
import { resumeCommand } from './commands/resume.ts';
import { rollbackCommand } from './commands/rollback.ts';
import { serveCommand } from './commands/serve.ts';
import { tokenCommand } from './commands/token.ts';
import { ConfigError } from './config.ts';
import { AppError, errorTable } from './errors.ts';
import { version } from './version.ts';

const program = new Command('entrepot')
  .description('Self-hosted server for signed apt and yum package repositories')
  .version(version)
  .exitOverride();
const commands = [
  serveCommand,
  pushCommand,
  promoteCommand,
  rollbackCommand,
  resumeCommand,
  backupCommand,
  restoreCommand,
  migrateCommand,
  tokenCommand,
  keyCommand,
  doctorCommand,
  fsckCommand,
  exportCommand,
  gcCommand,
];
for (const command of commands) command(program);

try {
  await program.parseAsync(argv);
} catch (error) {
  exit(report(error));
}

/** Says what failed in a sentence, without a stack, and answers the exit code: 1 failed, 2 used wrongly. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError) {
    stderr.write(`entrepot: ${error.message}\n`);
    return 2;
  }
  const { syscall, message } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) {
    // The system's own sentence names the file or the address.
    stderr.write(
      `entrepot: ${message}${syscall === 'listen' ? ': choose another address or port with --listen.' : ''}\n`,
    );
    return 1;
  }
  if (error instanceof CommandFailed) {
    stderr.write(`entrepot: ${error.message}\n`);
    return 1;
  }
  if (error instanceof AppError) {
    // Who starts the program is the operator: why a connection failed is for them.
    const why = error.code === 'catalog_unavailable' ? ` ${(error.cause as Error).message}.` : '';
    stderr.write(`entrepot: ${error.message}${why} ${errorTable[error.code].action} (${error.code})\n`);
    return 1;
  }
  stderr.write(`entrepot: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}
