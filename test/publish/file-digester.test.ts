/** The digest of a file that is made anew from mostly the same pieces is that of its bytes. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { FileDigester } from '../../src/publish/file-digester.ts';

const plainDigest = (pieces: readonly Uint8Array[]): object => {
  const whole = Buffer.concat(pieces);
  return { sha256: createHash('sha256').update(whole).digest('hex'), sizeBytes: whole.length };
};

/** Some are longer than what lies between two marks. */
const piece = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 100, 65_536, 400_000, 2 ** 20 + 1))
  .map(([byte, length]) => Buffer.alloc(length, byte));

t.test('after any change', async (t) => {
  const changes = fc.array(
    fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), add: fc.array(piece, { maxLength: 3 }) }),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), changes, async (start, edits) => {
      const digester = new FileDigester();
      let pieces: readonly Buffer[] = start;
      t.same(await digester.digest(pieces), plainDigest(pieces));
      for (const { at, remove, add } of edits) {
        pieces = pieces.toSpliced(at % (pieces.length + 1), remove, ...add);
        t.same(await digester.digest(pieces), plainDigest(pieces));
      }
    }),
    { numRuns: 60 },
  );
});

t.test('two at once', async (t) => {
  const digester = new FileDigester();
  const first = Array.from({ length: 40 }, (_, i) => Buffer.alloc(100_000, i));
  const second = first.with(30, Buffer.from('other'));
  const digests = await Promise.all([first, second, first].map((pieces) => digester.digest(pieces)));
  t.same(digests, [first, second, first].map(plainDigest));
  t.same(await digester.digest(second), plainDigest(second));
});
