/** Sections of docs/performance.md that are written by the benches. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { format as prettify, resolveConfig } from 'prettier';

export const docs = join(import.meta.dirname, '../docs');

/** What stands between two markers of the page is the script's; the rest is not. */
export async function writeSection(name: string, lines: readonly string[]): Promise<void> {
  const path = join(docs, 'performance.md');
  const page = readFileSync(path, 'utf8');
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no section ${name}`);
  const text = `${page.slice(0, from)}${begin}\n\n${lines.join('\n')}\n\n${page.slice(to)}`;
  writeFileSync(path, await prettify(text, { ...(await resolveConfig(path)), parser: 'markdown' }));
}

/** What the figures were taken on. */
export function machine(): string {
  const [cpu] = cpus();
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim();
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}, commit ${commit}`;
}
