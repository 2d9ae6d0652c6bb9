/** Every form of an index: its bytes follow from the set alone, whatever the history, and real tools read them. */
import { createHash } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { encodeXz, maxBlockBytes } from '../../src/archive/xz-encoder.ts';
import { compose } from '../../src/index/compose.ts';
import { GroupBlocks } from '../../src/index/groups.ts';
import { changeSegments, SegmentCutter, type IndexEntry, type Segment } from '../../src/index/segments.ts';
import { composeXz, takeBlock, type XzBlock } from '../../src/index/xz.ts';
import { composeZstd, encodeZstd } from '../../src/index/zstd.ts';
import { unlessInstalled } from '../clients.ts';
import { run } from '../run.ts';
import { temporaryDir } from '../server.ts';

t.setTimeout(240_000);
const perSegment = 3;

function entryOf(id: number): IndexEntry {
  const key = `package-${String(id).padStart(5, '0')}`;
  const sha256 = createHash('sha256').update(key).digest('hex');
  // Long enough that blocks differ, with something that compresses.
  return { key, sha256, body: `${key} ${sha256} ${'text '.repeat(id % 40)}\n` };
}

const entriesOf = (ids: Iterable<number>): IndexEntry[] =>
  [...new Set(ids)].sort((a, b) => a - b).map(entryOf);

/** In one go, or in runs of so many entries. */
async function cutSegments(
  entries: readonly IndexEntry[],
  perSegment: number,
  perRun = Infinity,
): Promise<Segment[]> {
  const cutter = new SegmentCutter(perSegment);
  const run = Math.min(perRun, Math.max(1, entries.length));
  for (let start = 0; start < entries.length; start += run)
    await cutter.add(entries.slice(start, start + run));
  return await cutter.end();
}

async function encodeBlocks(texts: readonly Uint8Array[]): Promise<XzBlock[]> {
  return [takeBlock(await encodeXz(Buffer.concat(texts)))];
}

type Forms = { readonly gzip: Buffer; readonly zstd: Buffer; readonly xz: Buffer };
type Caches = {
  readonly zstd: GroupBlocks<{ bytes: Uint8Array; rawBytes: number }>;
  readonly xz: GroupBlocks<XzBlock>;
};
const newCaches = (): Caches => ({ zstd: new GroupBlocks(encodeZstd), xz: new GroupBlocks(encodeBlocks) });

const head = '<head>\n';
const foot = '<foot>\n';

async function formsOf(
  segments: readonly Segment[],
  caches: Caches,
  ends: readonly [string, string] = [head, foot],
): Promise<Forms> {
  const [first, last] = ends;
  return {
    gzip: Buffer.concat(compose(first, segments, last).gzip),
    zstd: Buffer.concat(await composeZstd(await caches.zstd.of(first, segments, last))),
    xz: Buffer.concat(composeXz(await caches.xz.of(first, segments, last))),
  };
}

const textOf = (ids: Iterable<number>): string =>
  head +
  entriesOf(ids)
    .map(({ body }) => Buffer.from(body).toString())
    .join('') +
  foot;

void t.test('any history of changes leads to the bytes that the set has from the start', async () => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      ids,
      fc.array(fc.tuple(ids, ids, fc.boolean()), { maxLength: 6 }),
      async (start, steps) => {
        const set = new Set(start);
        let segments = await cutSegments(entriesOf(set), perSegment);
        let caches = newCaches();
        for (const [more, less, forget] of steps) {
          const add = more.filter((id) => !set.has(id));
          const remove = less.filter((id) => set.has(id));
          for (const id of add) set.add(id);
          for (const id of remove) set.delete(id);
          const changes = { add: entriesOf(add), remove: entriesOf(remove).map(({ key }) => key) };
          segments = await changeSegments(segments, changes, perSegment);
          if (forget) caches = newCaches();
          await formsOf(segments, caches);
        }
        const fresh = await formsOf(
          await cutSegments(entriesOf(set), perSegment, 1 + (set.size % 9)),
          newCaches(),
        );
        const grown = await formsOf(segments, caches);
        for (const form of ['gzip', 'zstd', 'xz'] as const)
          if (!grown[form].equals(fresh[form])) throw new Error(`${form} differs`);
        const text = textOf(set);
        if (gunzipSync(grown.gzip).toString() !== text) throw new Error('gzip holds something else');
        // Node reads the first frame of several: each by itself.
        const frames = await composeZstd(await caches.zstd.of(head, segments, foot));
        if (frames.map((frame) => zstdDecompressSync(frame)).join('') !== text)
          throw new Error('zstd holds something else');
      },
    ),
    { numRuns: 60, seed: 20261123 },
  );
});

void t.test('a change costs the groups that it falls into', async (t) => {
  const all = Array.from({ length: 600 }, (_, i) => 2 * i);
  const segments = await cutSegments(entriesOf(all), perSegment);
  let made = 0;
  const blocks = new GroupBlocks(async (texts) => {
    made++;
    return await encodeZstd(texts);
  });
  await blocks.of('', segments, '');
  const groups = made;
  t.ok(groups > 20, `${groups} groups of ${segments.length} segments`);
  made = 0;
  const changed = await changeSegments(segments, { add: entriesOf([601]), remove: [] }, perSegment);
  await blocks.of('', changed, '');
  t.ok(made >= 1 && made <= 2, `${made} of ${groups} made again`);
  made = 0;
  await blocks.of('', changed, '');
  t.equal(made, 0, 'nothing changed');
});

void t.test('a group that could not be made is tried again', async (t) => {
  const segments = await cutSegments(entriesOf([1, 2, 3]), perSegment);
  let fail = true;
  const blocks = new GroupBlocks(async (texts) => {
    if (fail) throw new Error('no room');
    return await encodeZstd(texts);
  });
  await t.rejects(blocks.of('', segments, ''), /no room/);
  fail = false;
  t.ok((await blocks.of('', segments, '')).length > 0);
});

void t.test('a text longer than a block can be has several, and what is no block is refused', async (t) => {
  const long = Buffer.alloc(maxBlockBytes, 'abcdefg');
  const stream = await encodeXz(long);
  const block = takeBlock(stream);
  t.equal(block.rawBytes, long.length);
  t.equal(block.bytes.length % 4, 0);
  const noise = createHash('sha512').update('x').digest();
  const random = Buffer.concat(
    Array.from({ length: 4000 }, (_, i) => createHash('sha512').update(noise).update(String(i)).digest()),
  );
  t.equal(takeBlock(await encodeXz(random)).rawBytes, random.length, 'what cannot be made smaller');
  const two = Buffer.concat(composeXz([block, block]));
  t.throws(() => takeBlock(two), /not a stream of one block/);
  const other = Buffer.from(stream);
  other[7] = 1;
  t.throws(() => takeBlock(other), /CRC64/);
});

const skip = unlessInstalled('python3', 'xz', 'zstd');
void t.test('gzip, zstd, xz and Python read every form to its end', { skip }, async (t) => {
  const dir = temporaryDir(t);
  const all = Array.from({ length: 500 }, (_, i) => i);
  const sets: [string, number[], readonly [string, string]][] = [
    ['many', all, [head, foot]],
    ['bare', all.slice(0, 77), ['', '']],
    ['one', [7], ['', '']],
    ['empty', [], ['', '']],
  ];
  for (const [name, ids, ends] of sets) {
    const forms = await formsOf(await cutSegments(entriesOf(ids), perSegment), newCaches(), ends);
    const expected = ends[0] + textOf(ids).slice(head.length, -foot.length) + ends[1];
    for (const [form, extension] of [
      ['gzip', 'gz'],
      ['zstd', 'zst'],
      ['xz', 'xz'],
    ] as const) {
      const path = join(dir, `${name}.${extension}`);
      writeFileSync(path, forms[form]);
      const tested = await run(form, ['-t', path]);
      t.equal(tested.code, 0, `${form} -t ${name}: ${tested.stderr}`);
      const read = await run(form, ['-dc', path]);
      t.equal(read.stdout, expected, `${form} -dc ${name}`);
    }
    const python =
      'import sys,gzip,lzma,zlib\np=sys.argv[1]\n' +
      'a=gzip.open(p+".gz").read(); b=lzma.open(p+".xz").read()\n' +
      // One decompressor stops at the end of the first member or stream.
      'd=zlib.decompressobj(31); c=d.decompress(open(p+".gz","rb").read()); assert d.unused_data==b""\n' +
      'x=lzma.LZMADecompressor(); e=x.decompress(open(p+".xz","rb").read()); assert x.eof and x.unused_data==b""\n' +
      'assert a==b==c==e; sys.stdout.write(a.decode())\n';
    const { code, stdout, stderr } = await run('python3', ['-c', python, join(dir, name)]);
    t.equal(code, 0, stderr);
    t.equal(stdout, expected, `Python reads ${name}`);
  }
  const listed = await run('xz', ['--robot', '--list', join(dir, 'many.xz')]);
  const [, streams = '', blocks = ''] = /^totals\t(\d+)\t(\d+)/m.exec(listed.stdout) ?? [];
  t.equal(streams, '1', 'one stream');
  t.ok(Number(blocks) > 10, `${blocks} blocks`);
});
