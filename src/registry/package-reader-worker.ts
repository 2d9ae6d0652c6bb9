/**
 * The thread in which an uploaded package is read: hostile bytes cost time and memory here, where both are
 * bounded from outside (package-readers.ts), and never on the thread that answers requests.
 */
import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { AppError } from '../errors.ts';
import type { Entry, ParsedPackage, SignatureTargets, UploadedSignature } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import type { PackageFile } from '../formats/package.ts';
import { judgeSignatures } from './judge-signatures.ts';
import type { JudgedSignature } from './signing-policy.ts';
import type {
  CheckRequest,
  Failure,
  ReadRequest,
  ReadResult,
  SealRequest,
  SealResult,
} from './package-readers.ts';

const chunkBytes = 2 ** 18;
const filesPerRun = 1000;

type Digests = { sizeBytes: number; sha256: string; md5: string };

/** What was read last: sealing follows reading in the same thread, so the parsed package stays here. */
let current: { request: ReadRequest; parsed: ParsedPackage; digests: Digests } | undefined;

class Digester {
  readonly #sha256 = createHash('sha256');
  readonly #md5 = createHash('md5');
  #sizeBytes = 0;

  update(chunk: Uint8Array): void {
    this.#sha256.update(chunk);
    this.#md5.update(chunk);
    this.#sizeBytes += chunk.byteLength;
  }

  finish(): Digests {
    return { sizeBytes: this.#sizeBytes, sha256: this.#sha256.digest('hex'), md5: this.#md5.digest('hex') };
  }
}

/**
 * A file from `offset` on. Read at once and not by way of the thread pool, where it would wait behind everything
 * that waits for a disk: nothing else goes on in this thread.
 */
function* chunksOf(path: string, offset: number, digester?: Digester): Generator<Uint8Array, void> {
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    for (let at = offset; at < size;) {
      // Not from the pool of small buffers: a parser may keep a piece of it.
      const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, size - at));
      const length = readSync(file, chunk, 0, chunk.length, at);
      if (length === 0) return;
      at += length;
      digester?.update(chunk.subarray(0, length));
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

/** What is there at once, for those who would wait for it. */
function asAsync<T>(source: Generator<T, void>): AsyncIterable<T, void> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve(source.next()),
      return: () => Promise.resolve(source.return()),
    }),
  };
}

async function read(request: ReadRequest): Promise<ReadResult> {
  const { packages } = formatOf(request.format);
  const digester = new Digester();
  const parsed = await packages.parse(asAsync(chunksOf(request.path, 0, digester)));
  current = { request, parsed, digests: digester.finish() };
  const targets: SignatureTargets | null = packages.signing ? packages.signing.targets(parsed) : null;
  const { files, ...facts } = parsed.facts;
  const signatures = targets ? await judge(request, packages.signing?.signatures(parsed) ?? [], targets) : [];
  const key = packages.poolKey(request.place, facts);
  const sealed = targets ? null : seal({ kind: 'seal', key, distinct: undefined, signatures: null });
  return { facts, files: inRuns(files), coreSha256: parsed.coreSha256, key, targets, signatures, sealed };
}

function inRuns(files: readonly PackageFile[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  for (let start = 0; start < files.length; start += filesPerRun)
    runs.push(Buffer.from(JSON.stringify(files.slice(start, start + filesPerRun))));
  return runs;
}

async function judge(
  { path, producerKeys }: ReadRequest,
  signatures: readonly UploadedSignature[],
  { header, headerOffset }: SignatureTargets,
): Promise<JudgedSignature[]> {
  if (producerKeys === null) return [];
  return await judgeSignatures(signatures, producerKeys, (covers) =>
    covers === 'header' ? [header] : chunksOf(path, headerOffset),
  );
}

function seal(request: SealRequest): SealResult {
  if (!current) throw new Error('sealing without a package that was read');
  const { request: was, parsed, digests } = current;
  const { packages } = formatOf(was.format);
  let served: Digests = digests;
  let path = was.path;
  let originalHead: Uint8Array | null = null;
  if (packages.signing && request.signatures) {
    const head = packages.signing.replace(parsed, request.signatures);
    const { headerOffset } = packages.signing.targets(parsed);
    if (head.length !== headerOffset) path = `${was.path}.signed`;
    served = rewrite(was.path, path, head, headerOffset);
    originalHead = packages.signing.original(parsed);
  }
  const { key, distinct } = request;
  const { sizeBytes, sha256, md5 } = served;
  const entries: readonly Entry[] = packages.renderEntries(parsed, { key, distinct, sizeBytes, sha256, md5 });
  return { path, sizeBytes, sha256, md5, entries, originalHead };
}

/**
 * Writes `head` and then everything of `from` that stands at `offset` and after it. What stands at the same place
 * afterwards, since signatures take the space that is reserved for them, is not written again: `to` is `from` then.
 */
function rewrite(from: string, to: string, head: Uint8Array, offset: number): Digests {
  const digester = new Digester();
  const isCopy = to !== from;
  const file = openSync(to, isCopy ? 'wx' : 'r+', 0o644);
  const write = (chunk: Uint8Array): void => {
    for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at);
  };
  try {
    digester.update(head);
    write(head);
    for (const chunk of chunksOf(from, offset, digester)) if (isCopy) write(chunk);
  } finally {
    closeSync(file);
  }
  return digester.finish();
}

function check({ format, document, path }: CheckRequest): null {
  const known = formatOf(format).channels.documents.get(document);
  if (!known) throw new Error(`${format} has no document ${document}`);
  const bytes = readFileSync(path);
  const isCompressed = ['1f8b', '28b52ffd', 'fd377a58', '425a68'].some((magic) =>
    bytes.subarray(0, 4).toString('hex').startsWith(magic),
  );
  if (isCompressed || !isUtf8(bytes))
    throw new AppError(
      'document_malformed',
      `The ${document} is ${isCompressed ? 'compressed; send it as it is before' : 'no text in UTF-8'}.`,
      { part: document },
    );
  known.check(bytes.toString());
  return null;
}

function failure(error: unknown): Failure {
  if (error instanceof AppError) {
    const { code, message: detail, place } = error;
    return { failed: { code, detail, place, stack: null, errno: null } };
  }
  const { stack = null, code: errno = null } = error as NodeJS.ErrnoException;
  return { failed: { code: null, detail: String(error), place: undefined, stack, errno } };
}

parentPort?.on('message', (message: ReadRequest | SealRequest | CheckRequest) => {
  const work = async (): Promise<ReadResult | SealResult | null> => {
    if (message.kind === 'read') return await read(message);
    return message.kind === 'seal' ? seal(message) : check(message);
  };
  work().then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) => parentPort?.postMessage(failure(error)),
  );
});
