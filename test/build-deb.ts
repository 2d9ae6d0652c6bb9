/** Debian packages made in memory, the good and the bad: tiny writers of ar and tar, without a grain of checking. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';

export type ArPart = {
  readonly name: string;
  readonly data: Uint8Array | string;
  /** The header's size field, when it is not that of the data. */
  readonly size?: string;
  readonly time?: string;
};

const bytes = (data: Uint8Array | string): Uint8Array =>
  typeof data === 'string' ? Buffer.from(data) : data;

/** An ar archive with the headers that dpkg-deb writes. */
export function buildAr(parts: readonly ArPart[]): Buffer {
  const blocks: Uint8Array[] = [Buffer.from('!<arch>\n')];
  for (const { name, data, size, time } of parts) {
    const content = bytes(data);
    const header =
      name.padEnd(16) +
      (time ?? '1700000000').padEnd(12) +
      '0     0     100644  ' +
      (size ?? String(content.length)).padEnd(10) +
      '`\n';
    blocks.push(Buffer.from(header, 'latin1'), content);
    if (content.length % 2 === 1) blocks.push(Buffer.from('\n'));
  }
  return Buffer.concat(blocks);
}

export type TarPart = {
  readonly name: string | Uint8Array;
  /** `0` file, `1` hard link, `2` symlink, `5` directory, `L` and `K` GNU long names, `x` and `g` pax … */
  readonly type?: string;
  readonly data?: Uint8Array | string;
  readonly target?: string;
  readonly mode?: number;
  /** The size field, when it is not that of the data. */
  readonly size?: string | Uint8Array;
  readonly magic?: 'gnu' | 'ustar' | 'v7';
  readonly prefix?: string;
  /** Changes the header after everything else; the checksum is then made for the result. */
  readonly patch?: (header: Buffer) => void;
};

const magics = { gnu: 'ustar  \0', ustar: 'ustar\0' + '00', v7: '' } as const;

function tarHeader(part: TarPart, sizeBytes: number): Buffer {
  const header = Buffer.alloc(512);
  const put = (value: string | Uint8Array, offset: number, length: number): void => {
    header.set(bytes(value).subarray(0, length), offset);
  };
  put(part.name, 0, 100);
  put((part.mode ?? (part.type === '5' ? 0o755 : 0o644)).toString(8).padStart(7, '0'), 100, 8);
  put('0000000', 108, 8);
  put('0000000', 116, 8);
  put(part.size ?? sizeBytes.toString(8).padStart(11, '0'), 124, 12);
  put('14524753600', 136, 12);
  put(part.type ?? '0', 156, 1);
  put(part.target ?? '', 157, 100);
  put(magics[part.magic ?? 'gnu'], 257, 8);
  if (part.magic !== 'v7') {
    put('root', 265, 32);
    put('root', 297, 32);
  }
  put(part.prefix ?? '', 345, 155);
  part.patch?.(header);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return header;
}

const padded = (data: Uint8Array): Buffer => {
  const rest = data.length % 512;
  return rest === 0 ? Buffer.from(data) : Buffer.concat([data, Buffer.alloc(512 - rest)]);
};

/** A tar archive with `endBlocks` blocks of zeros behind it. Names that are too long get a GNU long name. */
export function buildTar(parts: readonly TarPart[], endBlocks = 2): Buffer {
  const blocks: Buffer[] = [];
  for (const part of parts) {
    const data = bytes(part.data ?? '');
    for (const [type, text] of [
      ['K', part.target ?? ''],
      ['L', part.name],
    ] as const) {
      const long = Buffer.concat([bytes(text), Buffer.alloc(1)]);
      if (long.length <= 101) continue;
      blocks.push(tarHeader({ name: '././@LongLink', type, mode: 0 }, long.length), padded(long));
    }
    blocks.push(tarHeader(part, data.length), padded(data));
  }
  return Buffer.concat([...blocks, Buffer.alloc(512 * endBlocks)]);
}

/** One pax record: `length key=value\n`. */
export function paxRecord(key: string, value: string): string {
  const tail = ` ${key}=${value}\n`;
  let length = tail.length + 1;
  while (String(length).length + tail.length !== length) length = String(length).length + tail.length;
  return `${length}${tail}`;
}

export type DebCompression = 'none' | 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'lzma';

export const extensions = {
  none: '',
  gzip: '.gz',
  xz: '.xz',
  zstd: '.zst',
  bzip2: '.bz2',
  lzma: '.lzma',
} as const satisfies Record<DebCompression, string>;

/** Compresses; xz, lzma and bzip2 by the programs of that name. */
export function compressAs(kind: DebCompression, data: Uint8Array): Buffer {
  const run = (program: string, ...options: string[]): Buffer =>
    execFileSync(program, ['-c', ...options], { input: data, maxBuffer: 2 ** 30 });
  switch (kind) {
    case 'none':
      return Buffer.from(data);
    case 'gzip':
      return gzipSync(data, { level: 6 });
    case 'zstd':
      return zstdCompressSync(data);
    case 'xz':
      return run('xz');
    case 'lzma':
      return run('xz', '--format=lzma');
    case 'bzip2':
      return run('bzip2');
  }
}

export type DebFile = { readonly path: string; readonly data?: Uint8Array | string; readonly mode?: number };

export type DebOptions = {
  /** Fields put in place of, or behind, those of a small valid package; `null` leaves one out. */
  readonly control?: Readonly<Record<string, string | null>>;
  /** The whole control file, instead. */
  readonly controlText?: string | Uint8Array;
  /** Files by path from the root, with or without a leading slash. Their folders are made. */
  readonly files?: readonly DebFile[];
  readonly scripts?: Readonly<Record<string, string>>;
  /** Whether `md5sums` is written; true by default. */
  readonly md5sums?: boolean;
  readonly compression?: DebCompression;
  readonly controlCompression?: DebCompression;
};

const defaults: Readonly<Record<string, string>> = {
  Package: 'sample',
  Version: '1.0-1',
  Architecture: 'all',
  Maintainer: 'A Maintainer <maintainer@example.invalid>',
  Description: 'a package of a test',
};

export function controlText(fields: Readonly<Record<string, string | null>> = {}): string {
  const lines: string[] = [];
  for (const [name, value] of Object.entries({ ...defaults, ...fields }))
    if (value !== null) lines.push(`${name}:${value === '' || value.startsWith('\n') ? '' : ' '}${value}\n`);
  return lines.join('');
}

function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths)
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1))
      folders.add(path.slice(0, at));
  return [...folders].sort();
}

export function dataTar(files: readonly DebFile[]): Buffer {
  const named = files.map((file) => ({ ...file, path: file.path.replace(/^\//, '') }));
  return buildTar([
    { name: './', type: '5' },
    ...foldersOf(named.map(({ path }) => path)).map((path) => ({ name: `./${path}/`, type: '5' })),
    ...named.map(({ path, data, mode }) => ({
      name: `./${path}`,
      ...(data !== undefined && { data }),
      ...(mode !== undefined && { mode }),
    })),
  ]);
}

/** The control archive of a package. */
export function controlTar(options: DebOptions): Buffer {
  const sums = (options.files ?? []).map(({ path, data }) => {
    const digest = createHash('md5')
      .update(bytes(data ?? ''))
      .digest('hex');
    return `${digest}  ${path.replace(/^\//, '')}\n`;
  });
  const scripts = Object.entries(options.scripts ?? {});
  return buildTar([
    { name: './', type: '5' },
    { name: './control', data: options.controlText ?? controlText(options.control) },
    ...(options.md5sums === false || sums.length === 0 ? [] : [{ name: './md5sums', data: sums.join('') }]),
    ...scripts.map(([name, data]) => ({ name: `./${name}`, data, mode: 0o755 })),
  ]);
}

/** A package as dpkg-deb would make it. */
export function buildDeb(options: DebOptions = {}): Buffer {
  const control = options.controlCompression ?? 'gzip';
  const data = options.compression ?? 'gzip';
  return buildAr([
    { name: 'debian-binary', data: '2.0\n' },
    { name: `control.tar${extensions[control]}`, data: compressAs(control, controlTar(options)) },
    { name: `data.tar${extensions[data]}`, data: compressAs(data, dataTar(options.files ?? [])) },
  ]);
}

/** A package of the given archives, uncompressed: for what no builder would put in them. */
export function debOf(
  control: readonly TarPart[],
  data: readonly TarPart[] = [{ name: './', type: '5' }],
): Buffer {
  return buildAr([
    { name: 'debian-binary', data: '2.0\n' },
    { name: 'control.tar', data: buildTar(control) },
    { name: 'data.tar', data: buildTar(data) },
  ]);
}

/** The bytes as a source that gives them in chunks of these sizes, over and over. */
// eslint-disable-next-line @typescript-eslint/require-await -- sources are asynchronous
export async function* inChunks(
  data: Uint8Array,
  sizes: readonly number[] = [2 ** 30],
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = 0;
  for (let turn = 0; at < data.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield data.subarray(at, at + size);
    at += size;
  }
}
