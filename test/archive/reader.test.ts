import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../src/archive/reader.ts';
import { AppError } from '../../src/errors.ts';
import { inChunks } from '../build-deb.ts';

const sample = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));

async function gather(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

type Step = { readonly do: 'read' | 'skip' | 'stream' | 'peek' | 'upTo'; readonly length: number };

/** What a list of steps gives, and how it fails. */
async function run(steps: readonly Step[], sizes: readonly number[]): Promise<string> {
  const reader = new ByteReader(inChunks(sample, sizes), 'sample');
  const seen: string[] = [];
  try {
    for (const step of steps) {
      if (step.do === 'skip') await reader.skip(step.length, 'a gap');
      else if (step.do === 'stream')
        seen.push((await gather(reader.stream(step.length, 'a part'))).toString('hex'));
      else if (step.do === 'peek') seen.push(Buffer.from(await reader.peek(step.length)).toString('hex'));
      else if (step.do === 'upTo') seen.push(Buffer.from(await reader.readUpTo(step.length)).toString('hex'));
      else seen.push(Buffer.from(await reader.read(step.length, 'a record')).toString('hex'));
      seen.push(`${reader.offset} ${String(await reader.atEnd())}`);
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    seen.push(JSON.stringify([error.code, error.message, error.place]));
  }
  return seen.join('\n');
}

t.test('property: chunks change nothing', async (t) => {
  const step = fc.record({
    do: fc.constantFrom('read', 'skip', 'stream', 'peek', 'upTo'),
    length: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 700 })),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }),
      async (steps, sizes) => {
        const whole = await run(steps, [sample.length]);
        return (await run(steps, sizes)) === whole && (await run(steps, [1])) === whole;
      },
    ),
    { numRuns: 200 },
  );
  t.pass();
});

t.test('bytes that one chunk holds are not copied', async (t) => {
  const reader = new ByteReader(inChunks(sample), 'sample');
  const bytes = await reader.read(500, 'a record');
  t.equal(bytes.buffer, sample.buffer);
  t.equal(reader.tryRead(501), null, 'what is not at hand is not waited for');
  t.same(Buffer.from(reader.tryRead(500) ?? []), sample.subarray(500));
  t.equal(await reader.atEnd(), true);
});

t.test('a source that ends too early is named, with the place', async (t) => {
  const reader = new ByteReader(inChunks(sample, [7]), 'x.deb');
  await reader.skip(990, 'a gap');
  await t.rejects(reader.read(11, 'an ar header'), {
    code: 'archive_truncated',
    message: 'x.deb ends within an ar header.',
    place: { part: 'x.deb', offset: 1000 },
  });
});

t.test('a failure of the source and an early close reach the right end', async (t) => {
  let closed = false;
  // eslint-disable-next-line @typescript-eslint/require-await -- sources are asynchronous
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield sample;
      throw new Error('the disk failed');
    } finally {
      closed = true;
    }
  }
  const failing = new ByteReader(source(), 'sample');
  await t.rejects(failing.read(1001, 'a record'), { message: 'the disk failed' });
  closed = false;
  const left = new ByteReader(source(), 'sample');
  await left.read(10, 'a record');
  await left.close();
  t.equal(closed, true);
});
