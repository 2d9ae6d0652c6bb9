/** The image that docker/Dockerfile describes, as far as it can be made without an engine. */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, matchesGlob, posix } from 'node:path';
import { checkout } from './built.ts';

export type Instruction = { readonly name: string; readonly args: string };
type Copy = { readonly from: string | undefined; readonly sources: string[]; readonly target: string };
export type Image = {
  /** Of every stage, in their order. */
  readonly instructions: readonly Instruction[];
  readonly final: readonly Instruction[];
  readonly environment: Readonly<Record<string, string>>;
  /** What one more process in the container is started with: paths are those of the image. */
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
};

/** Dockerfile(5): a backslash at the end of a line goes on, and comments are lines of their own. */
function parseDockerfile(text: string): Instruction[] {
  const lines = text.replace(/^#.*\n/gm, '').replace(/\\\n\s*/g, ' ');
  return [...lines.matchAll(/^([A-Z]+) +(.*)$/gm)].map(([, name = '', args = '']) => ({ name, args }));
}

export function readImage(): Image {
  const instructions = parseDockerfile(readFileSync(join(checkout, 'docker/Dockerfile'), 'utf8'));
  const final = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
  const last = (name: string): string => final.findLast((line) => line.name === name)?.args ?? '';
  const list = (name: string): string[] => JSON.parse(/\[.*\]/.exec(last(name))?.[0] ?? '[]') as string[];
  const assignments = final.filter(({ name }) => name === 'ENV').flatMap(({ args }) => args.split(/\s+/));
  return {
    instructions,
    final,
    environment: Object.fromEntries(assignments.map((text) => text.split('=', 2) as [string, string])),
    command: [...list('ENTRYPOINT'), ...list('CMD')],
    healthCheck: list('HEALTHCHECK'),
  };
}

export function parseCopy(args: string): Copy {
  const words = args.split(/\s+/);
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  return { from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
}

/** Whether .dockerignore leaves this file out of what the engine is sent: the last line that fits decides. */
export function isIgnored(path: string): boolean {
  const lines = readFileSync(join(checkout, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
  let ignored = false;
  for (const line of lines) {
    const pattern = line.replace(/^!/, '');
    if (matchesGlob(path, pattern) || path.startsWith(`${pattern}/`) || pattern === '*')
      ignored = !line.startsWith('!');
  }
  return ignored;
}

/** Follows the COPY lines of the final stage into `root`; the dependencies are those of the checkout, as a link. */
export function layOut(root: string, { final }: Image): void {
  let folder = '/';
  for (const { name, args } of final) {
    if (name === 'WORKDIR') folder = posix.resolve(folder, args);
    if (name !== 'COPY') continue;
    const { from, sources, target } = parseCopy(args);
    if (from === 'system') continue;
    mkdirSync(join(root, folder), { recursive: true });
    const to = join(root, posix.resolve(folder, target));
    if (from !== undefined) {
      symlinkSync(join(checkout, posix.basename(sources[0] ?? '')), to);
      continue;
    }
    for (const source of sources.map((path) => join(checkout, path))) {
      if (!existsSync(source)) throw new Error(`${source} is not there`);
      cpSync(source, target.endsWith('/') ? join(to, posix.basename(source)) : to, { recursive: true });
    }
  }
}
