/** Packages made wrong at random, by a seed: the same number gives the same package for ever. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { parseDeb, type DebPackage } from '../../../src/formats/apt/deb.ts';
import { buildAr, buildTar, controlText, paxRecord, type TarPart } from '../../build-deb.ts';
import { damage, choicesFrom, splice, type Random } from '../../choices.ts';
import type { Subject } from '../examine.ts';

/** What to put into a control file: each has parted some reader from another. */
const tokens = [
  '\n',
  ' ',
  '\t',
  '\r',
  '\r\n',
  '\0',
  '\u00a0',
  '\u0085',
  '\ufeff',
  '#',
  ':',
  '::',
  '-',
  ' .\n',
  '\n\n',
  '\n \n',
  '\n x\n',
  ',',
  ', ',
  '|',
  ' | ',
  '(',
  ')',
  ' (>= 1)',
  '(=1:2-3)',
  ' (<1)',
  ' (2)',
  ' [amd64]',
  ' <!nocheck>',
  ':any',
  ':amd64',
  '~',
  '+',
  '0:',
  '1:',
  '99999999999:',
  '..',
  '/',
  '../',
  'all',
  'any',
  'yes',
  'no',
  'same',
  'A',
  'é',
  '日本',
  '%s',
  '<script>',
  'Package: x\n',
  'Version: 2\n',
  'Depends: a, b (>> 1) | c\n',
  'Filename: x\n',
  'Size: 1\n',
  'Status: install ok installed\n',
  'Revision: 3\n',
  'Essential: yes\n',
  'Multi-Arch: same\n',
  'Priority: optional\n',
  'Section: a/b\n',
  'Source: s (1)\n',
  'X: y\n',
  'Xy :z\n',
  '-----BEGIN PGP SIGNED MESSAGE-----\n',
];

const extraFields: Readonly<Record<string, string>> = {
  Section: 'utils',
  Priority: 'optional',
  Source: 'sample-source (1.0)',
  Depends: 'libc6 (>= 2.36), a | b:any (<< 3), perl',
  Provides: 'virtual (= 1.0)',
  'Installed-Size': '10',
  'Multi-Arch': 'foreign',
  Homepage: 'https://example.invalid/',
  'X-Own': 'anything',
  Description: 'a short line\n and a long one\n .\n  verbatim',
};

function mutateControl(random: Random): Buffer {
  const fields = Object.fromEntries(Object.entries(extraFields).filter(() => random.next(2) === 0));
  let text: Buffer = Buffer.from(controlText(fields));
  for (let left = random.next(3); left > 0; left--)
    text = splice(text, random, Buffer.from(random.pick(tokens)));
  return text;
}

/** The fields of a tar header, and what has been put there by tools and attackers. */
const headerFields = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 100],
  [257, 8],
  [265, 32],
  [329, 8],
  [337, 8],
  [345, 155],
] as const;
const headerValues = [
  '',
  '\0',
  ' ',
  '0',
  '7',
  '8',
  '-1',
  '00000000000',
  '00000000001\0',
  '777777777777',
  '  1 ',
  '1 \0',
  '0x10',
  '\u0080\0\0\0\0\0\0\0\0\0\0\u0001',
  '\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff',
  './',
  '../x',
  '/etc/passwd',
  './control',
  'control',
  'usr/bin',
  './usr/bin/x/',
  './a\\b',
  './a b',
  './\u00e9',
  'ustar\0' + '00',
  'ustar  \0',
  'x'.repeat(100),
];

function patchHeader(random: Random): (header: Buffer) => void {
  const [offset, length] = random.pick(headerFields);
  const value = Buffer.from(random.pick(headerValues), 'latin1');
  const [at, bits] = [random.next(512), 1 << random.next(8)];
  const flip = random.next(4) === 0;
  return (header) => {
    if (flip) header[at] = (header[at] ?? 0) ^ bits;
    else header.set(value.subarray(0, length), offset);
  };
}

const dataParts: readonly TarPart[] = [
  { name: './', type: '5' },
  { name: './usr/', type: '5' },
  { name: './usr/bin/', type: '5' },
  { name: './usr/bin/hello', data: 'hello\n', mode: 0o755 },
  { name: './usr/bin/hi', type: '2', target: 'hello' },
  { name: './usr/bin/hardly', type: '1', target: './usr/bin/hello', mode: 0o755 },
  { name: `./usr/${'l'.repeat(150)}/`, type: '5' },
  { name: `./usr/${'l'.repeat(150)}/file`, data: 'x'.repeat(600) },
  { name: './etc/', type: '5', magic: 'ustar' },
  { name: './etc/sample.conf', data: 'a=b\n', magic: 'ustar' },
];

const extraParts: readonly TarPart[] = [
  { name: './usr/bin/hello', data: 'again' },
  { name: './usr/', type: '5' },
  { name: './usr/bin/hi/below', data: '' },
  { name: 'pax', type: 'x', data: paxRecord('path', './other') },
  { name: 'pax', type: 'g', data: paxRecord('comment', 'git') },
  { name: '././@LongLink', type: 'L', data: './usr/bin/renamed\0' },
  { name: '././@LongLink', type: 'K', data: 'target\0' },
  { name: './dev/null', type: '3' },
  { name: './pipe', type: '6' },
  { name: './control', data: 'Package: evil\n' },
  { name: './postinst', data: '#!/bin/sh\n', mode: 0o755 },
];

function mutateParts(random: Random, parts: readonly TarPart[]): TarPart[] {
  const changed = [...parts];
  if (random.next(2) === 0) changed.splice(random.next(changed.length + 1), 0, random.pick(extraParts));
  if (random.next(3) === 0) changed.splice(random.next(changed.length), 1);
  const at = random.next(changed.length * 2);
  const patched = changed[at];
  if (patched !== undefined) changed[at] = { ...patched, patch: patchHeader(random) };
  return changed;
}

/** The package with this number. Half of them are whole but for one thing. */
function mutant(seed: number): Buffer {
  const random = choicesFrom(seed);
  const endBlocks = (): number => random.pick([2, 2, 2, 2, 2, 2, 1, 20, 0]);
  const controlParts: readonly TarPart[] = [
    { name: './', type: '5' },
    { name: './control', data: mutateControl(random) },
    { name: './md5sums', data: 'b1946ac92492d2347c6235b4d2611184  usr/bin/hello\n' },
  ];
  const control = buildTar(
    random.next(3) === 0 ? mutateParts(random, controlParts) : controlParts,
    random.next(4),
  );
  const data = buildTar(random.next(2) === 0 ? mutateParts(random, dataParts) : dataParts, endBlocks());
  const form = random.pick([
    ['', (bytes: Buffer): Buffer => bytes],
    ['', (bytes: Buffer): Buffer => bytes],
    ['.gz', (bytes: Buffer): Buffer => gzipSync(bytes, { level: 1 })],
    ['.zst', (bytes: Buffer): Buffer => zstdCompressSync(bytes)],
  ] as const);
  const whole = buildAr([
    { name: 'debian-binary', data: '2.0\n' },
    { name: `control.tar${form[0]}`, data: form[1](control) },
    ...(random.next(12) === 0
      ? [{ name: random.pick(['_x', 'x', 'control.tar', 'data.tar']), data: 'odd' }]
      : []),
    { name: `data.tar${form[0]}`, data: form[1](data) },
    ...(random.next(12) === 0
      ? [{ name: random.pick(['_x', 'x', 'control.tar', 'data.tar']), data: 'odd' }]
      : []),
  ]);
  return random.next(5) === 0 ? damage(random, whole) : whole;
}

export const aptSubject: Subject<DebPackage> = { extension: '.deb', mutant, parse: parseDeb };
