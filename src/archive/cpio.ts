/**
 * cpio "newc" (`070701`), the same with checksums (`070702`), and the stripped form that rpm writes for large
 * files (`07070X`, rpm lib/cpio.c), whose headers hold nothing but an index into the file list of the rpm.
 */
import { AppError } from '../errors.ts';
import { limits } from './limits.ts';
import { ByteReader } from './reader.ts';

const trailer = 'TRAILER!!!';

/** What every header says. */
type Common = {
  readonly sizeBytes: number;
  /** Bytes from the start of the archive to the entry's header. */
  readonly offset: number;
  /** The bytes of a file, or the target of a symlink; at most once, and before the next entry is asked for. */
  readonly content: () => AsyncIterable<Uint8Array>;
};

export type NewcEntry = Common & {
  readonly form: 'newc';
  /** As stored: `./usr/bin/hello`, `/usr/bin/hello`. rpm allows any bytes but NUL, so it is not decoded. */
  readonly nameBytes: Uint8Array;
  /** File type and permission bits, as in stat(2). */
  readonly mode: number;
  readonly inode: number;
  readonly links: number;
  /** Seconds since 1970. */
  readonly time: number;
};

/** An entry of which only the position in the rpm's own file list is known. */
export type StrippedEntry = Common & { readonly form: 'stripped'; readonly index: number };

export type CpioEntry = NewcEntry | StrippedEntry;

export type CpioOptions = {
  readonly maxEntries: number;
  /**
   * The size of the content that a stripped entry with this index carries, from the rpm's header; null when
   * there is no such file. Without it stripped entries are refused.
   */
  readonly strippedSize?: (index: number) => number | null;
};

type Fault = (what: string) => AppError;

const padding = (offset: number): number => (4 - (offset % 4)) % 4;

function decodeHex(text: string, fault: Fault): number {
  if (!/^[0-9A-Fa-f]{8}$/.test(text)) throw fault('has a field that is not 8 hexadecimal digits');
  return parseInt(text, 16);
}

/**
 * The entries of a cpio archive, in order, without the trailer. Throws `cpio_entry`, `archive_truncated` and
 * `archive_limit`. Nothing but zero bytes may follow the trailer.
 */
export async function* readCpio(
  source: AsyncIterable<Uint8Array>,
  part: string,
  options: CpioOptions,
): AsyncGenerator<CpioEntry, void, undefined> {
  const reader = new ByteReader(source, part);
  try {
    for (let entries = 0; ; entries++) {
      const header = await readHeader(reader, options);
      if (header === null) break;
      if (entries === options.maxEntries)
        throw new AppError('archive_limit', `${part} has more than ${options.maxEntries} entries.`, { part });
      const { entry, checksum } = header;
      const end = reader.offset + entry.sizeBytes;
      const body = new Body(reader, end, checksum);
      yield { ...entry, content: () => body.read() };
      await body.finish();
      await reader.skip(padding(end), 'the padding of an entry');
    }
    await readEnd(reader);
  } finally {
    await reader.close();
  }
}

/** An entry's content, summed as it is read when the header has a checksum (`070702`). */
class Body {
  readonly #reader: ByteReader;
  readonly #end: number;
  readonly #checksum: number | null;
  #sum = 0;

  constructor(reader: ByteReader, end: number, checksum: number | null) {
    this.#reader = reader;
    this.#end = end;
    this.#checksum = checksum;
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const bytes of this.#reader.stream(
      this.#end - this.#reader.offset,
      'the content of an entry',
    )) {
      if (this.#checksum !== null) for (const byte of bytes) this.#sum = (this.#sum + byte) >>> 0;
      yield bytes;
    }
  }

  async finish(): Promise<void> {
    const unread = this.read();
    while ((await unread.next()).done !== true);
    if (this.#checksum !== null && this.#checksum !== this.#sum)
      throw new AppError('cpio_entry', 'The content of a cpio entry does not match its checksum.', {
        part: this.#reader.part,
        offset: this.#end,
      });
  }
}

type EntryHeader = Omit<NewcEntry, 'content'> | Omit<StrippedEntry, 'content'>;
type Read = { readonly entry: EntryHeader; readonly checksum: number | null };

async function readHeader(reader: ByteReader, options: CpioOptions): Promise<Read | null> {
  const offset = reader.offset;
  const fault: Fault = (what) =>
    new AppError('cpio_entry', `The cpio header at byte ${offset} of ${reader.part} ${what}.`, {
      part: reader.part,
      offset,
    });
  const magic = Buffer.from(await reader.read(6, 'a cpio header')).toString('latin1');
  if (magic === '07070X')
    return { entry: await readStripped(reader, offset, options, fault), checksum: null };
  if (magic !== '070701' && magic !== '070702') throw fault('does not start with a known magic');
  const text = Buffer.from(await reader.read(104, 'a cpio header')).toString('latin1');
  const field = (at: number): number => decodeHex(text.slice(at * 8, at * 8 + 8), fault);
  const nameSize = field(11);
  if (nameSize < 2 || nameSize > limits.pathBytes + 1) throw fault(`has a name of ${nameSize - 1} bytes`);
  const stored = await reader.read(nameSize, 'the name of an entry');
  const nameBytes = Uint8Array.from(stored.subarray(0, nameSize - 1));
  if (stored[nameSize - 1] !== 0 || nameBytes.includes(0))
    throw fault('has a name whose length is not what it says');
  await reader.skip(padding(reader.offset), 'the padding of a name');
  const sizeBytes = field(6);
  if (Buffer.from(nameBytes).toString('latin1') === trailer) {
    if (sizeBytes !== 0) throw fault('is a trailer with content');
    return null;
  }
  return {
    entry: {
      form: 'newc',
      nameBytes,
      sizeBytes,
      mode: field(1),
      inode: field(0),
      links: field(4),
      time: field(5),
      offset,
    },
    checksum: magic === '070702' ? field(12) : null,
  };
}

async function readStripped(
  reader: ByteReader,
  offset: number,
  options: CpioOptions,
  fault: Fault,
): Promise<Omit<StrippedEntry, 'content'>> {
  if (options.strippedSize === undefined)
    throw fault('is a stripped header, which this archive may not have');
  const text = Buffer.from(await reader.read(8, 'a cpio header')).toString('latin1');
  const index = decodeHex(text, fault);
  await reader.skip(padding(reader.offset), 'the padding of a cpio header');
  const sizeBytes = options.strippedSize(index);
  if (sizeBytes === null) throw fault(`names file ${index}, which the package does not have`);
  return { form: 'stripped', index, sizeBytes, offset };
}

const zeros = new Uint8Array(64 * 1024);

async function readEnd(reader: ByteReader): Promise<void> {
  for (;;) {
    const bytes = await reader.readUpTo(zeros.length);
    if (bytes.length === 0) return;
    if (Buffer.compare(bytes, zeros.subarray(0, bytes.length)) !== 0)
      throw new AppError('cpio_entry', `Data follows the trailer of ${reader.part}.`, { part: reader.part });
  }
}
