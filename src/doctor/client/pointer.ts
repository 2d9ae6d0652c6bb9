/** What the machine starts from, `InRelease` or `repomd.xml`: fetched as its client does, and taken apart. */
import { AppError } from '../../errors.ts';
import { parseRelease } from '../../formats/apt/release.ts';
import { parseRepomd } from '../../formats/yum/repomd.ts';
import { verifyClearsigned, verifyDetached } from '../../signing/verify.ts';
import type { Answer } from '../ask.ts';
import { addressOf, askAsClient, type ClientContext } from './context.ts';
import { keysOf } from './keys.ts';

/** A file that a pointer names. */
export type Named = { readonly url: URL; readonly sha256: string; readonly sizeBytes: number };

export type Pointer = {
  readonly url: URL;
  readonly answer: Answer;
  /** Seconds since 1970; null where a format has none. */
  readonly date: number | null;
  readonly validUntil: number | null;
  /** The smallest of its indexes; null when it names none. */
  readonly index: Named | null;
};

/** An answer that is not the document, in words for who set the machine up. */
class Unexpected extends Error {}

async function fetched(context: ClientContext, url: URL): Promise<Answer> {
  const answer = await askAsClient(context, url);
  if (answer.status === 401 || answer.status === 403)
    throw new Unexpected(
      `${url.href}: ${answer.status}. The repository is private: set ENTREPOT_TOKEN for this check, and see "A private repository" for the machine`,
    );
  if (answer.status >= 300 && answer.status < 400)
    throw new Unexpected(`${url.href} leads elsewhere, to ${answer.headers.location ?? 'nowhere'}`);
  if (answer.status !== 200) throw new Unexpected(`${url.href}: ${answer.status}`);
  return answer;
}

/** The address alone, without a look at what is there: for checks of the way. */
export async function pointerUrl(context: ClientContext): Promise<URL> {
  const { source } = context;
  if (source.kind === 'apt') return new URL(`dists/${source.suite}/InRelease`, source.root);
  if (source.metalink === null) return new URL('repodata/repomd.xml', addressOf(context));
  const { body } = await fetched(context, source.metalink);
  const url = /<url [^>]*>([^<]+)<\/url>/.exec(body.toString())?.[1]?.replaceAll('&amp;', '&');
  if (url === undefined) throw new Unexpected(`${source.metalink.href} is no metalink`);
  return new URL(url);
}

const smallest = (files: readonly Named[]): Named | null =>
  files.toSorted((a, b) => a.sizeBytes - b.sizeBytes)[0] ?? null;

/** Fetches it and checks its signature. Throws what is wrong, in a sentence. */
export async function readPointer(context: ClientContext): Promise<Pointer> {
  const url = await pointerUrl(context);
  const answer = await fetched(context, url);
  const keys = await keysOf(context);
  if (context.source.kind === 'apt') {
    const text = unlessForeign(answer, () => verifyClearsigned(answer.body, keys).text);
    const { date, validUntil = null, files } = parseRelease(text);
    const named = files
      .filter(({ path }) => path.endsWith('/Packages.gz'))
      .map(({ path, ...file }) => ({
        url: new URL(`${path.replace(/[^/]+$/, '')}by-hash/SHA256/${file.sha256}`, url),
        ...file,
      }));
    return { url, answer, date, validUntil, index: smallest(named) };
  }
  const signature = await fetched(context, new URL(`${url.href}.asc`));
  unlessForeign(answer, () => verifyDetached(answer.body, signature.body.toString(), keys));
  const { records } = parseRepomd(answer.body.toString());
  const named = records.map(({ location, sha256, sizeBytes }) => ({
    // Raw in the document: below the folder above `repodata`.
    url: new URL(`../${location}`, url),
    sha256,
    sizeBytes,
  }));
  return { url, answer, date: null, validUntil: null, index: smallest(named) };
}

/** A page of a proxy in place of the document is told as what it is. */
function unlessForeign<T>({ headers, body }: Answer, verify: () => T): T {
  try {
    return verify();
  } catch (error) {
    const type = headers['content-type'] ?? 'of no type';
    const isPage = /^\s*<(?:!doctype )?html/i.test(body.subarray(0, 200).toString('latin1'));
    if (isPage) throw new Unexpected(`The answer is a page (${type}), of a proxy or a portal on the way`);
    if (error instanceof AppError && error.code === 'signature_key_unknown')
      throw new Unexpected(`${error.message.slice(0, -1)}, which the set-up file does not have`);
    throw error;
  }
}
