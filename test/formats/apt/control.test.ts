import fc from 'fast-check';
import t from 'tap';
import { fieldsOf, parseStanza, type Stanza, writeStanza } from '../../../src/formats/apt/control.ts';

const parse = (text: string | Uint8Array): Stanza => parseStanza(Buffer.from(text), 'control');

t.test('fields keep their order, their spelling and their lines', (t) => {
  const text =
    'Package: a\nX-own:no blank\nDescription:   first  \n second\n .\n  third \t\n\tfourth  \nList:\n a\n b\n';
  const stanza = parse(text);
  t.same(stanza, [
    { name: 'Package', value: 'a' },
    { name: 'X-own', value: 'no blank' },
    { name: 'Description', value: 'first\n second\n .\n  third \t\n\tfourth' },
    { name: 'List', value: '\n a\n b' },
  ]);
  t.equal(
    writeStanza(stanza),
    'Package: a\nX-own: no blank\nDescription: first\n second\n .\n  third \t\n\tfourth\nList:\n a\n b\n',
  );
  t.equal(fieldsOf(stanza).get('x-own'), 'no blank');
  t.same(parse('Aa:\nBb: \t \nCc:x\n\n\n'), [
    { name: 'Aa', value: '' },
    { name: 'Bb', value: '' },
    { name: 'Cc', value: 'x' },
  ]);
  t.same(
    parse('__proto__: 1\nconstructor: 2\n').map(({ name }) => name),
    ['__proto__', 'constructor'],
  );
  t.equal(parse('Ab: \u00a0x\u00a0\n')[0]?.value, '\u00a0x\u00a0', 'a no-break space is no blank');
  t.equal(parse(`Ab: ${'x'.repeat(500_000)}\n`)[0]?.value.length, 500_000, 'lines have no length limit');
  t.end();
});

const name = fc.stringMatching(/^[A-Za-z_!~$][!-9;-~]{1,12}$/);
const word = fc.stringMatching(/^[!-~é日]([ -~é日\t]{0,20}[!-~é日])?$/u);
const value = fc
  .tuple(
    fc.option(word, { nil: '' }),
    fc.array(fc.tuple(fc.constantFrom(' ', '\t', '  '), word), { maxLength: 3 }),
  )
  .map(([first, more]) => [first, ...more.map(([blank, text]) => blank + text)].join('\n'));
const stanza = fc.uniqueArray(fc.record({ name, value }), {
  minLength: 1,
  maxLength: 8,
  selector: (field) => field.name.toLowerCase(),
});

t.test('property: what is written is read again', (t) => {
  fc.assert(
    fc.property(stanza, (fields) => {
      t.same(parse(writeStanza(fields)), fields);
    }),
    { numRuns: 200 },
  );
  t.end();
});

const refused: Readonly<Record<string, readonly [string | Uint8Array, number | undefined]>> = {
  'nothing at all': ['', undefined],
  'no newline at the end': ['Package: a\nVersion: 1', undefined],
  'newlines only': ['\n\n', 1],
  'an empty line in front': ['\nPackage: a\n', 1],
  'a byte order mark': ['\ufeffPackage: a\n', 1],
  'UTF-16': [Buffer.from('Package: a\n', 'utf16le'), undefined],
  'Latin-1': [Buffer.from('Package: \xe9\n', 'latin1'), undefined],
  'a surrogate in UTF-8': [Buffer.from('Package: \xed\xa0\x80\n', 'latin1'), undefined],
  CRLF: ['Package: a\r\n', 1],
  'a carriage return inside': ['Package: a\nVersion: 1\rDepends: x\n', 2],
  NUL: ['Package: a\nVersion: 1\0\n', 2],
  'an escape': ['Package: a\nDescription: \x1b[31m\n', 2],
  'a vertical tab': ['Package: a\vb\n', 1],
  DEL: ['Package: a\x7f\n', 1],
  'a C1 control': ['Package: a\nDescription: x\n y\u009b\n', 3],
  'a line of blanks': ['Package: a\n \nVersion: 1\n', 2],
  'a line of a tab': ['Package: a\n\t\n', 2],
  'a second stanza': ['Package: a\n\nPackage: b\n', 2],
  'a second stanza after blanks': ['Package: a\n\n\n\nVersion: 1\n', 2],
  'a blank line in a description': ['Description: a\n b\n\n c\n', 3],
  'a first line that continues': [' Package: a\n', 1],
  'no colon': ['Package a\n', 1],
  'no colon in the last line': ['Package: a\nVersion\n', 2],
  'an empty name': [': a\n', 1],
  'a name of one character': ['Package: a\nX: y\n', 2],
  'a blank in a name': ['Package: a\nBad name: x\n', 2],
  'a blank before the colon': ['Package : a\n', 1],
  'a comment': ['Package: a\n# a comment: no\n', 2],
  'a name that starts with a hyphen': ['-Package: a\n', 1],
  'a name that is not ASCII': ['Päckage: a\n', 1],
  'a field twice': ['Package: a\nVersion: 1\nPackage: b\n', 3],
  'a field twice in other letters': ['Package: a\npackage: b\n', 2],
  'PGP armour': ['-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nPackage: a\n', 1],
};

t.test('what dpkg and apt read differently is refused, with its line', (t) => {
  for (const [title, [text, line]] of Object.entries(refused)) {
    const place = line === undefined ? { part: 'control' } : { part: 'control', line };
    t.throws(() => parse(text), { code: 'control_syntax', place }, title);
  }
  t.end();
});

t.test('long lines of blanks cost no more than others', (t) => {
  const start = performance.now();
  parse(`Ab: x${' '.repeat(900_000)}y\nCd: ${' '.repeat(90_000)}\n z${'\t'.repeat(90_000)}\n`);
  t.ok(performance.now() - start < 500);
  t.end();
});
