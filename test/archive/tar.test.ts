import t from 'tap';
import { readTar, type TarOptions } from '../../src/archive/tar.ts';
import { buildTar, inChunks, paxRecord, type TarPart } from '../build-deb.ts';

const control: TarOptions = { maxEntries: 50, pax: 'harmless' };
const data: TarOptions = { maxEntries: 50, pax: 'refuse' };

async function list(bytes: Buffer, options: TarOptions = data, sizes?: readonly number[]): Promise<string[]> {
  const seen: string[] = [];
  for await (const entry of readTar(inChunks(bytes, sizes), 'x.tar', options)) {
    const parts: Uint8Array[] = [];
    if (seen.length % 2 === 0) for await (const part of entry.content()) parts.push(part);
    const text = Buffer.concat(parts).toString();
    const { type, name, sizeBytes, mode, target, offset } = entry;
    seen.push(
      `${offset} ${type} ${name} ${sizeBytes} ${mode.toString(8)} ${target ?? '-'} ${text}`.trimEnd(),
    );
  }
  return seen;
}

const put =
  (offset: number, value: string | Uint8Array) =>
  (header: Buffer): void => {
    header.set(typeof value === 'string' ? Buffer.from(value, 'latin1') : value, offset);
  };

t.test('every type and format that packages use is read', async (t) => {
  const long = `./${'d'.repeat(90)}/${'f'.repeat(90)}`;
  const bytes = buildTar([
    { name: './', type: '5' },
    { name: './file', data: 'content', mode: 0o4755 },
    { name: './link', type: '2', target: '../elsewhere' },
    { name: './hard', type: '1', target: './file' },
    { name: './tty', type: '3' },
    { name: './disk', type: '4' },
    { name: './pipe', type: '6' },
    { name: 'v7', type: '\0', magic: 'v7', data: 'old' },
    { name: 'v7dir/', magic: 'v7' },
    { name: long, data: 'x'.repeat(513) },
    { name: './l', type: '2', target: long },
    { name: 'base', prefix: './prefix', magic: 'ustar', data: '' },
    { name: 'x'.repeat(100), data: '' },
    { name: './späß', data: '' },
  ]);
  const expected = [
    '0 directory ./ 0 755 -',
    '512 file ./file 7 4755 -',
    '1536 symlink ./link 0 644 ../elsewhere',
    '2048 hardlink ./hard 0 644 ./file',
    '2560 character-device ./tty 0 644 -',
    '3072 block-device ./disk 0 644 -',
    '3584 fifo ./pipe 0 644 -',
    '4096 file v7 3 644 -',
    '5120 directory v7dir/ 0 644 -',
    `5632 file ${long} 513 644 -`,
    `8192 symlink ./l 0 644 ${long}`,
    '9728 file ./prefix/base 0 644 -',
    `10240 file ${'x'.repeat(100)} 0 644 -`,
    '10752 file ./späß 0 644 -',
  ];
  t.same(await list(bytes), expected);
  t.same(await list(bytes, data, [1]), expected);
  t.same(await list(bytes, data, [511, 3]), expected);
});

t.test('one closing block, or many, are enough', async (t) => {
  for (const blocks of [1, 2, 20, 200]) t.same(await list(buildTar([], blocks)), [], `${blocks}`);
});

t.test('numbers have the forms that all readers know', async (t) => {
  const sized = (size: string): TarPart => ({ name: 'a', data: 'abc', size });
  for (const size of ['00000000003', '0000000003\0', '00000000003 ', '         3\0', '          3 ', '3'])
    t.same(await list(buildTar([sized(size)])), ['0 file a 3 644 - abc'], JSON.stringify(size));
  const large = Buffer.alloc(12);
  large[0] = 0x80;
  large[7] = 2;
  await t.rejects(
    list(buildTar([{ name: 'a', size: large }])),
    { code: 'archive_truncated' },
    '8 GiB in base 256',
  );
  const blank = put(100, '\0'.repeat(24));
  t.same(await list(buildTar([{ name: 'a', patch: blank }])), ['0 file a 0 0 -'], 'no mode and no owner');
});

const record = (text: string, type = 'x'): TarPart => ({ name: 'pax', type, data: text });

t.test('pax headers pass where apt and GNU tar agree on what they say', async (t) => {
  const harmless = paxRecord('mtime', '1700000000.5') + paxRecord('uname', 'root');
  const bytes = buildTar([
    record(paxRecord('comment', 'a commit'), 'g'),
    record(harmless),
    { name: './control', data: 'x', magic: 'ustar' },
  ]);
  t.same(await list(bytes, control), ['0 file ./control 1 644 - x']);
  await t.rejects(list(bytes, data), { code: 'tar_entry' }, 'dpkg installs no archive with one');
});

const after: TarPart = { name: 'real', data: 'x' };
const longName = (text: string, type = 'L'): TarPart => ({ name: '././@LongLink', type, data: text });

const refused: Readonly<Record<string, readonly TarPart[]>> = {
  'an unknown magic': [{ name: 'a', patch: put(257, 'tar\0') }],
  'a sparse file': [{ name: 'a', type: 'S' }],
  'a contiguous file': [{ name: 'a', type: '7' }],
  'a multi-volume entry': [{ name: 'a', type: 'M' }],
  'an unknown type': [{ name: 'a', type: 'X' }],
  'a type that is no letter': [{ name: 'a', type: '\x1b' }],
  'no name': [{ name: '' }],
  'a name that is no UTF-8': [{ name: Buffer.from([0x61, 0xff]) }],
  'an overlong UTF-8 form': [{ name: Buffer.from([0x2e, 0x2f, 0xc0, 0xae]) }],
  'a newline in a name': [{ name: './a\nb' }],
  'an escape in a name': [{ name: './a\x1b[31m' }],
  'a C1 control in a name': [{ name: './a\u009b31m' }],
  'a line separator in a name': [{ name: './a\u2028b' }],
  'a control in a target': [{ name: 'a', type: '2', target: 'b\rc' }],
  'a link to nothing': [{ name: 'a', type: '2' }],
  'a directory with content': [{ name: 'a/', type: '5', data: 'x' }],
  'a link with content': [{ name: 'a', type: '1', target: 'b', data: 'x' }],
  'a file named like a folder, with content': [{ name: 'a/', data: 'x' }],
  'a link named like a folder': [{ name: 'a/', type: '2', target: 'b' }],
  'a size in base 256 that octal can say': [
    { name: 'a', size: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]) },
  ],
  'a negative size in base 256': [{ name: 'a', size: Buffer.alloc(12, 0xff) }],
  'a size of 2^63': [{ name: 'a', size: Buffer.from([0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]) }],
  'a size over the limit of apt': [
    { name: 'a', size: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0x21, 0, 0, 0, 0]) },
  ],
  'a signed size': [{ name: 'a', size: '-0000000001' }],
  'the digit 9 in a size': [{ name: 'a', size: '00000000009' }],
  'a blank size': [{ name: 'a', size: ' '.repeat(12) }],
  'a tab before a size': [{ name: 'a', size: '\t0000000001' }],
  'a mode in base 256': [{ name: 'a', patch: put(100, '\x80\0\0\0\0\0\0\x01') }],
  'a device number in base 256': [{ name: 'a', patch: put(329, '\x80\0\0\0\0\0\0\x01') }],
  'a negative owner': [{ name: 'a', patch: put(108, '\xff'.repeat(8)) }],
  'a mode with a letter': [{ name: 'a', patch: put(100, '00006g4') }],
  'two long names': [longName('a\0'), longName('b\0'), after],
  'an empty long name': [longName(''), after],
  'a long name with more behind its NUL': [longName('a\0b\0'), after],
  'a long name that goes on in the padding': [
    { ...longName('a\0'), size: '00000000001\0', data: 'ab' },
    after,
  ],
  'a long name of 64 MiB': [{ ...longName(''), size: '00400000001\0' }],
  'a long name before nothing': [longName('a\0')],
  'a long target before a file': [longName('target\0', 'K'), after],
  'a long name and a prefix': [longName('a\0'), { name: 'b', prefix: 'c', magic: 'ustar' }],
  'a pax path': [record(paxRecord('path', './control')), after],
  'a pax size': [record(paxRecord('size', '0')), after],
  'a pax link': [record(paxRecord('linkpath', '/etc/passwd')), after],
  'a pax sparse map': [record(paxRecord('GNU.sparse.major', '1')), after],
  'a global pax path': [record(paxRecord('path', './control'), 'g'), after],
  'a pax character set': [record(paxRecord('hdrcharset', 'BINARY')), after],
  'two pax headers': [record(paxRecord('mtime', '1')), record(paxRecord('mtime', '2')), after],
  'a pax header behind a long name': [longName('a\0'), record(paxRecord('mtime', '1')), after],
  'a pax length that lies': [record('999 mtime=1\n'), after],
  'a pax length of zero': [record('0 mtime=1\n'), after],
  'a pax record without a key': [record('5 =1\n'), after],
  'a pax record without a newline': [record('10 mtime=1'), after],
  'a pax header before nothing': [record(paxRecord('mtime', '1'))],
};

t.test('what readers see differently is refused', async (t) => {
  for (const [name, parts] of Object.entries(refused)) {
    await t.rejects(list(buildTar(parts), control), { code: 'tar_entry' }, name);
    await t.rejects(list(buildTar(parts), control, [1]), { code: 'tar_entry' }, `${name}, byte by byte`);
  }
});

t.test('the frame of the archive is checked', async (t) => {
  const good = buildTar([after]);
  const flipped = Buffer.from(good);
  flipped[3] = 0x58;
  const cases: Readonly<Record<string, readonly [Buffer, string]>> = {
    'nothing at all': [Buffer.alloc(0), 'tar_entry'],
    text: [Buffer.from('Package: x\n'), 'tar_entry'],
    'long text': [Buffer.from('Package: x\n'.repeat(100)), 'tar_entry'],
    'a wrong checksum': [flipped, 'tar_entry'],
    'no end': [buildTar([after], 0), 'tar_entry'],
    'another archive behind the end': [Buffer.concat([good, good]), 'tar_entry'],
    'one byte behind the end': [Buffer.concat([good, Buffer.from('x')]), 'tar_entry'],
    'content that is cut': [good.subarray(0, 700), 'archive_truncated'],
    'a header that is cut': [good.subarray(0, 1200), 'archive_truncated'],
    'too many entries': [buildTar(Array.from({ length: 51 }, () => after)), 'archive_limit'],
  };
  for (const [name, [bytes, code]] of Object.entries(cases)) await t.rejects(list(bytes), { code }, name);
});
