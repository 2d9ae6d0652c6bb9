/**
 * A document and the signature beside it take two requests, and a publication may come between them: librepo asks
 * for `repomd.xml` and then for `repomd.xml.asc` (`librepo/yum.c`), apt without InRelease for `Release` and then
 * for `Release.gpg`. Whoever has read the document gets, on the same connection, the signature of that document.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { signatureBeside } from '../formats/tree.ts';
import { keyFileKeys } from '../registry/setup-files.ts';
import { readPublicKey } from '../signing/keys.ts';
import { verifyDetached } from '../signing/verify.ts';
import type { Store, StoredFile } from '../store/store.ts';

/** A client asks for the signature at once. */
const keepMs = 5000;

/** A publication replaces both within a few milliseconds. */
const looks = 20;
const betweenLooksMs = 5;

type Content = { readonly bytes: Buffer; readonly lastModifiedMs: number };

/** A signature, and the time of the document that it was found to fit. */
type Fitting = { readonly documentMs: number; readonly signature: Content };

type Kept = Content & { readonly key: string; readonly by: string; readonly until: number };

export class Pairs {
  readonly #store: Store;
  readonly #kept = new WeakMap<object, Kept>();
  /** By the key of the document: while a publication replaces the two, this is what the old one goes with. */
  readonly #fitting = new Map<string, Fitting>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** What to send for a key of a repository: the file itself, unless it is half of a pair. */
  async open(request: IncomingMessage, repository: string, key: string): Promise<StoredFile | null> {
    const signature = signatureBeside(key);
    if (signature !== null && request.method === 'GET' && isDirect(request))
      return await this.#openDocument(request, repository, key, signature);
    return this.#takeSignature(request, key) ?? (await this.#store.open(key));
  }

  /**
   * Keeps the signature of a document that is sent from memory. False when it is not known: then it has to be opened.
   */
  recall(request: IncomingMessage, key: string, documentMs: number): boolean {
    const signature = signatureBeside(key);
    if (signature === null || request.method !== 'GET' || !isDirect(request)) return true;
    const known = this.#fitting.get(key);
    if (known?.documentMs !== documentMs) return false;
    this.#keep(request, signature, known.signature);
    return true;
  }

  #keep(request: IncomingMessage, key: string, signature: Content): void {
    this.#kept.set(request.socket, {
      ...signature,
      key,
      by: speaker(request),
      until: Date.now() + keepMs,
    });
  }

  /** The document, and its own signature kept for the next request. Without one that fits it is sent all the same. */
  async #openDocument(
    request: IncomingMessage,
    repository: string,
    key: string,
    signatureKey: string,
  ): Promise<StoredFile | null> {
    for (let look = 1; ; look++) {
      const file = await this.#store.open(key);
      if (!file) return null;
      const signature = await this.#signatureOf(repository, { key, file, signatureKey });
      if (signature) this.#keep(request, signatureKey, signature);
      if (signature || look === looks) return file;
      await file.close();
      await wait(betweenLooksMs);
    }
  }

  /** The signature that fits the document of this moment; null when there is none, or the moment has passed. */
  async #signatureOf(
    repository: string,
    { key, file, signatureKey }: { key: string; file: StoredFile; signatureKey: string },
  ): Promise<Content | null> {
    const known = this.#fitting.get(key);
    const old = known?.documentMs === file.lastModifiedMs ? known.signature : null;
    const signature = await this.#read(signatureKey);
    if (!signature || old?.lastModifiedMs === signature.lastModifiedMs) return old;
    const document = await this.#read(key);
    if (document?.lastModifiedMs !== file.lastModifiedMs) return old;
    if (!(await this.#fits(repository, document.bytes, signature.bytes))) return old;
    this.#fitting.set(key, { documentMs: file.lastModifiedMs, signature });
    return signature;
  }

  /** Once, and only for the same speaker. */
  #takeSignature(request: IncomingMessage, key: string): StoredFile | null {
    const kept = this.#kept.get(request.socket);
    if (kept?.key !== key || !isDirect(request)) return null;
    this.#kept.delete(request.socket);
    return kept.by === speaker(request) && Date.now() < kept.until ? inMemory(kept) : null;
  }

  async #read(key: string): Promise<Content | null> {
    const file = await this.#store.open(key);
    return file && { bytes: await file.bytes(), lastModifiedMs: file.lastModifiedMs };
  }

  async #fits(repository: string, document: Buffer, signature: Buffer): Promise<boolean> {
    const keys = await this.#read(keyFileKeys(repository).armored);
    const blocks = keys?.bytes.toString().match(/-----BEGIN [^]*?-----END [^\n]*\n/g) ?? [];
    try {
      verifyDetached(document, signature.toString(), blocks.map(readPublicKey));
      return true;
    } catch {
      return false;
    }
  }
}

/** Behind a proxy one connection is that of many. */
function isDirect({ headers }: IncomingMessage): boolean {
  return !['via', 'forwarded', 'x-forwarded-for', 'x-real-ip'].some((name) => name in headers);
}

function speaker({ headers }: IncomingMessage): string {
  return `${headers['user-agent'] ?? ''}\n${headers.authorization ?? ''}`;
}

/** A file that is not in a store. */
export function inMemory({ bytes, lastModifiedMs }: Content): StoredFile {
  return {
    sizeBytes: bytes.length,
    lastModifiedMs,
    stream: (range) =>
      Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes], { objectMode: false }),
    bytes: () => Promise.resolve(bytes),
    close: () => Promise.resolve(),
  };
}
