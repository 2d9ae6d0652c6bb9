/** What may stand in updateinfo, comps and modules, and what is refused, with its place. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert, nat, property, string } from 'fast-check';
import t from 'tap';
import { AppError } from '../../../src/errors.ts';
import { documents } from '../../../src/formats/yum/documents.ts';
import { readXml } from '../../../src/formats/yum/xml-reader.ts';
import { corpusDir, unlessCorpus } from '../../corpus.ts';
import { comps, modules, updateinfo } from '../../documents.ts';

type Kind = 'updateinfo' | 'comps' | 'modules';

const check = (kind: Kind, text: string): void => {
  const format = documents.get(kind);
  if (!format) throw new Error(`no document ${kind}`);
  format.check(text);
};

const sound: Record<Kind, string> = {
  updateinfo: updateinfo('app', 'lib++'),
  comps: comps('app', 'lib++'),
  modules: modules('app'),
};

t.test('sound documents go in', (t) => {
  for (const kind of ['updateinfo', 'comps', 'modules'] as const)
    t.doesNotThrow(() => check(kind, sound[kind]), kind);
  t.doesNotThrow(() => check('updateinfo', '<updates/>'), 'nothing to repair');
  t.doesNotThrow(() => check('updateinfo', '\ufeff<!-- none --><updates><!-- yet --></updates>\n'));
  t.doesNotThrow(() => check('comps', '<comps></comps>'));
  for (const date of ['1764000000', '2026-11-23T10:15:00Z', '2026-11-23 10:15:00 UTC', '2024-02-29'])
    t.doesNotThrow(() => check('updateinfo', sound.updateinfo.replace('2026-11-23', date)), date);
  t.end();
});

t.test('the documents of distributions go in', { skip: unlessCorpus }, (t) => {
  const read = (name: string): string => readFileSync(join(corpusDir, 'reference/metadata', name), 'utf8');
  check('updateinfo', read('updateinfo.xml'));
  check('comps', read('comps.xml'));
  check('modules', read('modules.yaml'));
  t.throws(() => check('updateinfo', read('updateinfo_ampersand.xml')), {
    code: 'document_invalid',
    place: { part: 'updateinfo.xml', line: 22, field: 'update/pkglist/collection/package' },
  });
  t.end();
});

/** A change to a sound document, what it is refused with, and the line. */
const refused: readonly (readonly [Kind, string, string, string, number])[] = [
  ['updateinfo', '<?xml', ' <?xml', 'document_malformed', 1],
  ['updateinfo', 'UTF-8', 'ISO-8859-1', 'document_malformed', 1],
  ['updateinfo', '<updates>', '<!DOCTYPE updates [<!ENTITY a "b">]>\n<updates>', 'document_malformed', 2],
  ['updateinfo', '<updates>', '<!DOCTYPE updates SYSTEM "x">\n<updates>', 'document_malformed', 2],
  ['updateinfo', '<updates>', '<?php x ?><updates>', 'document_malformed', 2],
  ['updateinfo', '<updates>', '<otherdata>', 'document_malformed', 2],
  ['updateinfo', '</updates>', '</updates><updates/>', 'document_malformed', 41],
  ['updateinfo', '</updates>', '', 'document_malformed', 42],
  ['updateinfo', '</title>', '</titel>', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '&nbsp; its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '& its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '&#8; its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '&#xD800; its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '\u0008 its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '\ufffe its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', ']]> its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '<!ENTITY x "y"> its', 'document_malformed', 5],
  ['updateinfo', '&amp; its', '<!-- a -- b --> its', 'document_malformed', 5],
  ['updateinfo', ' type="security"', ' type="a" type="b"', 'document_malformed', 3],
  ['updateinfo', ' type="security"', ' type=security', 'document_malformed', 3],
  ['updateinfo', ' type="security"', ' type="<b"', 'document_malformed', 3],
  ['updateinfo', ' type="security"', ' x:type="b"', 'document_malformed', 3],
  ['updateinfo', ' type="security"', '', 'document_invalid', 3],
  ['updateinfo', '<update from', `<update>${'<a>'.repeat(40)}`, 'document_limit', 3],
  ['updateinfo', '<id>ACME-2026:1</id>', '', 'document_invalid', 3],
  ['updateinfo', 'ACME-2026:1', 'ACME 2026:1', 'document_invalid', 3],
  ['updateinfo', 'ACME-2026:1</id>', 'ACME-2026:2</id>', 'document_invalid', 22],
  ['updateinfo', '</id>', '</id><id>two</id>', 'document_invalid', 4],
  ['updateinfo', '2026-11-22 10:15:00', 'yesterday', 'document_invalid', 7],
  ['updateinfo', '2026-11-22 10:15:00', '2026-02-30', 'document_invalid', 7],
  ['updateinfo', '2026-11-22 10:15:00', '2026-11-22 25:15:00', 'document_invalid', 7],
  ['updateinfo', 'name="app"', 'name="../app"', 'document_invalid', 16],
  ['updateinfo', 'version="2.0"', 'version="2-0"', 'document_invalid', 16],
  ['updateinfo', 'release="1"', '', 'document_invalid', 16],
  ['updateinfo', 'epoch="0"', 'epoch="none"', 'document_invalid', 16],
  ['updateinfo', 'app-2.0-1.x86_64.rpm', 'http://x/app.rpm', 'document_invalid', 16],
  ['updateinfo', '</filename>', '</filename><sum type="sha256">ab</sum>', 'document_invalid', 17],
  ['comps', '<!DOCTYPE comps', '<!DOCTYPE comps [ ]', 'document_malformed', 2],
  ['comps', 'comps.dtd">', 'http://acme.example/comps.dtd">', 'document_malformed', 2],
  ['comps', '<id>tools</id>', '<id>two words</id>', 'document_invalid', 4],
  ['comps', '<name>Acme Tools</name>', '', 'document_invalid', 4],
  ['comps', '<default>true', '<default>maybe', 'document_invalid', 4],
  ['comps', '<environment>', '<group><id>tools</id></group><environment>', 'document_invalid', 16],
  ['comps', '<environment>', '<surroundings/><environment>', 'document_invalid', 16],
  ['comps', 'type="mandatory"', 'type="wanted"', 'document_invalid', 12],
  ['comps', 'type="mandatory"', 'type="conditional"', 'document_invalid', 12],
  ['comps', '>app<', '><', 'document_invalid', 12],
  ['comps', '<groupid>tools</groupid>', '<groupid/>', 'document_invalid', 21],
  ['modules', 'document: modulemd\n', 'document: modulemd-packager\n', 'document_invalid', 2],
  ['modules', 'document: modulemd\n', '', 'document_invalid', 2],
  ['modules', 'version: 2\n', 'version: 7\n', 'document_invalid', 2],
  ['modules', 'version: 2\n', 'version: 2\nversion: 2\n', 'document_malformed', 4],
  ['modules', 'data:\n', 'data: none\nrest:\n', 'document_invalid', 2],
  ['modules', '  stream: 1.10\n', '', 'document_invalid', 2],
  ['modules', '  version: 2026', '  version: v2026', 'document_invalid', 2],
  ['modules', '  arch: x86_64', '  arch: [x86_64', 'document_malformed', 10],
  ['modules', '  arch: x86_64', '\tarch: x86_64', 'document_malformed', 9],
  ['modules', '  arch: x86_64', '  arch: &a x86_64\n  xmd: *a', 'document_invalid', 10],
  ['modules', '  arch: x86_64', '  arch: !!js/function x', 'document_invalid', 9],
  ['modules', '  arch: x86_64', '  arch: x86_64\n  xmd: !local x', 'document_invalid', 10],
  ['modules', '  arch: x86_64', `  xmd: ${'['.repeat(40)}${']'.repeat(40)}`, 'document_limit', 9],
  ['modules', '  arch: x86_64', `  xmd: ${'['.repeat(100_000)}`, 'document_limit', 9],
  ['modules', '  arch: x86_64', '  arch: "x\u0008"', 'document_malformed', 9],
  ['modules', '- app-0:2.0-1.x86_64', '- app', 'document_invalid', 25],
  ['modules', '- app-0:2.0-1.x86_64', '- app-x:2.0-1.x86_64', 'document_invalid', 25],
  ['modules', '- app-0:2.0-1.x86_64', '- [app]', 'document_invalid', 25],
  ['modules', '  module: app-module\n', '', 'document_invalid', 28],
];

for (const [kind, from, to, code, line] of refused)
  t.test(`${kind} with ${JSON.stringify(to.slice(0, 40))} for ${JSON.stringify(from)}`, (t) => {
    t.ok(sound[kind].includes(from), 'the change is one');
    t.throws(() => check(kind, sound[kind].replace(from, to)), { code, place: { line } });
    t.end();
  });

t.test('two streams of one name, version and context are refused, and no document at all', (t) => {
  t.throws(() => check('modules', sound.modules + sound.modules), {
    code: 'document_invalid',
    place: { field: 'data: name, stream, version, context and arch' },
  });
  t.throws(() => check('modules', '# nothing\n'), { code: 'document_invalid' });
  t.doesNotThrow(() => check('modules', modules('app', '1.1') + modules('app', '1.10')), 'not as numbers');
  t.end();
});

t.test('text comes out of XML as every parser reads it', (t) => {
  const text =
    '<a><b at="1 &lt;&#10;&quot;\n2">x<!-- no --><![CDATA[<&amp;>]]>&#x1F600;</b><b/>\n<b at=\'"\'></b ></a>';
  const [first, second, third, ...rest] = readXml(text, { part: 'a.xml', root: 'a' });
  t.match(first, { name: 'b', text: 'x<&amp;>😀', line: 1 });
  t.equal(first?.attributes.get('at'), '1 <\n" 2', 'a line end that is meant stays one');
  t.match(second, { name: 'b', text: '', line: 2 });
  t.equal(third?.attributes.get('at'), '"');
  t.same(rest, []);
  t.end();
});

t.test('any text is taken or refused with a code and a place', (t) => {
  for (const kind of ['updateinfo', 'comps', 'modules'] as const) {
    const text = sound[kind];
    assert(
      property(string({ unit: 'binary', maxLength: 20 }), nat(), (inserted, at) => {
        const place = at % text.length;
        try {
          check(kind, text.slice(0, place) + inserted + text.slice(place + inserted.length));
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          if (error.place?.line === undefined) throw new Error(`no line: ${error.message}`, { cause: error });
        }
      }),
      { numRuns: 500 },
    );
  }
  t.end();
});
