import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The corpus of real and hostile packages: beside the checkout, in CI and on the developers' machines only. */
export const corpusDir = resolve(import.meta.dirname, '../../shared/corpus');

/** For tap's `skip` option: `false` when the corpus is here, else the reason. */
export const unlessCorpus: string | false = existsSync(corpusDir)
  ? false
  : 'the package corpus is not beside this checkout';

/** Every file of one corpus folder (`deb`, `rpm`, `bad`), sorted, as absolute paths. */
export function corpusFiles(folder: 'deb' | 'rpm' | 'bad' | 'dsc'): string[] {
  return readdirSync(join(corpusDir, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
