/** The npm package: what `npx` runs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeProgram } from './program.ts';

/** Packs `entrepot-VERSION.tgz` into `target` and answers its path. */
export function buildNpmPackage(target: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'entrepot-npm-'));
  try {
    writeProgram(dir);
    mkdirSync(target, { recursive: true });
    const options = ['pack', '--silent', '--ignore-scripts', '--pack-destination', target];
    const name = execFileSync('npm', options, { cwd: dir, encoding: 'utf8' }).trim();
    return join(target, name);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
