/** The program as it is installed: the sources with their types taken out, because node strips none under node_modules. */
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

export const checkout = join(import.meta.dirname, '..');

type Manifest = Record<string, unknown> & { readonly version: string };

/** The manifest of the checkout. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as Manifest;
}

/** What of the manifest an installed program needs, and npm shows. */
const kept = ['name', 'version', 'description', 'license', 'type', 'bin', 'engines', 'dependencies'];

/**
 * The text of a TypeScript module as JavaScript, every line where it was, so that places in stack traces are those
 * of the sources; and with what it names of our own, imports and workers, under the names that they get.
 */
export function toJavaScript(source: string): string {
  return stripTypeScriptTypes(source).replace(/(['"])(\.{1,2}\/[^'"\n]*)\.ts\1/g, '$1$2.js$1');
}

/** Writes the program without its dependencies into `dir`, for npm to pack or to install beside. */
export function writeProgram(dir: string): void {
  const sources = join(checkout, 'src');
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    const from = join(sources, name);
    const to = join(dir, 'src', name);
    mkdirSync(dirname(to), { recursive: true });
    if (name.endsWith('.ts'))
      writeFileSync(to.replace(/\.ts$/, '.js'), toJavaScript(readFileSync(from, 'utf8')));
    else if (name === 'entrepot.js')
      writeFileSync(to, readFileSync(from, 'utf8').replace('./main.ts', './main.js'), { mode: 0o755 });
    else if (/\.\w+$/.test(name)) cpSync(from, to);
  }
  cpSync(join(checkout, 'migrations'), join(dir, 'migrations'), { recursive: true });
  for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md']) cpSync(join(checkout, name), join(dir, name));
  const manifest = Object.entries(readManifest()).filter(([name]) => kept.includes(name));
  writeFileSync(join(dir, 'package.json'), `${JSON.stringify(Object.fromEntries(manifest), null, 2)}\n`);
}
