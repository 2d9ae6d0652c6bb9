/**
 * A bucket: objects under keys, with conditions, time limits and nothing of what they mean (bucket-store.ts knows).
 * The only module that knows the SDK. Credentials are the SDK's own business: its standard variables and files.
 * What S3s have in common is less than what AWS has: no checksums of today, entity tags without quotes.
 */
import { createReadStream } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { Attempts, nameOf, statusOf, storeFailure, type AttemptLimits } from './attempts.ts';
import type { Body, FileBody } from './body.ts';
import type { ByteRange } from './store.ts';

export type BucketPlace = {
  readonly bucket: string;
  /** Empty, or a folder of the bucket, without slashes around it. */
  readonly prefix: string;
  /** Of a store that is not AWS; its buckets are folders of the URL. */
  readonly endpoint: string | undefined;
  /** Where the SDK finds none; a store that is not AWS takes any. */
  readonly region: string | undefined;
};

/** The object under a key; `etag` without quotes, as older stores want it back in If-Match. */
export type ObjectHead = {
  readonly etag: string;
  readonly sizeBytes: number;
  /** When the store took it. */
  readonly lastModifiedMs: number;
  readonly metadata: Readonly<Record<string, string>>;
};

export type ListedObject = Pick<ObjectHead, 'sizeBytes' | 'lastModifiedMs'> & { readonly key: string };

/** What must be under a key for a write to be made: nothing, or the object with this entity tag. */
export type Condition = { readonly absent: true } | { readonly etag: string };

export type ObjectForm = {
  readonly contentType: string;
  readonly cacheControl: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Connections at once: each download that goes on holds one. */
const maxSockets = 1024;
/** Pieces of a large file that are sent at once. */
const partsAtOnce = 4;
/** An upload in parts that nobody finished by then is nobody's. */
const abandonedMs = 24 * 3_600_000;
/** Long enough for a machine that has the address to begin; what has begun goes on. */
const presignedSeconds = 1200;
const maxKeyBytes = 1024;
const readChunkBytes = 512 * 1024;

const nothing = () => undefined;
const silent = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

export class Bucket {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #root: string;
  readonly #attempts: Attempts;

  constructor({ bucket, prefix, endpoint, region }: BucketPlace, limits: AttemptLimits) {
    this.#bucket = bucket;
    this.#root = prefix === '' ? '' : `${prefix}/`;
    this.#attempts = new Attempts(limits);
    this.#client = new S3Client({
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      ...(region === undefined ? {} : { region }),
      // Older stores do not know the checksums that the SDK sends by default, and take their frames for content.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // `Attempts` does that, with bodies that can be sent again.
      maxAttempts: 1,
      // What fails is an error with a code here, logged once by the server; the SDK would write lines of its own to stderr.
      logger: silent,
      requestHandler: {
        connectionTimeout: limits.timeoutMs,
        httpAgent: new HttpAgent({ keepAlive: true, maxSockets }),
        httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets }),
      },
    });
  }

  get timeoutMs(): number {
    return this.#attempts.timeoutMs;
  }

  /** Throws `store_unavailable` when there is no such bucket, or it may not be used. */
  async check(): Promise<void> {
    await this.#answered('HeadBucket', (abortSignal) =>
      this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }), { abortSignal }),
    );
  }

  async head(key: string): Promise<ObjectHead | null> {
    if (this.#isTooLong(key)) return null;
    return await this.#found('HeadObject', async (abortSignal) => {
      const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: this.#name(key) });
      return headOf(await this.#client.send(command, { abortSignal }));
    });
  }

  /** The object and its first bytes, at most `maxBytes`; null when there is none. */
  async begin(key: string, maxBytes: number): Promise<{ head: ObjectHead; first: Buffer } | null> {
    if (this.#isTooLong(key)) return null;
    return await this.#found('GetObject', async (abortSignal) => {
      const at = { Bucket: this.#bucket, Key: this.#name(key) };
      const command = new GetObjectCommand({ ...at, Range: `bytes=0-${maxBytes - 1}` });
      try {
        const output = await this.#client.send(command, { abortSignal });
        const first = await bytesOf(output.Body as Readable, abortSignal);
        return {
          head: { ...headOf(output), sizeBytes: wholeSize(output.ContentRange, first.length) },
          first,
        };
      } catch (error) {
        // An empty object has no first byte.
        if (statusOf(error) !== 416) throw error;
        const head = headOf(await this.#client.send(new HeadObjectCommand(at), { abortSignal }));
        return { head, first: Buffer.alloc(0) };
      }
    });
  }

  /** A part of the object that has this entity tag. Throws `store_unavailable` when it breaks off. */
  async *read(
    key: string,
    { start, end, etag }: ByteRange & { readonly etag: string },
  ): AsyncGenerator<Buffer> {
    const body = await this.#answered('GetObject', async (abortSignal) => {
      const at = { Bucket: this.#bucket, Key: this.#name(key) };
      const command = new GetObjectCommand({ ...at, Range: `bytes=${start}-${end}`, IfMatch: etag });
      // In Node it is always a stream of Node's.
      return (await this.#client.send(command, { abortSignal })).Body as Readable;
    });
    // Counts only while a piece is waited for: whoever takes them may be slow.
    const wait = (): NodeJS.Timeout =>
      setTimeout(() => body.destroy(new Error('no byte came in time')), this.timeoutMs);
    let timer = wait();
    try {
      for await (const chunk of body) {
        clearTimeout(timer);
        yield chunk as Buffer;
        timer = wait();
      }
    } catch (error) {
      throw storeFailure('GetObject', error);
    } finally {
      clearTimeout(timer);
      body.destroy();
    }
  }

  /** False when the condition does not hold; also when an earlier attempt was taken and its answer lost. */
  async put(key: string, body: Body, form: ObjectForm, condition: Condition): Promise<boolean> {
    return await this.#conditional('PutObject', body.sizeBytes, async (abortSignal) => {
      const command = new PutObjectCommand({
        Bucket: this.#bucket,
        Key: this.#name(key),
        Body: body.open(),
        ContentLength: body.sizeBytes,
        ...headersOf(form),
        ...conditionOf(condition),
      });
      command.middlewareStack.add((next) => (args) => next(withDigest(args, body.sha256)), { step: 'build' });
      await this.#client.send(command, { abortSignal });
    });
  }

  /**
   * The same for a large file, in parts. Some stores do not look at the condition. What was sent of one that fails
   * is removed.
   */
  async putParts(key: string, file: FileBody, form: ObjectForm, condition: Condition): Promise<boolean> {
    const place = { Bucket: this.#bucket, Key: this.#name(key) };
    const { UploadId } = await this.#answered('CreateMultipartUpload', (abortSignal) =>
      this.#client.send(new CreateMultipartUploadCommand({ ...place, ...headersOf(form) }), { abortSignal }),
    );
    try {
      const parts: { PartNumber: number; ETag: string | undefined }[] = [];
      const left = file.parts.map((part, i) => ({ ...part, PartNumber: i + 1 }));
      const sendParts = async (): Promise<void> => {
        for (let part; (part = left.shift());) {
          const { PartNumber, range, sha256 } = part;
          const sizeBytes = range.end - range.start + 1;
          const send = async (abortSignal: AbortSignal): Promise<string | undefined> => {
            const Body = createReadStream(file.path, { ...range, highWaterMark: readChunkBytes });
            const at = { ...place, UploadId, PartNumber };
            const command = new UploadPartCommand({ ...at, Body, ContentLength: sizeBytes });
            command.middlewareStack.add((next) => (args) => next(withDigest(args, sha256)), {
              step: 'build',
            });
            return (await this.#client.send(command, { abortSignal })).ETag;
          };
          parts.push({ PartNumber, ETag: await this.#answered('UploadPart', send, sizeBytes) });
        }
      };
      await Promise.all(Array.from({ length: partsAtOnce }, sendParts));
      parts.sort((a, b) => a.PartNumber - b.PartNumber);
      return await this.#conditional('CompleteMultipartUpload', 0, async (abortSignal) => {
        const complete = { ...place, UploadId, MultipartUpload: { Parts: parts } };
        const command = new CompleteMultipartUploadCommand({ ...complete, ...conditionOf(condition) });
        await this.#client.send(command, { abortSignal });
      });
    } catch (error) {
      const command = new AbortMultipartUploadCommand({ ...place, UploadId });
      // When that fails too, `abortAbandoned` finds it.
      await this.#client
        .send(command, { abortSignal: AbortSignal.timeout(this.timeoutMs) })
        .catch(() => undefined);
      throw error;
    }
  }

  /** Lets the store copy an object itself. False when there is none. */
  async copy(from: string, to: string, form: ObjectForm): Promise<boolean> {
    const source = `${this.#bucket}/${this.#name(from)}`.split('/').map(encodeURIComponent).join('/');
    const copied = await this.#found('CopyObject', async (abortSignal) => {
      const command = new CopyObjectCommand({
        Bucket: this.#bucket,
        Key: this.#name(to),
        CopySource: source,
        MetadataDirective: 'REPLACE',
        ...headersOf(form),
      });
      return await this.#client.send(command, { abortSignal });
    });
    return copied !== null;
  }

  /** A URL that anybody can read the object by for `presignedSeconds`. Made here alone: nothing is asked. */
  async presign(key: string): Promise<string> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: this.#name(key) });
    return await getSignedUrl(this.#client, command, { expiresIn: presignedSeconds });
  }

  async delete(key: string): Promise<void> {
    await this.#found('DeleteObject', (abortSignal) =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#name(key) }), {
        abortSignal,
      }),
    );
  }

  /** Every object whose key begins so, in the order of the keys' bytes. */
  async *list(beginning: string): AsyncGenerator<ListedObject> {
    for (let token: string | undefined, more = true; more;) {
      const output = await this.#answered('ListObjectsV2', (abortSignal) => {
        const from = { Bucket: this.#bucket, Prefix: this.#name(beginning) };
        const command = new ListObjectsV2Command({
          ...from,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        });
        return this.#client.send(command, { abortSignal });
      });
      for (const { Key = '', Size = 0, LastModified } of output.Contents ?? [])
        yield {
          key: Key.slice(this.#root.length),
          sizeBytes: Size,
          lastModifiedMs: LastModified?.getTime() ?? 0,
        };
      token = output.NextContinuationToken;
      more = output.IsTruncated === true && token !== undefined;
    }
  }

  /** Removes the parts of uploads that nobody finished. */
  async abortAbandoned(now: number): Promise<void> {
    const place = { Bucket: this.#bucket };
    const { Uploads = [] } = await this.#answered('ListMultipartUploads', (abortSignal) =>
      this.#client.send(new ListMultipartUploadsCommand({ ...place, Prefix: this.#root }), { abortSignal }),
    );
    for (const { Key, UploadId, Initiated } of Uploads) {
      if ((Initiated?.getTime() ?? now) > now - abandonedMs) continue;
      await this.#found('AbortMultipartUpload', (abortSignal) =>
        this.#client.send(new AbortMultipartUploadCommand({ ...place, Key, UploadId }), { abortSignal }),
      );
    }
  }

  /** No object can have that key; how a store says so differs. */
  #isTooLong(key: string): boolean {
    return Buffer.byteLength(this.#name(key)) > maxKeyBytes;
  }

  #name(key: string): string {
    return this.#root + key;
  }

  /** Throws `store_unavailable` for whatever is no success. */
  async #answered<T>(operation: string, send: (signal: AbortSignal) => Promise<T>, bytes = 0): Promise<T> {
    try {
      return await this.#attempts.run(operation, send, bytes);
    } catch (error) {
      throw statusOf(error) === null ? error : storeFailure(operation, error);
    }
  }

  /** Null when the store says that there is no such object. */
  async #found<T>(operation: string, send: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    try {
      return await this.#attempts.run(operation, (signal) => send(signal).catch(againIfChanged));
    } catch (error) {
      if (statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket') return null;
      throw statusOf(error) === null ? error : storeFailure(operation, error);
    }
  }

  async #conditional(
    operation: string,
    bytes: number,
    send: (signal: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    try {
      await this.#attempts.run(operation, send, bytes);
      return true;
    } catch (error) {
      const status = statusOf(error);
      // 404: what should be replaced is gone, or an upload in parts was completed by an attempt without an answer.
      if (status === 412 || status === 409 || (status === 404 && nameOf(error) !== 'NoSuchBucket'))
        return false;
      throw status === null ? error : storeFailure(operation, error);
    }
  }
}

/** Ceph says 409 when an object is replaced while it is read: the next attempt finds the new one. */
function againIfChanged(error: unknown): never {
  if (statusOf(error) !== 409) throw error;
  throw new Error('the object was replaced meanwhile', { cause: error });
}

type Output = {
  readonly ETag?: string | undefined;
  readonly ContentLength?: number | undefined;
  readonly LastModified?: Date | undefined;
  readonly Metadata?: Readonly<Record<string, string>> | undefined;
};

function headOf({ ETag = '', ContentLength = 0, LastModified, Metadata = {} }: Output): ObjectHead {
  return {
    etag: ETag.replace(/^"|"$/g, ''),
    sizeBytes: ContentLength,
    lastModifiedMs: LastModified?.getTime() ?? 0,
    metadata: Metadata,
  };
}

async function bytesOf(body: Readable, signal: AbortSignal): Promise<Buffer> {
  const stop = (): void => void body.destroy(new Error('no answer in time'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** `bytes 0-65535/123456`; a store that does not know ranges has sent everything. */
function wholeSize(contentRange: string | undefined, sentBytes: number): number {
  const size = /\/(\d+)$/.exec(contentRange ?? '')?.[1];
  return size === undefined ? sentBytes : Number(size);
}

function headersOf({ contentType, cacheControl, metadata }: ObjectForm) {
  return { ContentType: contentType, CacheControl: cacheControl, Metadata: { ...metadata } };
}

function conditionOf(condition: Condition): { IfNoneMatch: '*' } | { IfMatch: string } {
  return 'etag' in condition ? { IfMatch: condition.etag } : { IfNoneMatch: '*' };
}

/** The digest of what is sent, in the signature: every store checks it, and keeps nothing that does not match. */
function withDigest<Args extends { readonly request: unknown }>(args: Args, sha256: string): Args {
  // At the step `build` the SDK has made its HTTP request, and not signed it yet.
  const { headers } = args.request as { headers: Record<string, string> };
  headers['x-amz-content-sha256'] = sha256;
  return args;
}
