/** Serving one file of the published tree: conditional requests and ranges as DESIGN, "What clients see", says. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { createGunzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { isByDigest, isImmutable, mediaType } from '../formats/tree.ts';
import { sendBytes, type Read } from './send-bytes.ts';
import type { ByteRange, StoredFile } from '../store/store.ts';

const day = 86_400;

/** Changes whenever the bytes do: an immutable name has one content, a pointer's time always rises. */
function entityTag(file: Pick<StoredFile, 'sizeBytes' | 'lastModifiedMs'>): string {
  return `"${file.sizeBytes.toString(16)}-${file.lastModifiedMs.toString(16)}"`;
}

export type FileToSend = {
  readonly key: string;
  readonly file: StoredFile;
  readonly clock: Clock;
  /** Send what the file holds instead of the gzip that it is: the plain form of an index, which is not kept. */
  readonly decompress: boolean;
  /** Whether anybody may have it. */
  readonly isPublic: boolean;
  /** Where nginx has the tree, when it is to send large files itself. */
  readonly accelLocation: string | undefined;
  /** Called when the file goes out from its first byte on: to look, or to go on where one was, is no download. */
  readonly onDownload?: () => void;
};

/** What is smaller is sent sooner than handed over, or read in pieces. */
const largeBytes = 64 * 1024;

/** nginx decodes the path once. */
function encodedPath(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}

function startsAtFirstByte({ headers: { range } }: FastifyRequest): boolean {
  return range === undefined || range.startsWith('bytes=0-');
}

export type Validators = {
  readonly etag: string;
  /** In milliseconds, whole seconds; null for what does not change with time. */
  readonly lastModified: number | null;
};

/** What every answer for a file says of it. */
export function headersOf({
  key,
  sizeBytes,
  lastModifiedMs,
  now,
  isPublic,
  decompress = false,
}: Pick<StoredFile, 'sizeBytes' | 'lastModifiedMs'> &
  Pick<FileToSend, 'key' | 'isPublic'> & { readonly now: number; readonly decompress?: boolean }): {
  headers: Readonly<Record<string, string>>;
  type: string;
  validators: Validators;
} {
  const immutable = isImmutable(key);
  const tag = entityTag({ sizeBytes, lastModifiedMs });
  const etag = decompress ? tag.replace(/"$/, '-plain"') : tag;
  const lastModified = Math.floor(lastModifiedMs / 1000) * 1000;
  return {
    headers: {
      etag,
      // A pointer whose time was moved ahead of the clock shows that of the clock (RFC 9110, 8.8.2.1): no pointer
      // will ever have that time again, so the next question is answered in full. Without any, apt puts its own.
      'last-modified': new Date(Math.min(lastModified, now)).toUTCString(),
      'cache-control': cacheControl(immutable, isPublic),
      // Elsewhere no `none`: apt would take it for the whole server and start every download from the beginning.
      ...(immutable && !decompress && { 'accept-ranges': 'bytes' }),
      'x-content-type-options': 'nosniff',
    },
    type: mediaType(key),
    validators: { etag, lastModified: isByDigest(key) ? null : lastModified },
  };
}

/** Sends a file, or what a conditional request leaves of it. */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { key, file, clock, decompress, isPublic, accelLocation, onDownload }: FileToSend,
): Promise<FastifyReply> {
  const { sizeBytes, lastModifiedMs } = file;
  const now = clock.now();
  const { headers, type, validators } = headersOf({
    key,
    sizeBytes,
    lastModifiedMs,
    now,
    isPublic,
    decompress,
  });
  reply.headers(headers);
  if (isUnchanged(request.headers, validators)) {
    await file.close();
    return reply.code(304).send();
  }
  reply.type(type);
  if (decompress) return await sendDecompressed(request, reply, file);
  if (accelLocation !== undefined && request.method === 'GET' && sizeBytes >= largeBytes) {
    await file.close();
    if (startsAtFirstByte(request)) onDownload?.();
    // What it says of the range, the length, the time and the tag is nginx's: it answers with the file as it has it.
    return reply.header('x-accel-redirect', `${accelLocation}/${encodedPath(key)}`).send('');
  }
  return await sendStored(request, reply, { key, file, ...(onDownload && { onDownload }) });
}

/** The file itself, or the part of it that is asked for. */
async function sendStored(
  request: FastifyRequest,
  reply: FastifyReply,
  { key, file, onDownload }: Pick<FileToSend, 'key' | 'file' | 'onDownload'>,
): Promise<FastifyReply> {
  const { sizeBytes } = file;
  const range = isImmutable(key) ? parseRange(request, file) : null;
  if (range === 'unsatisfiable') {
    await file.close();
    return reply.code(416).header('content-range', `bytes */${sizeBytes}`).send();
  }
  if (range) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${sizeBytes}`);
  reply.header('content-length', range ? range.end - range.start + 1 : sizeBytes);
  if (request.method === 'HEAD' || sizeBytes === 0) {
    await file.close();
    return reply.send('');
  }
  if (!range || range.start === 0) onDownload?.();
  if (!file.read || sizeBytes < largeBytes) return reply.send(range ? file.stream(range) : file.stream());
  return await sendLocal(reply, file, file.read, range ?? { start: 0, end: sizeBytes - 1 });
}

async function sendLocal(
  reply: FastifyReply,
  file: StoredFile,
  read: Read,
  range: ByteRange,
): Promise<FastifyReply> {
  const { raw } = reply.hijack();
  raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
  try {
    await sendBytes(raw, read, range);
  } catch (error) {
    // The client has been promised more than there is: all that is left is to break off.
    reply.log.error({ err: error }, 'a file could not be sent to its end');
    raw.destroy();
  } finally {
    await file.close();
  }
  return reply;
}

/** What needs a token stays out of the caches that machines share. */
function cacheControl(immutable: boolean, isPublic: boolean): string {
  if (!immutable) return isPublic ? 'no-cache' : 'private, no-cache';
  return `${isPublic ? 'public' : 'private'}, max-age=${365 * day}, immutable`;
}

async function sendDecompressed(
  request: FastifyRequest,
  reply: FastifyReply,
  file: StoredFile,
): Promise<FastifyReply> {
  if (request.method === 'HEAD') {
    await file.close();
    return reply.send('');
  }
  const source = file.stream();
  const plain = createGunzip();
  source.on('error', (error) => plain.destroy(error));
  plain.on('close', () => source.destroy());
  return reply.send(source.pipe(plain));
}

/**
 * RFC 9110 section 13: If-None-Match decides alone when it is there. By time, only the very second counts as
 * unchanged: a pointer's times only rise, and a client that names another second has another content.
 */
export function isUnchanged(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const match = headers['if-none-match'];
  if (match !== undefined)
    return match === '*' || match.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
  const since = headers['if-modified-since'];
  return since !== undefined && Date.parse(since) === lastModified;
}

/** One range of RFC 9110 section 14; several, or what cannot be read, are answered with the whole file. */
function parseRange(request: FastifyRequest, file: StoredFile): ByteRange | 'unsatisfiable' | null {
  const { sizeBytes } = file;
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const condition = request.headers['if-range'];
  const lastModified = Math.floor(file.lastModifiedMs / 1000) * 1000;
  if (
    typeof condition === 'string' &&
    condition !== entityTag(file) &&
    Date.parse(condition) !== lastModified
  )
    return null;
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (first !== '' && last !== '' && Number(last) < start) return null;
  return start >= sizeBytes || (first === '' && Number(last) === 0) ? 'unsatisfiable' : { start, end };
}
