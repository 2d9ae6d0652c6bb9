/** Readers without a client: every document is verified, and everything that it names is fetched and compared. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { PublicKey } from '../../src/signing/public-key.ts';
import { verifyClearsigned, verifyDetached } from '../../src/signing/verify.ts';
import {
  primaryPackages,
  readNamed,
  readPackage,
  releaseFiles,
  sha256,
  stanzaFields,
  type Read,
} from '../served.ts';

export type Reader = () => Promise<void>;

const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(Math.random() * items.length)];

/** InRelease, then every file that it names, by hash and the compressed ones as they are; then one package. */
export function aptReader(read: Read, key: PublicKey, suite: () => string): Reader {
  return async () => {
    const root = suite();
    const fields = stanzaFields(verifyClearsigned(await read(`${root}/InRelease`), [key]).text);
    const packages: string[] = [];
    for (const [path, named] of releaseFiles(fields)) {
      const folder = path.slice(0, path.lastIndexOf('/'));
      const bytes = await readNamed(read, {
        ...named,
        path: `${root}/${folder}/by-hash/SHA256/${named.sha256}`,
      });
      if (path.endsWith('/Packages')) packages.push(...bytes.toString().split('\n\n').filter(Boolean));
    }
    const stanza = stanzaFields(pick(packages) ?? '');
    const file = stanza.get('Filename');
    if (file === undefined) return;
    const [sizeBytes, digest] = [Number(stanza.get('Size')), stanza.get('SHA256') ?? ''];
    await readNamed(read, { path: `apt/main/${file}`, sizeBytes, sha256: digest });
  };
}

/** As dnf goes: the metalink, the frozen repomd.xml and its signature, every document, one package. */
export function metalinkReader(read: Read, key: PublicKey, channel: () => string): Reader {
  return async () => {
    const name = channel();
    const metalink = (await read(`yum/main/${name}/metalink`)).toString();
    const url = new URL(/<url[^>]*>([^<]+)</.exec(metalink)?.[1] ?? '').pathname.slice(1);
    const repomd = await readNamed(read, {
      path: url,
      sha256: /<hash type="sha256">(\w+)</.exec(metalink)?.[1] ?? '',
      sizeBytes: Number(/<size>(\d+)</.exec(metalink)?.[1]),
    });
    verifyDetached(repomd, (await read(`${url}.asc`)).toString(), [key]);
    await readDocuments(read, repomd.toString(), url.replace('/repodata/repomd.xml', ''));
  };
}

/** The plain repomd.xml, and every document that it names. */
export function baseurlReader(read: Read, channel: () => string): Reader {
  return async () => {
    const root = `yum/main/${channel()}`;
    await readDocuments(read, (await read(`${root}/repodata/repomd.xml`)).toString(), root);
  };
}

async function readDocuments(read: Read, repomd: string, root: string): Promise<void> {
  for (const [, type, data = ''] of repomd.matchAll(/<data type="(\w+)">([\s\S]*?)<\/data>/g)) {
    const one = (pattern: RegExp): string => pattern.exec(data)?.[1] ?? '';
    const path = one(/href="([^"]+)"/);
    const named = { sha256: one(/<checksum type="sha256">(\w+)</), sizeBytes: Number(one(/<size>(\d+)</)) };
    const packed = await readNamed(read, { ...named, path: `${root}/${path}` });
    const xml = path.endsWith('.zst') ? zstdDecompressSync(packed) : gunzipSync(packed);
    if (one(/<open-checksum type="sha256">(\w+)</) !== sha256(xml))
      throw new Error(`${path} unpacks to another`);
    const entry = type === 'primary' ? pick([...primaryPackages(xml.toString(), root)]) : undefined;
    if (entry) await readPackage(read, entry);
  }
}

/** A document and the signature beside it, one after the other on one connection, as apt and librepo ask. */
export function pairReader(
  read: Read,
  key: PublicKey,
  pair: () => { readonly document: string; readonly signature: string },
): Reader {
  return async () => {
    const { document, signature } = pair();
    const bytes = await read(document);
    verifyDetached(bytes, (await read(signature)).toString(), [key]);
  };
}
