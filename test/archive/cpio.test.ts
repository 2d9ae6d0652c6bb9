import t from 'tap';
import { type CpioOptions, readCpio } from '../../src/archive/cpio.ts';
import { inChunks } from '../build-deb.ts';

type Part = {
  readonly name: string;
  readonly data?: string;
  readonly mode?: number;
  readonly magic?: string;
  readonly checksum?: number;
  readonly nameSize?: number;
  readonly size?: number;
};

const pad = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
const hex = (value: number): string => value.toString(16).padStart(8, '0');

function newc({ name, data = '', mode = 0o100644, magic = '070701', ...part }: Part): Buffer {
  const content = Buffer.from(data);
  const stored = Buffer.concat([Buffer.from(name), Buffer.alloc(1)]);
  const fields = [1, mode, 0, 0, 1, 1_700_000_000, part.size ?? content.length, 0, 0, 0, 0];
  const tail = [part.nameSize ?? stored.length, part.checksum ?? 0];
  const header = magic + [...fields, ...tail].map(hex).join('');
  return Buffer.concat([pad(Buffer.concat([Buffer.from(header), stored])), pad(content)]);
}

const stripped = (index: number, data: string): Buffer =>
  Buffer.concat([pad(Buffer.from(`07070X${hex(index)}`)), pad(Buffer.from(data))]);

const end = newc({ name: 'TRAILER!!!', mode: 0 });
const archive = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...parts, end]);

const sizes: CpioOptions = { maxEntries: 10, strippedSize: (index) => [3, 0, 5][index] ?? null };

async function list(
  bytes: Buffer,
  options: CpioOptions = { maxEntries: 10 },
  cut?: readonly number[],
): Promise<string[]> {
  const seen: string[] = [];
  for await (const entry of readCpio(inChunks(bytes, cut), 'payload', options)) {
    const parts: Uint8Array[] = [];
    if (seen.length % 2 === 0) for await (const part of entry.content()) parts.push(part);
    const named = entry.form === 'newc' ? Buffer.from(entry.nameBytes).toString() : `#${entry.index}`;
    seen.push(`${entry.offset} ${named} ${entry.sizeBytes} ${Buffer.concat(parts).toString()}`.trimEnd());
  }
  return seen;
}

t.test('newc archives are read, with and without checksums', async (t) => {
  const bytes = archive(
    newc({ name: './a', data: 'hello' }),
    newc({ name: './unread', data: 'x'.repeat(9), magic: '070702', checksum: 9 * 0x78 }),
    newc({ name: './summed', data: 'ab', magic: '070702', checksum: 0x61 + 0x62 }),
    newc({ name: './dir', mode: 0o40755 }),
  );
  const expected = ['0 ./a 5 hello', '124 ./unread 9', '256 ./summed 2 ab', '380 ./dir 0'];
  t.same(await list(bytes), expected);
  t.same(await list(bytes, undefined, [1]), expected);
  t.same(await list(Buffer.concat([bytes, Buffer.alloc(300)])), expected, 'zeros may follow');
});

t.test('stripped headers take their sizes from the caller', async (t) => {
  const bytes = archive(stripped(0, 'abc'), stripped(2, 'later'), stripped(1, ''));
  t.same(await list(bytes, sizes), ['0 #0 3 abc', '20 #2 5', '44 #1 0']);
  await t.rejects(list(bytes), { code: 'cpio_entry' }, 'only where the caller knows sizes');
  await t.rejects(
    list(archive(stripped(3, '')), sizes),
    { code: 'cpio_entry' },
    'only for files that there are',
  );
});

t.test('broken archives are refused', async (t) => {
  const good = newc({ name: 'a', data: 'b' });
  const cases: Readonly<Record<string, readonly [Buffer, string]>> = {
    'no trailer': [good, 'archive_truncated'],
    'nothing at all': [Buffer.alloc(0), 'archive_truncated'],
    'the old binary form': [archive(Buffer.from([0xc7, 0x71, 0, 0, 0, 0])), 'cpio_entry'],
    'the old octal form': [archive(newc({ name: 'a', magic: '070707' })), 'cpio_entry'],
    'a field that is not hexadecimal': [
      Buffer.from(archive(good).toString('latin1').replace('000081a4', '0x0081a4'), 'latin1'),
      'cpio_entry',
    ],
    'a name without an end': [archive(newc({ name: 'abc', nameSize: 3 })), 'cpio_entry'],
    'a name with a NUL inside': [archive(newc({ name: 'a\0b' })), 'cpio_entry'],
    'an empty name': [archive(newc({ name: '' })), 'cpio_entry'],
    'a name of 4 GiB': [archive(newc({ name: 'a', nameSize: 0xffffffff })), 'cpio_entry'],
    'a file of 4 GiB': [archive(newc({ name: 'a', size: 0xffffffff })), 'archive_truncated'],
    'a wrong checksum': [archive(newc({ name: 'a', data: 'b', magic: '070702', checksum: 1 })), 'cpio_entry'],
    'a trailer with content': [newc({ name: 'TRAILER!!!', data: 'x' }), 'cpio_entry'],
    'another archive behind': [Buffer.concat([archive(good), archive(good)]), 'cpio_entry'],
    'too many entries': [archive(...Array.from({ length: 11 }, () => good)), 'archive_limit'],
  };
  for (const [name, [bytes, code]] of Object.entries(cases)) {
    await t.rejects(list(bytes), { code }, name);
    await t.rejects(list(bytes, undefined, [1]), { code }, `${name}, byte by byte`);
  }
});
