import fc from 'fast-check';
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { type Compression, decompress } from '../../src/archive/decompress.ts';
import { type Budget, contentBudget } from '../../src/archive/limits.ts';
import { AppError } from '../../src/errors.ts';
import { compressAs, inChunks } from '../build-deb.ts';
import { unlessInstalled } from '../clients.ts';
import { choicesFrom } from '../choices.ts';

t.setTimeout(240_000);

const kinds = ['gzip', 'zstd', 'xz', 'lzma', 'bzip2'] as const;
const unlessPrograms = unlessInstalled('xz', 'bzip2');

/** What came out, and the error that ended it. */
async function unpack(
  kind: Compression,
  bytes: Buffer,
  sizes?: readonly number[],
  budget: Budget = contentBudget,
): Promise<{ output: Buffer; error: string }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of decompress(kind, inChunks(bytes, sizes), budget, 'part')) parts.push(part);
    return { output: Buffer.concat(parts), error: '' };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { output: Buffer.concat(parts), error: `${error.code}: ${error.message}` };
  }
}

/** Text with structure, so that every coder finds something to do. */
function sample(length: number, seed = 1): Buffer {
  const random = choicesFrom(seed);
  const words = Array.from({ length: 200 }, () => random.next(1e9).toString(36));
  const out: string[] = [];
  for (let have = 0; have < length; have += 12)
    out.push(random.next(9) === 0 ? 'aaaaaaaaaaa' : random.pick(words));
  return Buffer.from(out.join(' ').slice(0, length));
}

t.test('every compression gives back what went in', { skip: unlessPrograms }, async (t) => {
  for (const length of [0, 1, 10_000, 300_000, 5_000_000]) {
    const plain = sample(length);
    for (const kind of kinds) {
      const packed = compressAs(kind, plain);
      const { output, error } = await unpack(kind, packed, [4_001, 65_536, 17]);
      t.equal(error, '', `${kind}, ${length} bytes`);
      t.ok(output.equals(plain), `${kind}, ${length} bytes are the same`);
    }
  }
  t.ok((await unpack('none', sample(200_000), [777])).output.equals(sample(200_000)));
});

t.test('options of the compressors are understood', { skip: unlessPrograms }, async (t) => {
  const plain = sample(400_000);
  const run = (program: string, ...options: string[]): Buffer =>
    execFileSync(program, ['-c', ...options], { input: plain, maxBuffer: 2 ** 30 });
  const cases: Readonly<Record<string, readonly [Compression, Buffer]>> = {
    'xz -0': ['xz', run('xz', '-0')],
    'xz -9e': ['xz', run('xz', '-9e')],
    'xz without a check': ['xz', run('xz', '--check=none')],
    'xz with SHA-256': ['xz', run('xz', '--check=sha256')],
    'xz with several blocks': ['xz', run('xz', '--block-size=50000')],
    'xz with a filter': ['xz', run('xz', '--x86', '--lzma2')],
    'lzma -9': ['lzma', run('xz', '--format=lzma', '-9')],
    'bzip2 -1': ['bzip2', run('bzip2', '-1')],
    'gzip of several members': ['gzip', Buffer.concat([gzipSync(plain), gzipSync('')])],
    'zstd with a checksum': [
      'zstd',
      zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    ],
    'zstd with its size': ['zstd', zstdCompressSync(plain, { pledgedSrcSize: plain.length })],
    'zstd --ultra -22': [
      'zstd',
      zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 22 } }),
    ],
    'zstd with a long window': [
      'zstd',
      zstdCompressSync(plain, { params: { [constants.ZSTD_c_windowLog]: 27 } }),
    ],
  };
  for (const [name, [kind, packed]] of Object.entries(cases)) {
    const { output, error } = await unpack(kind, packed, [1000]);
    t.equal(error, '', name);
    t.ok(output.equals(plain), `${name}: the same bytes`);
  }
});

t.test('bzip2: runs, random bytes and repeated text', { skip: unlessPrograms }, async (t) => {
  const random = choicesFrom(7);
  const inputs: Readonly<Record<string, Buffer>> = {
    'zeros beyond one block': Buffer.alloc(3_000_000),
    'runs of every length': Buffer.concat(
      Array.from({ length: 600 }, (_, length) => Buffer.alloc(length, random.next(256))),
    ),
    'four equal bytes at the end': Buffer.from('abcdaaaa'),
    'all bytes': Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    'bytes without order': Buffer.from(Array.from({ length: 1_200_000 }, () => random.next(256))),
  };
  for (const [name, plain] of Object.entries(inputs)) {
    const { output, error } = await unpack('bzip2', compressAs('bzip2', plain));
    t.equal(error, '', name);
    t.ok(output.equals(plain), `${name}: the same bytes`);
  }
});

t.test('a stream cut at any byte ends with an error', { skip: unlessPrograms }, async (t) => {
  const plain = sample(9_000);
  for (const kind of kinds) {
    const packed = compressAs(kind, plain).subarray(0, 4096);
    for (let length = 0; length < packed.length; length++) {
      const { error } = await unpack(kind, packed.subarray(0, length));
      if (!error.startsWith('archive_truncated'))
        t.equal(error, 'archive_truncated', `${kind} cut at ${length}`);
    }
    t.pass(`${kind}: ${packed.length} cuts`);
  }
});

t.test('so does a long stream, in pieces', { skip: unlessPrograms }, async (t) => {
  const plain = Buffer.concat([
    sample(400_000),
    Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at) >> 3)),
  ]);
  for (const kind of kinds) {
    const packed = compressAs(kind, plain);
    for (const share of [0.2, 0.5, 0.9, 0.99]) {
      const cut = packed.subarray(0, Math.floor(packed.length * share));
      const whole = await unpack(kind, cut);
      t.match(whole.error, /^archive_truncated/, `${kind} cut at ${share}`);
      t.ok(plain.subarray(0, whole.output.length).equals(whole.output), `${kind}: what came before is right`);
      t.same(await unpack(kind, cut, [5_000]), whole, `${kind}: chunks change nothing`);
    }
  }
});

t.test('one stream, and nothing behind it', { skip: unlessPrograms }, async (t) => {
  const plain = sample(3_000);
  for (const kind of kinds)
    for (const length of [3_000, 200_000]) {
      const packed = compressAs(kind, sample(length));
      const garbage = Buffer.concat([packed, Buffer.from('garbage')]);
      t.match((await unpack(kind, garbage)).error, /^compressed_data/, `${kind}: garbage`);
      const zeros = Buffer.concat([packed, Buffer.alloc(4)]);
      t.match((await unpack(kind, zeros)).error, /^compressed_data/, `${kind}: zeros`);
      if (kind === 'gzip') continue;
      t.match(
        (await unpack(kind, Buffer.concat([packed, packed]))).error,
        /^compressed_data/,
        `${kind}: twice`,
      );
    }
  const skippable = Buffer.concat([Buffer.from('502a4d1804000000', 'hex'), Buffer.from('skip')]);
  const frame = zstdCompressSync(plain);
  t.match(
    (await unpack('zstd', Buffer.concat([skippable, frame]))).error,
    /^compressed_data/,
    'skippable first',
  );
  t.match(
    (await unpack('zstd', Buffer.concat([frame, skippable]))).error,
    /^compressed_data/,
    'skippable last',
  );
});

t.test('a part is what its name says', { skip: unlessPrograms }, async (t) => {
  const plain = sample(2_000);
  for (const kind of kinds)
    for (const other of kinds) {
      if (kind === other) continue;
      const { error } = await unpack(kind, compressAs(other, plain));
      t.match(error, /^(compressed_data|decompression_bomb|archive_truncated)/, `${other} read as ${kind}`);
    }
  for (const kind of kinds)
    t.match(
      (await unpack(kind, plain)).error,
      /^(compressed_data|decompression_bomb)/,
      `text read as ${kind}`,
    );
});

t.test('budgets stop a bomb early', { skip: unlessPrograms }, async (t) => {
  const zeros = Buffer.alloc(30_000_000);
  for (const kind of kinds) {
    const packed = compressAs(kind, zeros);
    const small: Budget = { outputBytes: 1_000_000, ratio: 1e9, freeBytes: 0 };
    const large = await unpack(kind, packed, undefined, small);
    t.match(large.error, /^decompression_bomb/, `${kind}: too large`);
    t.ok(large.output.length <= small.outputBytes, `${kind}: no more than the budget came out`);
    const ratio: Budget = { outputBytes: 1e9, ratio: 10, freeBytes: 2_000_000, inputBytes: packed.length };
    const thin = await unpack(kind, packed, [333], ratio);
    t.match(thin.error, /^decompression_bomb/, `${kind}: too thin`);
    t.ok(thin.output.length <= 2_300_000, `${kind}: ${thin.output.length} bytes came out`);
  }
  const unknown: Budget = { outputBytes: 1e9, ratio: 1, freeBytes: 0 };
  t.match((await unpack('none', sample(100_000), undefined, unknown)).error, /^$/, 'one to one is no bomb');
});

t.test('memory is bounded', { skip: unlessPrograms }, async (t) => {
  const xz = (dictionary: string): Buffer =>
    execFileSync('xz', ['-c', `--lzma2=dict=${dictionary}`], { input: sample(1000) });
  t.equal((await unpack('xz', xz('64MiB'))).error, '', 'the largest preset of xz');
  t.match((await unpack('xz', xz('128MiB'))).error, /^decompression_bomb/);
  const lzma = execFileSync('xz', ['-c', '--format=lzma', '--lzma1=dict=128MiB'], { input: sample(1000) });
  t.match((await unpack('lzma', lzma)).error, /^decompression_bomb/);
  // A frame header that asks for a window of 2 GiB, or says that its one segment is 4 GiB.
  t.match((await unpack('zstd', Buffer.from('28b52ffd00a8010000', 'hex'))).error, /^decompression_bomb/);
  t.match(
    (await unpack('zstd', Buffer.from('28b52ffda0ffffffff010000', 'hex'))).error,
    /^decompression_bomb/,
  );
  t.match(
    (await unpack('zstd', Buffer.from('28b52ffd0148ff010000', 'hex'))).error,
    /^compressed_data.*dictionary/,
  );
});

t.test('a gzip header may hold all that RFC 1952 allows', async (t) => {
  const [head, body] = [gzipSync('text').subarray(0, 10), gzipSync('text').subarray(10)];
  const withFlags = (flags: number, ...extra: Buffer[]): Buffer => {
    const start = Buffer.from(head);
    start[3] = flags;
    return Buffer.concat([start, ...extra, body]);
  };
  const extra = Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(65_535, 7)]);
  const good = withFlags(0x1c, extra, Buffer.from('name\0'), Buffer.from('comment\0'));
  t.same(await unpack('gzip', good), { output: Buffer.from('text'), error: '' });
  t.match((await unpack('gzip', withFlags(0x20))).error, /^compressed_data/, 'a reserved flag');
  t.match(
    (await unpack('gzip', withFlags(0x02, Buffer.from('xx')))).error,
    /^compressed_data/,
    'a header checksum',
  );
  const endless = withFlags(0x08, Buffer.alloc(200_000, 0x61));
  t.match((await unpack('gzip', endless)).error, /^compressed_data/, 'a name without end');
  const many = Buffer.concat(Array.from({ length: 300 }, () => gzipSync('')));
  t.match((await unpack('gzip', many)).error, /^compressed_data/, 'too many members');
});

t.test(
  'property: damage gives an error or the same bytes, however it is cut',
  { skip: unlessPrograms },
  async (t) => {
    for (const kind of kinds)
      for (const length of [2_000, 250_000]) {
        const plain = sample(length, 3);
        // Left to itself zstd adds no checksum here, and damage can pass for other content.
        const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
        const packed = kind === 'zstd' ? zstdCompressSync(plain, checked) : compressAs(kind, plain);
        await fc.assert(
          fc.asyncProperty(
            fc.nat(packed.length - 1),
            fc.integer({ min: 1, max: 255 }),
            fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
            async (at, bits, sizes) => {
              const damaged = Buffer.from(packed);
              damaged[at] = (damaged[at] ?? 0) ^ bits;
              const whole = await unpack(kind, damaged);
              const cut = await unpack(kind, damaged, sizes);
              const same = whole.error === cut.error && whole.output.equals(cut.output);
              // lzma alone has no checksum: damage can pass for other content.
              return same && (whole.error !== '' || kind === 'lzma' || whole.output.equals(plain));
            },
          ),
          { numRuns: 60, seed: 1 },
        );
        t.pass(`${kind}, ${length} bytes`);
      }
  },
);

t.test('leaving early stops the decoder and the source', { skip: unlessPrograms }, async (t) => {
  const plain = sample(5_000_000);
  for (const kind of kinds) {
    let closed = false;
    const packed = compressAs(kind, plain);
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* inChunks(packed, [1000]);
      } finally {
        closed = true;
      }
    }
    // eslint-disable-next-line @typescript-eslint/no-unused-vars -- one piece is enough
    for await (const _ of decompress(kind, source(), contentBudget, 'part')) break;
    t.ok(closed, kind);
  }
});
