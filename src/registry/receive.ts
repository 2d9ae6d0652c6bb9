/** Takes an upload's bytes to the local disk: bounded, hashed as they come, memory flat whatever their number. */
import { createHash, type Hash } from 'node:crypto';
import { close, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finished, Transform, Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createId } from '../ids.ts';
import { AppError } from '../errors.ts';
import { bytesAtOnce, sizeOf, writeAll } from '../write-all.ts';

export type Staged = {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of the bytes as they were sent, in hex. */
  readonly sha256: string;
};

export type ReceiveLimits = { readonly maxBytes: number; readonly idleMs: number };

/** A digest that the sender says the bytes have: `Repr-Digest` (RFC 9530), in lower-case algorithm names. */
export type ClaimedDigest = { readonly algorithm: 'sha-256' | 'sha-512'; readonly bytes: Buffer };

/**
 * Reads a `Repr-Digest` field: the digests that we can check. Unknown algorithms are passed over, as RFC 9530
 * section 2 says; a value that cannot be a digest is refused.
 */
export function parseReprDigest(field: string | undefined): ClaimedDigest[] {
  if (field === undefined) return [];
  const claims: ClaimedDigest[] = [];
  for (const member of field.split(',')) {
    const match = /^\s*([a-z][a-z0-9_*.-]*)\s*=\s*:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(member);
    if (!match?.[1] || match[2] === undefined)
      throw new AppError(
        'bad_request',
        'Repr-Digest is not a dictionary of byte sequences (RFC 9530, RFC 8941).',
        {
          field: 'Repr-Digest',
        },
      );
    const algorithm = match[1];
    if (algorithm !== 'sha-256' && algorithm !== 'sha-512') continue;
    const bytes = Buffer.from(match[2], 'base64');
    if (bytes.length !== (algorithm === 'sha-256' ? 32 : 64))
      throw new AppError('bad_request', `Repr-Digest: ${algorithm} has the wrong length.`, {
        field: 'Repr-Digest',
      });
    claims.push({ algorithm, bytes });
  }
  return claims;
}

/** Empties the staging folder: what a crash left there belongs to uploads that were never answered. */
export async function clearStaging(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

/**
 * Stages a body in `folder`. Throws `length_limit`, `bad_request` (a claimed digest does not hold),
 * `upload_aborted` and `upload_stalled`; nothing stays then.
 */
export async function receive(
  folder: string,
  body: Readable,
  limits: ReceiveLimits,
  claims: readonly ClaimedDigest[],
): Promise<Staged> {
  const path = join(folder, createId(Date.now()));
  const sha256 = createHash('sha256');
  const hashes = claims.map((claim) =>
    claim.algorithm === 'sha-256' ? null : createHash(claim.algorithm.replace('-', '')),
  );
  const counter = { sizeBytes: 0 };
  try {
    const stage = tap(counter, [sha256, ...hashes.filter((hash) => hash !== null)], limits);
    const written = pipeline(stage, newFile(path));
    feed(body, stage);
    await written;
    const digest = sha256.digest();
    claims.forEach((claim, index) => {
      const actual = hashes[index]?.digest() ?? digest;
      if (!actual.equals(claim.bytes))
        throw new AppError(
          'digest_mismatch',
          `Repr-Digest says ${claim.algorithm} ${claim.bytes.toString('hex')}, the bytes that arrived have ${actual.toString('hex')}.`,
          { field: 'Repr-Digest' },
        );
    });
    return { path, sizeBytes: counter.sizeBytes, sha256: digest.toString('hex') };
  } catch (error) {
    await rm(path, { force: true });
    throw translate(error);
  }
}

/** A file that is written at once as long as it is small, and by other threads when it turns out to be large. */
function newFile(path: string): Writable {
  const file = openSync(path, 'wx', 0o644);
  let atOnce = bytesAtOnce;
  let written = Promise.resolve();
  const write = (chunks: readonly Uint8Array[], done: (error?: Error) => void): void => {
    atOnce -= sizeOf(chunks);
    written = writeAll(file, chunks, atOnce < 0 ? 0 : bytesAtOnce);
    written.then(() => done(), done);
  };
  return new Writable({
    highWaterMark: 2 ** 20,
    write: (chunk: Buffer, _encoding, done) => write([chunk], done),
    writev: (items, done) =>
      write(
        items.map(({ chunk }) => chunk as Buffer),
        done,
      ),
    destroy: (error, done) => {
      // Not under the hands of a thread that is writing.
      const end = (): void => close(file, (failure) => done(error ?? failure));
      written.then(end, end);
    },
  });
}

/**
 * Not a pipeline, which would destroy the body when the stage fails: what is left of it could then no longer be
 * read and dropped, and its sender would never come to read the answer.
 */
function feed(body: Readable, stage: Transform): void {
  finished(body, { writable: false }, (error) => {
    if (error) stage.destroy(error);
  });
  body.pipe(stage);
  stage.once('close', () => body.resume());
}

/** Counts, hashes and bounds what passes, and gives up on a sender that has fallen silent. */
function tap(counter: { sizeBytes: number }, hashes: readonly Hash[], limits: ReceiveLimits): Transform {
  const stalled = (): void => {
    stage.destroy(
      new AppError(
        'upload_stalled',
        `No byte arrived for ${limits.idleMs / 1000} seconds; the upload was given up.`,
      ),
    );
  };
  const stage = new Transform({
    highWaterMark: 2 ** 20,
    transform(chunk: Buffer, _encoding, done) {
      idle.refresh();
      counter.sizeBytes += chunk.length;
      if (counter.sizeBytes > limits.maxBytes) {
        done(
          new AppError('length_limit', `The upload is larger than the limit of ${limits.maxBytes} bytes.`),
        );
        return;
      }
      for (const hash of hashes) hash.update(chunk);
      done(null, chunk);
    },
    destroy(error, done) {
      clearTimeout(idle);
      done(error);
    },
    flush(done) {
      clearTimeout(idle);
      done();
    },
  });
  const idle = setTimeout(stalled, limits.idleMs);
  return stage;
}

function translate(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new AppError('store_full', 'There was no room to stage the upload.', undefined, { cause: error });
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new AppError(
      'upload_aborted',
      'The connection ended before the whole body had arrived.',
      undefined,
      {
        cause: error,
      },
    );
  return error;
}
