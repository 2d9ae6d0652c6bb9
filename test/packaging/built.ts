/** The packages of this checkout, built once for all tests of a file. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../run.ts';

export const checkout = join(import.meta.dirname, '../..');

/** When the checkout was last changed by a commit, in seconds; 1 January 2026 for one without history. */
export function sourceDate(): string {
  if (!existsSync(join(checkout, '.git'))) return '1767225600';
  return execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: checkout, encoding: 'utf8' }).trim();
}

/** `npm run package` into `target`, with the same bytes for the same sources; answers the paths it prints. */
export async function buildPackages(target: string): Promise<{ deb: string; npm: string }> {
  const script = join(checkout, 'packaging/main.ts');
  const args = [`SOURCE_DATE_EPOCH=${sourceDate()}`, process.execPath, script, target];
  const { code, stdout, stderr } = await run('env', args);
  if (code !== 0) throw new Error(stderr);
  const paths = stdout.split('\n');
  const find = (ending: string): string => {
    const path = paths.find((line) => line.endsWith(ending));
    if (path === undefined) throw new Error(`no ${ending} in:\n${stdout}`);
    return path;
  };
  return { deb: find('.deb'), npm: find('.tgz') };
}
