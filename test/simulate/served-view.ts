/** What machines find in a tree: every signature, digest and count on the way is held against what names it. */
import { gunzipSync } from 'node:zlib';
import { releaseFiles, primaryPackages, sha256, stanzaFields } from '../served.ts';
import type { PublicKey } from '../../src/signing/public-key.ts';
import { verifyClearsigned, verifyDetached } from '../../src/signing/verify.ts';
import type { Store } from '../../src/store/store.ts';
import { pathsOf } from './universe.ts';
import { repository } from './world.ts';

/** What one channel, or one frozen generation of it, offers. */
export type View = {
  /** `index: name version architecture sha256`, sorted; `index` is empty in yum. */
  readonly entries: readonly string[];
  /** The pool files that the entries name. */
  readonly files: readonly string[];
  /** Seconds since 1970; of yum the largest time stamp in repomd.xml. */
  readonly date: number;
  readonly architectures: readonly string[];
  readonly components: readonly string[];
  readonly description: string;
};

export class Torn extends Error {}

/**
 * What was computed before of the same bytes: histories read the same documents again and again, and the same set
 * of packages has the same index in each of them.
 */
class Memory<T> {
  readonly #known = new Map<string, T>();

  recall(key: string, compute: () => T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const fresh = compute();
    if (this.#known.size >= 5000) this.#known.clear();
    this.#known.set(key, fresh);
    return fresh;
  }
}

const texts = new Memory<string>();
const signatures = new Memory<true>();

type Unpacked = { readonly text: string; readonly sha256: string };
const unpacked = new Memory<Unpacked>();

/** `digest` is the SHA-256 of `gzip`, which has been checked. */
function unpack(gzip: Buffer, digest: string): Unpacked {
  return unpacked.recall(digest, () => {
    const raw = gunzipSync(gzip);
    return { text: raw.toString(), sha256: sha256(raw) };
  });
}

/** Contents of the packages that `Packages` of the same architecture lists, from what the universe says of them. */
function contentsOf(entries: readonly string[], component: string, architecture: string): string {
  const lines = new Map<string, Set<string>>();
  for (const entry of entries) {
    const [index, name = '', version = '', own] = entry.split(' ');
    if (index !== `${component}/binary-${architecture}:` || own !== architecture) continue;
    for (const path of pathsOf(name, version)) lines.set(path, new Set([...(lines.get(path) ?? []), name]));
  }
  return [...lines]
    .map(([path, names]) => `${path}\t${[...names].sort().join()}\n`)
    .sort()
    .join('');
}

export class TreeReader {
  readonly #store: Store;
  readonly #keys: readonly PublicKey[];

  constructor(store: Store, key: PublicKey) {
    this.#store = store;
    this.#keys = [key];
  }

  async read(key: string): Promise<Buffer> {
    const file = await this.#store.open(key);
    if (!file) throw new Torn(`${key} is not there`);
    return await file.bytes();
  }

  async lastModified(key: string): Promise<number> {
    return (await this.#store.open(key))?.lastModifiedMs ?? 0;
  }

  async #named(key: string, named: { sha256: string; sizeBytes: number }): Promise<Buffer> {
    const bytes = await this.read(key);
    if (bytes.length !== named.sizeBytes || sha256(bytes) !== named.sha256)
      throw new Torn(`${key} is not what names it says`);
    return bytes;
  }

  #verified(document: Buffer, key: string): string {
    try {
      return texts.recall(sha256(document), () => verifyClearsigned(document, this.#keys).text);
    } catch (error) {
      throw new Torn(`${key}: ${String(error)}`);
    }
  }

  #verify(document: Buffer, signature: Buffer, key: string): void {
    try {
      signatures.recall(`${sha256(document)} ${sha256(signature)}`, () => {
        verifyDetached(document, signature.toString(), this.#keys);
        return true;
      });
    } catch (error) {
      throw new Torn(`${key}: ${String(error)}`);
    }
  }

  /** By way of InRelease and by-hash; `root` is the folder of the InRelease. */
  async apt(root: string): Promise<View> {
    const text = this.#verified(await this.read(`${root}/InRelease`), `${root}/InRelease`);
    const fields = stanzaFields(text);
    const field = (name: string): string => fields.get(name) ?? '';
    const entries: string[] = [];
    const files = new Set<string>();
    const listed = releaseFiles(fields);
    for (const [path, named] of listed) {
      if (!path.endsWith('/Packages.gz')) continue;
      const folder = path.slice(0, path.lastIndexOf('/'));
      const gzip = await this.#named(`${root}/${folder}/by-hash/SHA256/${named.sha256}`, named);
      const raw = unpack(gzip, named.sha256);
      if (listed.get(`${folder}/Packages`)?.sha256 !== raw.sha256)
        throw new Torn(`${root}/${folder}/Packages is not what Release says`);
      for (const stanza of raw.text.split('\n\n').filter(Boolean)) {
        const of = stanzaFields(stanza);
        const [name, version, architecture, digest] = ['Package', 'Version', 'Architecture', 'SHA256'].map(
          (one) => of.get(one),
        );
        entries.push(`${folder}: ${name} ${version} ${architecture} ${digest}`);
        files.add(`apt/${repository}/${of.get('Filename')} ${digest}`);
      }
    }
    for (const [path, named] of listed) {
      const [, component = '', architecture = ''] = /^(.*)\/Contents-(\w+)\.gz$/.exec(path) ?? [];
      if (architecture === '') continue;
      const gzip = await this.#named(`${root}/${component}/by-hash/SHA256/${named.sha256}`, named);
      const { text, sha256: plain } = unpack(gzip, named.sha256);
      if (listed.get(`${component}/Contents-${architecture}`)?.sha256 !== plain)
        throw new Torn(`${root}/${component}/Contents-${architecture} is not what Release says`);
      if (text !== contentsOf(entries, component, architecture))
        throw new Torn(`${root}/${path} is not of the packages: ${text}`);
    }
    return {
      entries: entries.sort(),
      files: [...files],
      date: Date.parse(field('Date')) / 1000,
      architectures: field('Architectures').split(' '),
      components: field('Components').split(' '),
      description: field('Description'),
    };
  }

  /** By way of repomd.xml and its signature; `root` is the baseurl. */
  async yum(root: string): Promise<View> {
    const key = `${root}/repodata/repomd.xml`;
    const repomd = await this.read(key);
    this.#verify(repomd, await this.read(`${key}.asc`), key);
    const entries: string[] = [];
    const files: string[] = [];
    const counts = new Set<number>();
    let date = 0;
    for (const [, type = '', data = ''] of repomd
      .toString()
      .matchAll(/<data type="(\w+)">([\s\S]*?)<\/data>/g)) {
      const one = (pattern: RegExp): string => pattern.exec(data)?.[1] ?? '';
      const named = { sha256: one(/<checksum type="sha256">(\w+)</), sizeBytes: Number(one(/<size>(\d+)</)) };
      const gzip = await this.#named(`${root}/${one(/href="([^"]+)"/)}`, named);
      const { text: xml, sha256: open } = unpack(gzip, named.sha256);
      if (one(/<open-checksum type="sha256">(\w+)</) !== open)
        throw new Torn(`${root}: ${type} does not unpack to what repomd.xml says`);
      counts.add(xml.split('<package ').length - 1).add(Number(/ packages="(\d+)"/.exec(xml)?.[1]));
      date = Math.max(date, Number(one(/<timestamp>(\d+)</)));
      if (type !== 'primary') continue;
      for (const entry of primaryPackages(xml, root)) {
        entries.push(`: ${entry.name} ${entry.version} ${entry.architecture} ${entry.sha256}`);
        files.push(`${entry.path} ${entry.sha256}`);
      }
    }
    if (counts.size !== 1) throw new Torn(`${root}: counts of packages differ: ${[...counts].join(', ')}`);
    return { entries: entries.sort(), files, date, architectures: [], components: [], description: '' };
  }

  /** What only holds when nothing is being written: the detached pair, and the metalink. */
  async checkPairs(format: 'apt' | 'yum', root: string): Promise<void> {
    if (format === 'apt') {
      const release = await this.read(`${root}/Release`);
      this.#verify(release, await this.read(`${root}/Release.gpg`), `${root}/Release`);
      const text = this.#verified(await this.read(`${root}/InRelease`), `${root}/InRelease`);
      if (text !== release.toString()) throw new Torn(`${root}: InRelease and Release differ`);
      return;
    }
    const frozen = await this.checkMetalink(root);
    if (!frozen.equals(await this.read(`${root}/repodata/repomd.xml`)))
      throw new Torn(`${root}: the metalink names another repomd.xml`);
  }

  /** As dnf goes: the metalink names a frozen repomd.xml, and that is whole with everything below it. */
  async checkMetalink(root: string): Promise<Buffer> {
    const metalink = (await this.read(`${root}/metalink`)).toString();
    const url = /<url[^>]*>https:\/\/packages\.example\/([^<]+)</.exec(metalink)?.[1] ?? '';
    const named = {
      sha256: /<hash type="sha256">(\w+)</.exec(metalink)?.[1] ?? '',
      sizeBytes: Number(/<size>(\d+)</.exec(metalink)?.[1]),
    };
    const frozen = await this.#named(url, named);
    const view = await this.yum(url.replace('/repodata/repomd.xml', ''));
    await this.checkFiles(view.files);
    return frozen;
  }

  /** Each pool file is there and whole. */
  async checkFiles(files: readonly string[]): Promise<void> {
    for (const file of files) {
      const [key = '', digest] = file.split(/ (?=[0-9a-f]{64}$)/);
      if (sha256(await this.read(key)) !== digest) throw new Torn(`${key} is not what the index says`);
    }
  }
}
