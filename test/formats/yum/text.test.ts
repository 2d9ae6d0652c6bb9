import fc from 'fast-check';
import t from 'tap';
import { AppError } from '../../../src/errors.ts';
import { decodeHeader, encodeHeader, types } from '../../../src/formats/yum/header.ts';
import {
  byteStringsOf,
  firstTextsOf,
  namesOf,
  scriptText,
  textIn,
  textsOf,
} from '../../../src/formats/yum/text.ts';
import { attributes, escapedLength, escapeText, textElement } from '../../../src/formats/yum/xml.ts';

/** A header with PROVIDENAME alone, after six bytes of something else. */
function provides(...strings: readonly (string | Buffer)[]) {
  const data = Buffer.concat(strings.flatMap((text) => [Buffer.from(text), Buffer.alloc(1)]));
  const name = { tag: 1000, type: types.string, count: 1, data: Buffer.from('sixth\0') };
  const value = { tag: 1047, type: types.stringArray, count: strings.length, data };
  return decodeHeader(encodeHeader([name, value], 'main'), 'main');
}

/** Where the store of such a header starts, and PROVIDENAME in it. */
const at = 16 + 3 * 16 + 6;

const read = (...strings: readonly (string | Buffer)[]): string[] | undefined =>
  textsOf(provides(...strings), 'PROVIDENAME');

void t.test('UTF-8 is read as it stands', (t) => {
  t.same(read('a', '', 'é', '😀', '\u0085\ufdd0\u{1fffe}', '\t\n\r'), [
    'a',
    '',
    'é',
    '😀',
    '\u0085\ufdd0\u{1fffe}',
    '\t\n\r',
  ]);
  t.equal(textIn(provides('a', 'b'), 'PROVIDENAME'), 'a');
  t.equal(textIn(provides('a'), 'SUMMARY'), undefined);
  t.same(byteStringsOf(provides('é', 'a'), 'PROVIDENAME'), ['\u00c3\u00a9', 'a']);
  t.end();
});

void t.test('what is not UTF-8 is Latin-1, each string for itself, without its control characters', (t) => {
  const latin1 = Buffer.from('caf\u00e9 \u0093x\u0094', 'latin1');
  t.same(read(latin1, 'é'), ['café x', 'é']);
  t.same(read(Buffer.from([0xff, 0xfe, 0x41])), ['ÿþA']);
  t.same(read(Buffer.from([0x41, 0xc3])), ['AÃ'], 'a sequence that is cut off');
  t.end();
});

void t.test('a name in Latin-1 loses none of its bytes', (t) => {
  t.same(namesOf(provides(Buffer.from('caf\u00e9', 'latin1'), '\u0085é'), 'PROVIDENAME'), [
    'café',
    '\u0085é',
  ]);
  const broken = provides('a', Buffer.from('caf\u00e9\u0093', 'latin1'));
  const place = { part: 'main header', tag: 'PROVIDENAME', offset: at + 6 };
  t.throws(() => namesOf(broken, 'PROVIDENAME'), { code: 'rpm_text_invalid', place });
  t.end();
});

void t.test('what XML cannot hold is refused, with its place', (t) => {
  const refuse = (offset: number, ...strings: readonly (string | Buffer)[]): void => {
    const place = { part: 'main header', tag: 'PROVIDENAME', offset: at + offset };
    t.throws(() => read(...strings), { code: 'rpm_text_invalid', place }, JSON.stringify(strings));
  };
  for (const code of [1, 8, 11, 12, 14, 27, 31]) refuse(5, 'ok', `ab${String.fromCharCode(code)}`);
  refuse(2, Buffer.from([0xe9, 0x41, 0x07]));
  refuse(3, 'é\u0007'.padStart(4, 'a').slice(1));
  refuse(3, 'aé\ufffe');
  refuse(1, 'a\uffff');
  refuse(1, Buffer.from([0x61, 0xed, 0xa0, 0x80]));
  refuse(0, Buffer.from([0xc0, 0x80]));
  refuse(2, Buffer.from([0xc3, 0xa9, 0xf7, 0x80, 0x80, 0x80]));
  t.end();
});

void t.test('what is not asked for is not judged', (t) => {
  t.same(firstTextsOf(provides('a', 'b\u0007'), 'PROVIDENAME', 1), ['a']);
  t.end();
});

void t.test('scripts may hold anything', (t) => {
  const script = { tag: 1024, type: types.string, count: 1, data: Buffer.from('printf "\u001b[1m\u0007"\0') };
  t.equal(
    scriptText(decodeHeader(encodeHeader([script], 'main'), 'main'), 'POSTIN'),
    'printf "\u001b[1m\u0007"',
  );
  const latin1 = { ...script, data: Buffer.from('# \u00e9\0', 'latin1') };
  t.equal(scriptText(decodeHeader(encodeHeader([latin1], 'main'), 'main'), 'POSTIN'), '# é');
  t.end();
});

void t.test('any bytes give text that XML can hold, or an AppError', (t) => {
  const xml = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;
  const bytes = fc.oneof(
    fc.uint8Array({ min: 1, maxLength: 12 }),
    fc.array(
      fc.constantFrom(
        0x41,
        0x7f,
        0x80,
        0xbf,
        0xc0,
        0xc3,
        0xa9,
        0xed,
        0xa0,
        0xef,
        0xbf,
        0xbe,
        0xf0,
        0xf4,
        0x90,
      ),
      {
        maxLength: 6,
      },
    ),
  );
  fc.assert(
    fc.property(bytes, (data) => {
      try {
        for (const text of read(Buffer.from(data)) ?? []) t.ok(xml.test(text) && text.isWellFormed());
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }),
    { numRuns: 3000, seed: 14 },
  );
  t.end();
});

void t.test('markup is escaped as libxml2 does', (t) => {
  t.equal(escapeText('a&b<c>d"e\'f\r\n\t]]>'), 'a&amp;b&lt;c&gt;d"e\'f&#13;\n\t]]&gt;');
  t.equal(
    attributes({ a: 'x"y\n\t\r<&>\'', b: undefined, c: 0, d: '' }),
    ' a="x&quot;y&#10;&#9;&#13;&lt;&amp;&gt;\'" c="0" d=""',
  );
  t.equal(textElement('a', ''), '<a/>');
  t.equal(textElement('a', '<'), '<a>&lt;</a>');
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '&', '<', '"', '\t', '\n', '\r') }), (text) => {
      t.ok(attributes({ a: text }).length - 5 <= escapedLength(text));
    }),
    { seed: 15 },
  );
  t.end();
});
