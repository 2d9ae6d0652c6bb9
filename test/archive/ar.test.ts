import t from 'tap';
import { readAr } from '../../src/archive/ar.ts';
import { ByteReader } from '../../src/archive/reader.ts';
import { type ArPart, buildAr, inChunks } from '../build-deb.ts';

async function list(bytes: Buffer, sizes?: readonly number[]): Promise<string[]> {
  const seen: string[] = [];
  for await (const member of readAr(new ByteReader(inChunks(bytes, sizes), 'a'))) {
    const parts: Uint8Array[] = [];
    // Every second member is left unread.
    if (seen.length % 2 === 0) for await (const part of member.content()) parts.push(part);
    seen.push(
      `${member.name} ${member.sizeBytes} ${member.time} ${member.offset} ${Buffer.concat(parts).toString()}`,
    );
  }
  return seen;
}

t.test('members are read or passed over', async (t) => {
  const bytes = buildAr([
    { name: 'odd', data: 'abc', time: '' },
    { name: 'gnu/', data: 'unread' },
    { name: 'empty', data: '' },
    { name: 'sixteen-letters-', data: 'even', time: '0' },
  ]);
  const expected = [
    'odd 3 null 8 abc',
    'gnu 6 1700000000 72 ',
    'empty 0 1700000000 138 ',
    'sixteen-letters- 4 0 198 ',
  ];
  t.same(await list(bytes), expected);
  t.same(await list(bytes, [1]), expected);
  t.same(await list(buildAr([])), [], 'an archive without members');
});

t.test('what dpkg and apt read differently is refused', async (t) => {
  const one = (part: Partial<ArPart>): Buffer => buildAr([{ name: 'x', data: 'abcd', ...part }]);
  const good = one({});
  const changed = (at: number, text: string): Buffer => {
    const bytes = Buffer.from(good);
    bytes.write(text, at, 'latin1');
    return bytes;
  };
  const cases: Readonly<Record<string, readonly [Buffer, string]>> = {
    'no magic': [Buffer.from('!<thin>\n'), 'ar_header'],
    'half a magic': [Buffer.from('!<ar'), 'ar_header'],
    'nothing at all': [Buffer.alloc(0), 'ar_header'],
    'a wrong header end': [changed(8 + 58, 'XX'), 'ar_header'],
    'a negative size': [one({ size: '-60' }), 'ar_header'],
    'a plus sign': [one({ size: '+4' }), 'ar_header'],
    'a blank before the size': [one({ size: ' 4' }), 'ar_header'],
    'an octal size': [one({ size: '0x4' }), 'ar_header'],
    'no size': [one({ size: '' }), 'ar_header'],
    'a time that is no number': [one({ time: 'now' }), 'ar_header'],
    'an owner that is no number': [changed(8 + 28, 'root'), 'ar_header'],
    'a mode that is not octal': [changed(8 + 40, '8'), 'ar_header'],
    'the BSD long name': [one({ name: '#1/20' }), 'ar_header'],
    'the GNU long name': [one({ name: '/15' }), 'ar_header'],
    'the GNU table of names': [one({ name: '//' }), 'ar_header'],
    'the symbol table': [one({ name: '/' }), 'ar_header'],
    'two slashes': [one({ name: 'x//' }), 'ar_header'],
    'no name': [one({ name: '' }), 'ar_header'],
    'a way out': [one({ name: '../x' }), 'ar_header'],
    'a terminal escape': [one({ name: 'x\x1b[1m' }), 'ar_header'],
    'a size past the end': [one({ size: '5' }), 'archive_truncated'],
    'a size of ten digits': [one({ size: '9999999999' }), 'archive_truncated'],
    'no padding': [Buffer.concat([one({ data: 'abc' }).subarray(0, -1), good.subarray(8)]), 'ar_header'],
    'half a header behind': [Buffer.concat([good, good.subarray(8, 40)]), 'archive_truncated'],
    'something behind': [Buffer.concat([good, Buffer.from('PK\x03\x04'.repeat(20))]), 'ar_header'],
    'a missing pad byte at the end': [one({ data: 'abc' }).subarray(0, -1), 'archive_truncated'],
    'too many members': [
      buildAr(Array.from({ length: 65 }, () => ({ name: '_x', data: '' }))),
      'archive_limit',
    ],
  };
  for (const [name, [bytes, code]] of Object.entries(cases)) {
    await t.rejects(list(bytes), { code }, name);
    await t.rejects(list(bytes, [1]), { code }, `${name}, byte by byte`);
  }
});
