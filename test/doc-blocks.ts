/** The code blocks of the documentation: what a reader copies is what the tests run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const checkout = join(import.meta.dirname, '..');

/** The pages with commands, and the test that runs each of them or says why it cannot. */
export const commandPages: Readonly<Record<string, string>> = {
  'README.md': 'test/readme.test.ts',
  'docs/bucket.md': 'test/packaging/operating.test.ts',
  'docs/containers.md': 'test/packaging/containers.test.ts',
  'docs/images.md': 'test/packaging/operating.test.ts',
  'docs/operating.md': 'test/packaging/operating.test.ts',
  'docs/publishing.md': 'test/packaging/operating.test.ts',
  'docs/scaling.md': 'test/nodes/moves.test.ts',
  'docs/using.md': 'test/packaging/operating.test.ts',
};

export type Block = {
  readonly page: string;
  /** The heading that it stands under. */
  readonly section: string;
  readonly language: string;
  readonly text: string;
  /** The path in a first line that says only that: `# /etc/…`. Then it is a whole file. */
  readonly file: string | undefined;
};

/** The fenced blocks of a page, in their order; also those of a list. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let section = '';
  const text = readFileSync(join(checkout, page), 'utf8');
  for (const match of text.matchAll(/^#+ (.*)$|^( *)```(.*)\n([^]*?)^ *```$/gm)) {
    const [, heading, indent = '', language = '', body = ''] = match;
    if (heading !== undefined) section = heading;
    else {
      const lines = body.split('\n').map((line) => line.slice(indent.length));
      const file = /^# (\/\S+)$/.exec(lines[0] ?? '')?.[1];
      blocks.push({ page, section, language, text: lines.join('\n'), file });
    }
  }
  return blocks;
}

/** The blocks that are commands. */
export const commandsOf = (page: string): Block[] =>
  blocksOf(page).filter(({ language }) => language === 'sh');
