/** An index of lines: its bytes follow from what is mentioned alone, and a change costs the segments it falls into. */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { compose } from '../../src/index/compose.ts';
import {
  changeLines,
  MentionSorter,
  toByteString,
  uniteMentions,
  writeLines,
  type LineSegment,
  type Mention,
} from '../../src/index/lines.ts';
import { FileDigester } from '../../src/publish/file-digester.ts';

t.setTimeout(240_000);

/** So long a line that three of them make a segment. */
const averageLineBytes = 2 ** 16 / 3;

const keys = Array.from({ length: 60 }, (_, i) => `usr/share/${i % 7}/file${i}${i % 9 === 0 ? '\ta b' : ''}`);
const names = ['utils/a', 'b', 'utils/ab', 'x/b'];

/** A package: a name, and the keys it has. */
const shipper = fc.record({
  name: fc.constantFrom(...names),
  keys: fc.uniqueArray(fc.constantFrom(...keys), { maxLength: 15 }),
});
type Shipper = { readonly name: string; readonly keys: readonly string[] };

const mentionsOf = ({ name, keys: all }: Shipper, count: number): Mention[] =>
  all.map((key) => ({ key, name, count }));

async function apply(
  segments: readonly LineSegment[],
  mentions: readonly Mention[],
  perRun?: number,
): Promise<LineSegment[]> {
  const sorter = new MentionSorter(perRun);
  for (const mention of mentions) await sorter.add([mention]);
  return await changeLines(segments, sorter.sorted(), averageLineBytes);
}

/** What the lines of these have to be, made the simple way. */
function expected(shippers: readonly Shipper[]): string {
  const all = [...new Set(shippers.flatMap((one) => one.keys))].sort();
  return all
    .map((key) => {
      const behind = shippers.filter((one) => one.keys.includes(key)).map(({ name }) => name);
      return `${key}\t${[...new Set(behind)].sort().join(',')}\n`;
    })
    .join('');
}

function text(segments: readonly LineSegment[]): string {
  return gunzipSync(Buffer.concat(compose('', segments, '').gzip)).toString();
}

const shape = (segments: readonly LineSegment[]): object[] =>
  segments.map(({ counts, deflated, ...rest }) => ({
    ...rest,
    counts: [...counts],
    deflated: Buffer.from(deflated).toString('hex'),
  }));

void t.test('any history of packages leads to the bytes that the set has from the start', async () => {
  const step = fc.record({ add: fc.array(shipper, { maxLength: 4 }), remove: fc.array(fc.nat()) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 8 }),
      fc.integer({ min: 1, max: 20 }),
      async (steps, perRun) => {
        let segments: LineSegment[] = [];
        let there: Shipper[] = [];
        for (const { add, remove } of steps) {
          const gone = new Set(remove.map((at) => there[at % Math.max(1, there.length)]));
          const left = there.filter((one) => gone.has(one));
          there = [...there.filter((one) => !gone.has(one)), ...add];
          const mentions = [
            ...add.flatMap((one) => mentionsOf(one, 1)),
            ...left.flatMap((one) => mentionsOf(one, -1)),
          ];
          segments = await apply(segments, mentions, perRun);
          t.equal(text(segments), expected(there));
        }
        const mentions = there.toReversed().flatMap((one) => mentionsOf(one, 1));
        t.same(shape(segments), shape(await apply([], mentions)));
      },
    ),
    { numRuns: 150 },
  );
});

void t.test('a change makes the segments anew that it falls into, and no others', async (t) => {
  const many = Array.from({ length: 3000 }, (_, i) => `usr/lib/${String(i).padStart(5, '0')}`);
  const segments = await apply([], mentionsOf({ name: 'all', keys: many }, 1));
  t.ok(segments.length > 500);
  const one = { name: 'one', keys: ['usr/lib/01500', 'usr/lib/01500a'] };
  const changed = await apply(segments, mentionsOf(one, 1));
  const fresh = changed.filter((segment) => !segments.includes(segment));
  t.ok(fresh.length >= 1 && fresh.length <= 3, `${fresh.length} of ${changed.length}`);
  t.equal(
    fresh.reduce((sum, { counts }) => sum + counts.length - 1, 0) < 60,
    true,
    'which are about three lines each',
  );
  const back = await apply(changed, mentionsOf(one, -1));
  t.same(shape(back), shape(segments));

  const both = [...mentionsOf(one, 1), ...mentionsOf(one, -1)];
  t.ok((await apply(segments, both)).every((segment, i) => segment === segments[i]));
});

void t.test('however many behind one key', async (t) => {
  const crowd = Array.from({ length: 2500 }, (_, i) => ({ key: 'etc/all', name: `p${i}`, count: 1 }));
  const others = ['etc/a', 'etc/b', 'usr'].map((key) => ({ key, name: 'p', count: 1 }));
  const segments = await apply([], [...crowd, ...others, ...crowd], 1000);
  t.equal(
    segments.reduce((sum, { count }) => sum + count, 0),
    4,
  );
  const line = text(segments)
    .split('\n')
    .find((one) => one.startsWith('etc/all'));
  t.equal(
    line,
    `etc/all\t${crowd
      .map(({ name }) => name)
      .sort()
      .join()}`,
  );
  t.equal(
    text(
      await apply(
        segments,
        crowd.map((one) => ({ ...one, count: -1 })),
      ),
    ),
    text(segments),
  );
});

void t.test('the order is that of bytes', (t) => {
  const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const sorted = uniteMentions(words.map((key) => ({ key: toByteString(key), name: 'p', count: 1 })));
      t.same(
        sorted.map(({ key }) => Buffer.from(key, 'latin1')),
        [...new Set(words)].map((one) => Buffer.from(one)).sort((a, b) => Buffer.compare(a, b)),
      );
    }),
    { numRuns: 300 },
  );
  t.equal(
    Buffer.from(writeLines([{ key: toByteString('é\u{1f600}'), name: 'p', count: 1 }]), 'latin1').toString(),
    'é\u{1f600}\tp\n',
  );
  t.end();
});

void t.test(
  'the plain digest is that of the whole text, of which only what is deflated is kept',
  async (t) => {
    const many = Array.from({ length: 40_000 }, (_, i) => `usr/share/${'d'.repeat(i % 90)}/${i}`);
    const segments = await apply([], mentionsOf({ name: 'p', keys: many }, 1));
    const digester = new FileDigester();
    const digestOf = async (all: readonly LineSegment[]): Promise<void> => {
      const whole = text(all);
      t.same(await digester.digest(compose('', all, '').raw), {
        sha256: createHash('sha256').update(whole).digest('hex'),
        sizeBytes: whole.length,
      });
    };
    await digestOf(segments);
    await digestOf(await apply(segments, [{ key: 'usr/share/d/late', name: 'late', count: 1 }]));
    await digestOf(segments);
    await digestOf([]);
  },
);
