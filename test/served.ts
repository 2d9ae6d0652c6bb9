/** What machines would find: the signed documents, the indexes that they name, and the packages in those. */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

export type ServedPackage = {
  readonly name: string;
  /** apt: as the stanza has it. yum: `epoch:version-release`. */
  readonly version: string;
  readonly architecture: string;
  /** The path of its file on the server. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
};

/** The body of a path of the server, which has to be there. */
export type Read = (path: string) => Promise<Buffer>;

export function readFrom(base: string, headers: Readonly<Record<string, string>> = {}): Read {
  return async (path) => {
    // As clients do it: a package's path is raw in the index, and `+`, `~` and `^` are encoded by none or all.
    const response = await fetch(`${base}/${path}`, { headers });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

type Named = { readonly path: string; readonly sizeBytes: number; readonly sha256: string };

/** Reads a file and holds it against the digest and size that a document above it names. */
export async function readNamed(read: Read, { path, sizeBytes, sha256: digest }: Named): Promise<Buffer> {
  const bytes = await read(path);
  if (bytes.length !== sizeBytes || sha256(bytes) !== digest)
    throw new Error(`${path}: ${bytes.length} bytes ${sha256(bytes)}, named with ${sizeBytes} ${digest}`);
  return bytes;
}

/** The fields of the text in an InRelease, the list of files as lines. */
export function releaseFields(inRelease: string): Map<string, string> {
  const text = /\n\n([\s\S]*)\n-----BEGIN PGP SIGNATURE/.exec(inRelease)?.[1] ?? '';
  return stanzaFields(text);
}

export function stanzaFields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of stanza.split('\n')) {
    const match = /^([^ :][^:]*):(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) fields.set((name = match[1]), match[2].trim());
    else fields.set(name, `${fields.get(name) ?? ''}\n${line.trim()}`);
  }
  return fields;
}

/** Every file that a Release lists, by its path below the Release. */
export function releaseFiles(
  fields: Map<string, string>,
): Map<string, { sha256: string; sizeBytes: number }> {
  const lines = (fields.get('SHA256') ?? '').split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [digest = '', size = '', path = ''] = line.split(/ +/);
      return [path, { sha256: digest, sizeBytes: Number(size) }];
    }),
  );
}

/** Every stanza of an apt channel's `Packages`, by way of InRelease and by-hash, as apt goes. */
export async function readApt(read: Read, repository: string, channel: string): Promise<ServedPackage[]> {
  const root = `apt/${repository}/dists/${channel}`;
  const files = releaseFiles(releaseFields((await read(`${root}/InRelease`)).toString()));
  const found = new Map<string, ServedPackage>();
  for (const [path, named] of files) {
    if (!path.endsWith('/Packages.gz')) continue;
    const folder = path.slice(0, path.lastIndexOf('/'));
    const gzip = await readNamed(read, {
      ...named,
      path: `${root}/${folder}/by-hash/SHA256/${named.sha256}`,
    });
    const raw = gunzipSync(gzip);
    const plain = files.get(`${folder}/Packages`);
    if (plain?.sha256 !== sha256(raw)) throw new Error(`${folder}/Packages is not what Release says`);
    for (const stanza of raw.toString().split('\n\n').filter(Boolean)) {
      const fields = stanzaFields(stanza);
      const entry = aptPackage(repository, fields);
      found.set(`${path} ${entry.path}`, entry);
    }
  }
  // An `all` package stands in the index of every architecture.
  return [...new Map([...found.values()].map((entry) => [entry.path, entry])).values()];
}

function aptPackage(repository: string, fields: Map<string, string>): ServedPackage {
  const field = (name: string): string => fields.get(name) ?? '';
  return {
    name: field('Package'),
    version: field('Version'),
    architecture: field('Architecture'),
    path: `apt/${repository}/${field('Filename')}`,
    sizeBytes: Number(field('Size')),
    sha256: field('SHA256'),
  };
}

/** Every package of a yum channel's primary, by way of repomd.xml; all three documents are read and counted. */
export async function readYum(read: Read, repository: string, channel: string): Promise<ServedPackage[]> {
  const root = `yum/${repository}/${channel}`;
  const repomd = (await read(`${root}/repodata/repomd.xml`)).toString();
  let packages: ServedPackage[] = [];
  for (const [, type = '', data = ''] of repomd.matchAll(/<data type="(\w+)">([\s\S]*?)<\/data>/g)) {
    const file = {
      path: `${root}/${/href="([^"]+)"/.exec(data)?.[1] ?? ''}`,
      sha256: /<checksum type="sha256">(\w+)</.exec(data)?.[1] ?? '',
      sizeBytes: Number(/<size>(\d+)</.exec(data)?.[1]),
    };
    const bytes = await readNamed(read, file);
    // Documents beside the packages: one of them is not compressed.
    if (type === 'group') continue;
    const xml = gunzipSync(bytes).toString();
    if (/<open-checksum type="sha256">(\w+)</.exec(data)?.[1] !== sha256(Buffer.from(xml)))
      throw new Error(`${file.path} does not unpack to what repomd.xml says`);
    if (!['primary', 'filelists', 'other'].includes(type)) continue;
    const count = xml.split('<package ').length - 1;
    if (count !== Number(/ packages="(\d+)"/.exec(xml)?.[1])) throw new Error(`${type}: the count is wrong`);
    if (type === 'primary') packages = [...primaryPackages(xml, root)];
  }
  return packages;
}

export function* primaryPackages(xml: string, root: string): Generator<ServedPackage> {
  for (const [, entry = ''] of xml.matchAll(/<package type="rpm">([\s\S]*?)<\/package>/g)) {
    const one = (pattern: RegExp): string => pattern.exec(entry)?.[1] ?? '';
    const version = /<version epoch="([^"]*)" ver="([^"]*)" rel="([^"]*)"/.exec(entry) ?? [];
    yield {
      name: one(/<name>([^<]*)</),
      version: `${version[1] ?? ''}:${version[2] ?? ''}-${version[3] ?? ''}`,
      architecture: one(/<arch>([^<]*)</),
      path: `${root}/${one(/<location href="([^"]*)"/)}`,
      sizeBytes: Number(one(/<size package="(\d+)"/)),
      sha256: one(/<checksum type="sha256" pkgid="YES">(\w+)</),
    };
  }
}

/** The package's file, held against the index. */
export async function readPackage(read: Read, entry: ServedPackage): Promise<Buffer> {
  const path = entry.path.split('/').map(encodeURIComponent).join('/');
  return await readNamed(read, { ...entry, path });
}
