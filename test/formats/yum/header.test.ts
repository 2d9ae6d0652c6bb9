import fc from 'fast-check';
import t from 'tap';
import { AppError } from '../../../src/errors.ts';
import {
  dataOf,
  decodeHeader,
  encodedLength,
  encodeHeader,
  headerLength,
  introBytes,
  numberIn,
  numbersOf,
  types,
  valuesOf,
} from '../../../src/formats/yum/header.ts';
import type { HeaderValue } from '../../../src/formats/yum/header.ts';

const text = (tag: number, value: string): HeaderValue => ({
  tag,
  type: types.string,
  count: 1,
  data: Buffer.from(`${value}\0`),
});
const int32 = (tag: number, ...numbers: number[]): HeaderValue => {
  const data = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, i) => data.writeUInt32BE(number, i * 4));
  return { tag, type: types.int32, count: numbers.length, data };
};

/** Tags that no table knows, so that any type fits. */
const anyValue = (): fc.Arbitrary<HeaderValue> =>
  fc
    .record({
      tag: fc.integer({ min: 20_000, max: 20_999 }),
      type: fc.integer({ min: 1, max: 9 }),
      items: fc.array(fc.string({ minLength: 0, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
    })
    .map(({ tag, type, items }) => {
      const size = [0, 1, 1, 2, 4, 8, 0, 1][type] ?? 0;
      if (size > 0)
        return { tag, type, count: items.length, data: Buffer.alloc(size * items.length, tag % 251) };
      const strings = (type === types.string ? items.slice(0, 1) : items).map((item) =>
        item.replaceAll('\0', ''),
      );
      const data = Buffer.from(strings.map((item) => `${item}\0`).join(''));
      return { tag, type, count: strings.length, data };
    });

void t.test('what is encoded is decoded again, with and without a region', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyValue(), { minLength: 1, maxLength: 20, selector: (value) => value.tag }),
      fc.boolean(),
      (values, region) => {
        const bytes = encodeHeader(values, 'main', region);
        t.equal(headerLength(bytes.subarray(0, introBytes), 'main'), bytes.length);
        const header = decodeHeader(bytes, 'main');
        t.equal(header.region, region);
        t.same(
          valuesOf(header),
          values.toSorted((a, b) => a.tag - b.tag),
        );
        t.ok(encodeHeader(valuesOf(header), 'main', region).equals(bytes));
        t.equal(bytes.length, encodedLength(values.toSorted((a, b) => a.tag - b.tag)) + (region ? 32 : 0));
      },
    ),
    { numRuns: 300, seed: 1 },
  );
  t.end();
});

void t.test('numbers are read in their sizes', (t) => {
  const int64 = Buffer.alloc(8);
  int64.writeBigUInt64BE(5_000_000_000n);
  const header = decodeHeader(
    encodeHeader(
      [
        int32(1028, 1, 0xffff_ffff),
        { tag: 1030, type: types.int16, count: 2, data: Buffer.from([0x81, 0xa4, 0x41, 0xed]) },
        { tag: 5009, type: types.int64, count: 1, data: int64 },
      ],
      'main',
    ),
    'main',
  );
  t.same(numbersOf(header, 'FILESIZES'), [1, 0xffff_ffff]);
  t.same(numbersOf(header, 'FILEMODES'), [0o100644, 0o40755]);
  t.equal(numberIn(header, 'LONGSIZE'), 5_000_000_000);
  t.equal(numberIn(header, 'EPOCH'), undefined);
  t.equal(dataOf(header, 'NAME'), undefined);
  t.throws(() => numberIn(header, 'FILESIZES'), { code: 'rpm_tag_invalid' });
  t.end();
});

/** A header of NAME and SIZE, with one 32-bit number of it replaced. */
function patched(at: number, value: number, kind: 'main' | 'signature' = 'main'): Buffer {
  const values =
    kind === 'main' ? [text(1000, 'a'), int32(1009, 7)] : [text(269, 'a'.repeat(40)), int32(1000, 7)];
  const bytes = encodeHeader(values, kind);
  bytes.writeUInt32BE(value >>> 0, at);
  return bytes;
}

const storeStart = 16 + 3 * 16;
/** NAME at 0 (2 bytes), SIZE at 4, the region's trailer at 8. */
const trailer = storeStart + 8;
const region = 16;
const name = 32;
const size = 48;

const malformed: readonly (readonly [string, Buffer])[] = [
  ['magic', patched(0, 0)],
  ['version of the header', patched(3, 0x0200_0000)],
  ['no entries', patched(8, 0)],
  ['more entries than rpm reads', patched(8, 65_536)],
  ['region of another type', patched(region + 4, types.string)],
  ['region of another length', patched(region + 12, 15)],
  ['region before the data', patched(region + 8, -1)],
  ['region behind the data', patched(region + 8, 9)],
  ['trailer of another tag', patched(trailer, 61)],
  ['trailer of another type', patched(trailer + 4, types.string)],
  ['trailer of another length', patched(trailer + 12, 0)],
  ['trailer counts no entries', patched(trailer + 8, 0)],
  ['trailer counts in bytes that are no entries', patched(trailer + 8, -47)],
  ['trailer counts entries that are not there', patched(trailer + 8, -64)],
  ['trailer leaves entries out', patched(trailer + 8, -32)],
  ['smallest number', patched(trailer + 8, -0x8000_0000)],
  ['tag of a region in the middle', patched(name, 63)],
  ['negative tag', patched(name, -5)],
  ['type 0', patched(name + 4, 0)],
  ['type 10', patched(name + 4, 10)],
  ['type that is not the tag’s', patched(name + 4, types.binary)],
  ['no value', patched(name + 12, 0)],
  ['more values than bytes', patched(size + 12, 0x4000_0001)],
  ['two strings in one', patched(name + 12, 2)],
  ['negative offset', patched(name + 8, -1)],
  ['offset in the data of another tag', patched(size + 8, 0)],
  ['offset out of line', patched(size + 8, 5)],
  ['data behind the end', patched(size + 8, 24)],
  ['data over the trailer', patched(size + 12, 2)],
  ['tag twice', patched(size, 1000)],
];

for (const [what, bytes] of malformed) {
  void t.test(`refused: ${what}`, (t) => {
    t.throws(
      () => {
        headerLength(bytes.subarray(0, introBytes), 'main');
        decodeHeader(bytes, 'main');
      },
      { code: 'rpm_header_malformed', place: { part: 'main header' } },
    );
    t.end();
  });
}

void t.test(
  'a signature header may end in the trailer of rpm 4.0, and have entries behind its region',
  (t) => {
    const at = 16 + 3 * 16 + 41 + 3 + 4;
    t.equal(decodeHeader(patched(at, 61, 'signature'), 'signature').region, true);
    t.equal(decodeHeader(patched(at + 8, -32, 'signature'), 'signature').entries.size, 2);
    t.throws(() => decodeHeader(patched(at, 60, 'signature'), 'signature'), { code: 'rpm_header_malformed' });
    t.end();
  },
);

void t.test('sizes over the limits are refused before memory is taken', (t) => {
  const intro = (entries: number, store: number): Buffer => {
    const bytes = Buffer.from('8eade8010000000000000000 00000000'.replaceAll(' ', ''), 'hex');
    bytes.writeUInt32BE(entries, 8);
    bytes.writeUInt32BE(store, 12);
    return bytes;
  };
  t.throws(() => headerLength(intro(1, 0xffff_ffff), 'main'), { code: 'rpm_limit', status: 413 });
  t.throws(() => headerLength(intro(1, 65 << 20), 'main'), { code: 'rpm_limit' });
  t.throws(() => headerLength(intro(1, 50 << 20), 'main', 15 << 20), { code: 'rpm_limit' });
  t.throws(() => headerLength(intro(1, 17 << 20), 'signature'), { code: 'rpm_limit' });
  t.throws(() => headerLength(intro(33, 0), 'signature'), { code: 'rpm_header_malformed' });
  t.equal(headerLength(intro(32, 100), 'signature'), 16 + 32 * 16 + 100);
  t.end();
});

void t.test('any change of a header gives a header or an AppError', (t) => {
  const whole = encodeHeader(
    [text(1000, 'name'), int32(1009, 7), int32(1028, 1, 2, 3), text(1004, 'summary'), text(20_000, 'x')],
    'main',
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 8, max: whole.length - 1 }), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      }),
      (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const length = headerLength(bytes.subarray(0, introBytes), 'main');
          if (length > bytes.length) return;
          valuesOf(decodeHeader(bytes.subarray(0, length), 'main'));
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      },
    ),
    { numRuns: 5000, seed: 2 },
  );
  t.end();
});
