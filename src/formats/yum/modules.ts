/** modules.yaml: streams of modules and which of them are the default. Read by libmodulemd for dnf. */
import {
  Composer,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
  visit,
  type Document,
  type Node,
} from 'yaml';
import { AppError } from '../../errors.ts';
import { checkNevra, checkWord, Ids, invalid } from './document-check.ts';

const part = 'modules.yaml';

const standardTags = /^tag:yaml\.org,2002:(str|map|seq|int|float|bool|null)$/;

/** Nodes within each other. Those known have 9. */
const maxDepth = 32;

/** What may stand in a repository (libmodulemd, `modulemd-module-index.c`), with the versions that it reads. */
const versions: Readonly<Record<string, readonly string[]>> = {
  modulemd: ['1', '2'],
  'modulemd-defaults': ['1'],
  'modulemd-obsoletes': ['1'],
  'modulemd-translations': ['1'],
};

/** Throws `document_malformed`, `document_limit` and `document_invalid`. */
export function checkModules(text: string): void {
  const control = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(text);
  const lines = new LineCounter();
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  if (control) {
    const line = text.slice(0, control.index).split('\n').length;
    throw new AppError('document_malformed', `Line ${line} of ${part} holds a control character.`, {
      part,
      line,
    });
  }
  const ids = new Ids(part);
  // Every scalar as it is written: the stream 1.10 is not the number 1.1.
  const composer = new Composer({
    schema: 'failsafe',
    uniqueKeys: true,
    logLevel: 'silent',
    lineCounter: lines,
  });
  let count = 0;
  for (const document of composer.compose(new Parser(lines.addNewLine).parse(text))) {
    if (document.contents === null && document.errors.length === 0) continue;
    checkDocument(document, lineAt, ids);
    count += 1;
  }
  if (count === 0) throw invalid(part, 1, 'the stream', 'holds no document');
}

function tooDeep(line: number): AppError {
  return new AppError('document_limit', `${part} nests more than ${maxDepth} levels.`, { part, line });
}

type LineAt = (offset: number) => number;

function checkDocument(document: Document.Parsed, lineAt: LineAt, ids: Ids): void {
  const [error] = document.errors;
  if (error) {
    const line = lineAt(error.pos[0]);
    // The composer goes down one level of its stack for each of the document.
    if (error.code === 'RESOURCE_EXHAUSTION') throw tooDeep(line);
    const why = (error.message.split('\n')[0] ?? '').replace(/ at line \d+.*$/, '');
    throw new AppError('document_malformed', `Line ${line} of ${part}: ${why}.`, { part, line });
  }
  checkNodes(document, lineAt);
  const line = lineAt(document.contents?.range[0] ?? 0);
  const kind = scalarIn(document.contents, 'document');
  const known = kind === undefined ? undefined : versions[kind];
  if (kind === undefined || !known)
    throw invalid(part, line, 'document', `is none of ${Object.keys(versions).join(', ')}`);
  const version = scalarIn(document.contents, 'version');
  if (version === undefined || !known.includes(version))
    throw invalid(part, line, 'version', `of a ${kind} document is none of ${known.join(', ')}`);
  const data = isMap(document.contents) ? document.contents.get('data', true) : undefined;
  if (!isMap(data)) throw invalid(part, line, 'data', 'is no mapping');
  if (kind === 'modulemd') checkStream(data, line, ids, lineAt);
  else checkWord(part, line, 'data/module', scalarIn(data, 'module'));
}

/** libmodulemd follows no alias, and a tag could make something else of a text. */
function checkNodes(document: Document.Parsed, lineAt: LineAt): void {
  visit(document, (_key, node, path) => {
    const line = lineAt((node as Partial<Node> | null)?.range?.[0] ?? 0);
    if (path.length > maxDepth && path.filter(isCollection).length > maxDepth) throw tooDeep(line);
    if (isAlias(node))
      throw invalid(part, line, `*${node.source.slice(0, 60)}`, 'is an alias, which clients do not follow');
    const tag = (node as Partial<Node> | null)?.tag;
    if (tag !== undefined && !standardTags.test(tag))
      throw invalid(part, line, tag.slice(0, 60), 'is a tag that clients do not know');
  });
}

/** The text under a key of a mapping; undefined when there is none, or something else. */
function scalarIn(node: unknown, key: string): string | undefined {
  if (!isMap(node)) return undefined;
  const value = node.get(key);
  return typeof value === 'string' ? value.trim() : undefined;
}

function checkStream(data: unknown, line: number, ids: Ids, lineAt: LineAt): void {
  const [name, stream] = (['name', 'stream'] as const).map((key) =>
    checkWord(part, line, `data/${key}`, scalarIn(data, key)),
  );
  const [version = '0', context, arch] = (['version', 'context', 'arch'] as const).map((key) => {
    const value = scalarIn(data, key);
    return value === undefined ? undefined : checkWord(part, line, `data/${key}`, value);
  });
  if (!/^\d{1,20}$/.test(version)) throw invalid(part, line, 'data/version', 'is no number');
  ids.add(
    [name, stream, version, context, arch].join(':'),
    line,
    'data: name, stream, version, context and arch',
  );
  for (const key of ['summary', 'description'] as const)
    if (scalarIn(data, key) === undefined) throw invalid(part, line, `data/${key}`, 'is missing');
  const artifacts = isMap(data) ? data.get('artifacts', true) : undefined;
  const rpms = isMap(artifacts) ? artifacts.get('rpms', true) : undefined;
  if (rpms === undefined) return;
  if (!isSeq(rpms)) throw invalid(part, line, 'data/artifacts/rpms', 'is no sequence');
  for (const item of rpms.items) {
    const place = { line: lineAt((item as Partial<Node>).range?.[0] ?? 0), field: 'data/artifacts/rpms' };
    const [, package_ = '', epoch, ver = '', release = '', architecture = ''] =
      /^(.+)-(?:([^:-]*):)?([^-]+)-([^-]+)\.([^.-]+)$/.exec(isScalar(item) ? String(item.value) : '') ?? [];
    checkNevra(part, place, { name: package_, version: ver, release, architecture, epoch });
  }
}
