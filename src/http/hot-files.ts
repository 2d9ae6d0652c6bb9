/**
 * Small files that machines ask for again and again, ready to be sent: without a route or a stream, once a look
 * at the file has shown that it is the same. A question that is not the plain one, as for a part of a file, goes
 * the usual way.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../app.ts';
import { isPackageFile, isSignature } from '../formats/tree.ts';
import type { StoredFile } from '../store/store.ts';
import { createId } from '../ids.ts';
import { inMemory, type Pairs } from './pairs.ts';
import { headersOf, isUnchanged, type Validators } from './send-file.ts';

/** What one file may have, and all of them. */
const maxFileBytes = 256 * 1024;
const maxBytes = 32 * 2 ** 20;
const maxFiles = 10_000;

type Hot = {
  readonly key: string;
  readonly repository: string;
  readonly route: string;
  readonly bytes: Buffer;
  readonly lastModifiedMs: number;
  readonly isUnchanged: () => boolean;
  /** Until when its headers are what they are. */
  readonly untilMs: number;
  readonly validators: Validators;
  /** As Node takes them at once: names and values by turns. */
  readonly head: readonly string[];
  readonly unchangedHead: readonly string[];
};

export type HotDeps = Pick<App, 'visibility' | 'metrics' | 'clock' | 'log'>;

type Asked = {
  readonly key: string;
  readonly repository: string;
  readonly route: string;
};

export class HotFiles {
  readonly #deps: HotDeps;
  readonly #pairs: Pairs;
  /** By the path as it was asked for. */
  readonly #files = new Map<string, Hot>();
  #bytes = 0;

  constructor(deps: HotDeps, pairs: Pairs) {
    this.#deps = deps;
    this.#pairs = pairs;
  }

  /** Answers a request, if it can; false leaves it to others. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, headers, url = '' } = request;
    const hot = this.#files.get(url);
    if (!hot || (method !== 'GET' && method !== 'HEAD') || headers.range !== undefined) return false;
    if (!this.#deps.visibility.isPublic(hot.repository)) return false;
    const now = this.#deps.clock.now();
    if (now >= hot.untilMs) return false;
    if (!hot.isUnchanged()) {
      this.#drop(url);
      return false;
    }
    if (!this.#pairs.recall(request, hot.key, hot.lastModifiedMs)) return false;
    const started = performance.now();
    const isSame = isUnchanged(headers, hot.validators);
    const id = ['x-request-id', createId(now)];
    if (isSame) response.writeHead(304, [...id, ...hot.unchangedHead]).end();
    else response.writeHead(200, [...id, ...hot.head]).end(method === 'HEAD' ? undefined : hot.bytes);
    this.#deps.metrics.countRequest(hot.route, method, isSame ? 304 : 200, performance.now() - started);
    return true;
  }

  /** Keeps a file for all who ask with this path from now on, when it is one to be kept. Answers what to send. */
  async keep(url: string, file: StoredFile, asked: Asked): Promise<StoredFile> {
    const { lastModifiedMs, isUnchanged } = file;
    // What follows a question mark is nobody's name: as many as a client can think of would crowd the rest out.
    if (!isUnchanged || url.includes('?') || !this.#isToKeep(file, asked)) return file;
    const bytes = await file.bytes();
    this.#put(url, { bytes, lastModifiedMs, isUnchanged }, asked);
    return inMemory({ bytes, lastModifiedMs });
  }

  #isToKeep({ sizeBytes }: StoredFile, { key, repository }: Asked): boolean {
    const { log, visibility } = this.#deps;
    return (
      sizeBytes <= maxFileBytes &&
      visibility.isPublic(repository) &&
      // Downloads are counted, signatures go by what was asked for before, and each request is told in the log.
      !isPackageFile(key) &&
      !isSignature(key) &&
      !log.isLevelEnabled('debug')
    );
  }

  #put(
    url: string,
    { bytes, lastModifiedMs, isUnchanged }: Pick<Hot, 'bytes' | 'lastModifiedMs' | 'isUnchanged'>,
    { key, repository, route }: Asked,
  ): void {
    const sizeBytes = bytes.byteLength;
    const now = this.#deps.clock.now();
    const { headers, type, validators } = headersOf({ key, sizeBytes, lastModifiedMs, now, isPublic: true });
    const unchangedHead = Object.entries(headers).flat();
    const head = [...unchangedHead, 'content-type', type, 'content-length', String(sizeBytes)];
    // One that is ahead of the clock shows the clock's.
    const untilMs = lastModifiedMs <= now ? Infinity : (Math.floor(now / 1000) + 1) * 1000;
    const made = { bytes, lastModifiedMs, isUnchanged, untilMs, validators, head, unchangedHead };
    this.#drop(url);
    this.#files.set(url, { key, repository, route, ...made });
    this.#bytes += sizeBytes;
    for (const oldest of this.#files.keys()) {
      if (this.#bytes <= maxBytes && this.#files.size <= maxFiles) break;
      this.#drop(oldest);
    }
  }

  #drop(url: string): void {
    this.#bytes -= this.#files.get(url)?.bytes.byteLength ?? 0;
    this.#files.delete(url);
  }
}
