/** The packages that histories are made of: few names, so that they meet, each identity with two contents. */
import { sha256 } from '../served.ts';
import { buildDeb } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import type { FormatName } from '../../src/formats/package.ts';

export type Content = { readonly bytes: Buffer; readonly sha256: string };

export type Sample = {
  /** `name version architecture`, as the catalog has them. */
  readonly identity: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly filename: string;
  /** What an identity may have been uploaded as. */
  readonly contents: readonly [Content, Content];
};

const names = ['abc', 'libabc', 'zed'] as const;
const versions = ['1.0-1', '1.0~rc1-1', '1:0.9-1', '2.0-1'] as const;

function contentOf(bytes: Buffer): Content {
  return { bytes, sha256: sha256(bytes) };
}

/** What a deb ships: two names have one path, versions have most of theirs. */
export function pathsOf(name: string, version: string): string[] {
  const shared = name === 'zed' ? [] : ['usr/share/common'];
  return [...shared, `usr/share/${name}/${version.replace(/\W/g, '-')}`, `usr/share/${name}/what`];
}

function debOf(name: string, version: string, architecture: string): Sample {
  const control = { Package: name, Version: version, Architecture: architecture, ...dependsOf(name) };
  const content = (text: string): Content =>
    contentOf(
      buildDeb({ control, files: pathsOf(name, version).map((path) => ({ path, data: `${path} ${text}` })) }),
    );
  return {
    identity: `${name} ${version} ${architecture}`,
    name,
    version,
    architecture,
    filename: `${name}_${version.replace(/^\d+:/, '')}_${architecture}.deb`,
    contents: [content(`${name} ${version}`), content(`another ${name} ${version}`)],
  };
}

/** So that promotions and yanks meet the guard-rails. */
function dependsOf(name: string): Record<string, string> {
  return name === 'abc' ? { Depends: 'libabc (>= 1.0)' } : {};
}

function rpmOf(name: string, version: string, arch: string): Sample {
  const [, epoch, upstream = '', release = ''] = /^(?:(\d+):)?([^-]+)-(.+)$/.exec(version) ?? [];
  const content = (text: string): Content =>
    contentOf(
      buildRpm({
        name,
        version: upstream,
        release,
        arch,
        ...(epoch === undefined ? {} : { epoch: Number(epoch) }),
        ...(name === 'abc' ? { requires: ['libabc >= 1.0'] } : {}),
        files: [{ path: `/usr/share/${name}/what`, content: text }],
      }),
    );
  const full = `${epoch ?? '0'}:${upstream}-${release}`;
  return {
    identity: `${name} ${full} ${arch}`,
    name,
    version: full,
    architecture: arch,
    filename: `${name}-${upstream}-${release}.${arch}.rpm`,
    contents: [content(`${name} ${version}`), content(`another ${name} ${version}`)],
  };
}

const pairs = names.flatMap((name) => versions.map((version) => [name, version] as const));

/** The same number of samples in both formats. `1.0-1` and `1:1.0-1` of one name share a file name. */
export const universe: Readonly<Record<FormatName, readonly Sample[]>> = {
  apt: [
    ...pairs.map(([name, version]) => debOf(name, version, 'amd64')),
    debOf('libabc', '1:1.0-1', 'amd64'),
    debOf('zed', '1.0-1', 'all'),
    debOf('zed', '2.0-1', 'arm64'),
  ],
  yum: [
    ...pairs.map(([name, version]) => rpmOf(name, version, 'x86_64')),
    rpmOf('libabc', '1:1.0-1', 'x86_64'),
    rpmOf('zed', '1.0-1', 'noarch'),
    rpmOf('zed', '2.0-1', 'aarch64'),
  ],
};
