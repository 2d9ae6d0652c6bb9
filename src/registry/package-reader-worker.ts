/**
 * The thread in which an uploaded package is read: hostile bytes cost time and memory here, where both are
 * bounded from outside (package-readers.ts), and never on the thread that answers requests.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { AppError } from '../errors.ts';
import type { Entry, ParsedPackage, SignatureTargets } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import type { PackageFacts } from '../formats/package.ts';
import type { Failure, ReadRequest, ReadResult, SealRequest, SealResult } from './package-readers.ts';

const chunkBytes = 2 ** 18;

type Digests = { sizeBytes: number; sha256: string; md5: string };

/** What was read last: sealing follows reading in the same thread, so the parsed package stays here. */
let current: { request: ReadRequest; parsed: ParsedPackage; digests: Digests } | undefined;

function digesting(source: AsyncIterable<Uint8Array>): {
  source: AsyncIterable<Uint8Array>;
  finish: () => Digests;
} {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let sizeBytes = 0;
  async function* tap(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      sha256.update(chunk);
      md5.update(chunk);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }
  return {
    source: tap(),
    finish: () => ({ sizeBytes, sha256: sha256.digest('hex'), md5: md5.digest('hex') }),
  };
}

async function read(request: ReadRequest): Promise<ReadResult> {
  const { packages } = formatOf(request.format);
  const stream = digesting(createReadStream(request.path, { highWaterMark: chunkBytes }));
  const parsed = await packages.parse(stream.source);
  current = { request, parsed, digests: stream.finish() };
  const targets: SignatureTargets | null = packages.signing ? packages.signing.targets(parsed) : null;
  const facts: PackageFacts = parsed.facts;
  return { facts, coreSha256: parsed.coreSha256, targets };
}

async function seal(request: SealRequest): Promise<SealResult> {
  if (!current) throw new Error('sealing without a package that was read');
  const { request: was, parsed, digests } = current;
  const { packages } = formatOf(was.format);
  let served: Digests = digests;
  let path = was.path;
  let originalHead: Uint8Array | null = null;
  if (packages.signing && request.signatures) {
    path = `${was.path}.signed`;
    const head = packages.signing.replace(parsed, request.signatures);
    served = await rewrite(was.path, path, head, packages.signing.targets(parsed).headerOffset);
    originalHead = packages.signing.original(parsed);
  }
  const { key, distinct } = request;
  const { sizeBytes, sha256, md5 } = served;
  const entries: readonly Entry[] = packages.renderEntries(parsed, { key, distinct, sizeBytes, sha256, md5 });
  return { path, sizeBytes, sha256, md5, entries, originalHead };
}

/** Writes `head` and then everything of `from` that stands at `offset` and after it. */
async function rewrite(from: string, to: string, head: Uint8Array, offset: number): Promise<Digests> {
  async function* content(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* createReadStream(from, { start: offset, highWaterMark: chunkBytes });
  }
  const stream = digesting(content());
  const file = await open(to, 'wx', 0o600);
  try {
    await file.writeFile(stream.source);
  } finally {
    await file.close();
  }
  return stream.finish();
}

function failure(error: unknown): Failure {
  if (error instanceof AppError) {
    const { code, message: detail, place } = error;
    return { failed: { code, detail, place, stack: null, errno: null } };
  }
  const { stack = null, code: errno = null } = error as NodeJS.ErrnoException;
  return { failed: { code: null, detail: String(error), place: undefined, stack, errno } };
}

parentPort?.on('message', (message: ReadRequest | SealRequest) => {
  const work = message.kind === 'read' ? read(message) : seal(message);
  work.then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) => parentPort?.postMessage(failure(error)),
  );
});
