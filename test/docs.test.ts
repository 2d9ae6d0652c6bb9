/** Documents that are made from the code are up to date, and the code has nothing that they do not say. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { errorTable } from '../src/errors.ts';
import { blocksOf, commandPages } from './doc-blocks.ts';
import { generateDocs } from './generated-docs.ts';
import { startInProcess } from './server.ts';

const root = join(import.meta.dirname, '..');

t.test('the generated documents are those of this code', async (t) => {
  for (const [path, text] of Object.entries(await generateDocs(await startInProcess(t)))) {
    const committed = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
    t.equal(committed, text, `${path}: if this fails, npm run docs`);
  }
});

t.test('every error code of the table is thrown somewhere, and no other is', (t) => {
  const sources = (readdirSync(join(root, 'src'), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.ts') && name !== 'errors.ts')
    .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
    .join('\n');
  for (const code of Object.keys(errorTable)) t.ok(sources.includes(`'${code}'`), code);
  const thrown = [...sources.matchAll(/new AppError\(\s*'(\w+)'/g)].map(([, code]) => code ?? '');
  t.ok(thrown.length > 20);
  for (const code of new Set(thrown)) t.ok(code in errorTable, code);
  t.end();
});

t.test('every finding is explained, and no other is', (t) => {
  const files = ['formats/apt/deb', 'formats/apt/facts', 'formats/apt/relations', 'formats/yum/findings'];
  const sources = [...files, 'registry/upload-findings'].map((name) =>
    readFileSync(join(root, 'src', `${name}.ts`), 'utf8'),
  );
  const found = [...sources.join('\n').matchAll(/\b(?:add\(|code:)\s*[`']([^`']+)[`']/g)].flatMap(
    ([, code = '']) => (code.includes('${weak}') ? ['md5_signature', 'sha1_signature'] : [code]),
  );
  const tables = readFileSync(join(root, 'docs/formats.md'), 'utf8')
    .split(/^#+ Findings.*$/m)
    .slice(1);
  const rows = tables.flatMap((text) => text.replace(/^#[\s\S]*/m, '').match(/^\| `.*?\|/gm) ?? []);
  const explained = rows.flatMap((row) => row.match(/\w+/g) ?? []);
  t.ok(found.length > 20);
  t.same(explained.sort(), [...new Set(found)].sort());
  t.end();
});

const languages = ['dockerfile', 'hcl', 'ini', 'json', 'markdown', 'nginx', 'sh', 'text', 'yaml'];

t.test('every page with commands is held by a test that runs them', (t) => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];
  const commands = pages.filter((page) => blocksOf(page).some(({ language }) => language === 'sh'));
  t.same(commands.sort(), Object.keys(commandPages).sort());
  for (const [page, test] of Object.entries(commandPages))
    t.ok(readFileSync(join(root, test), 'utf8').includes(`'${page}'`), `${test}: ${page}`);
  for (const page of commands)
    for (const { language, text } of blocksOf(page)) t.ok(languages.includes(language), `${page}: ${text}`);
  t.end();
});

/** The names by which the headings of a page are linked to. */
function sectionsOf(path: string): string[] {
  const headings = [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

t.test('links in the documents lead somewhere', (t) => {
  const documents = [
    ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'],
    ...(readdirSync(join(root, 'docs'), { recursive: true }) as string[])
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];
  for (const document of documents) {
    const text = readFileSync(join(root, document), 'utf8').replace(/```[\s\S]*?```/g, '');
    for (const [, target = '', section] of text.matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const path = join(root, target === '' ? document : join(dirname(document), target));
      t.ok(existsSync(path), `${document}: ${target}`);
      if (section !== undefined)
        t.ok(sectionsOf(path).includes(section), `${document}: ${target}#${section}`);
    }
  }
  t.end();
});
