/** Small sound packages of both formats; every name and version makes other bytes, always the same ones. */
import { buildDeb } from './build-deb.ts';
import { buildRpm } from './build-rpm.ts';

export type Sample = { readonly filename: string; readonly bytes: Buffer };

type Choice = { readonly version?: string; readonly architecture?: string; readonly content?: string };

export function debSample(
  name: string,
  { version = '1.0-1', architecture = 'amd64', content = `This is ${name}.\n` }: Choice = {},
): Sample {
  const bytes = buildDeb({
    control: { Package: name, Version: version, Architecture: architecture },
    files: [{ path: `/usr/share/${name}/what`, data: content }],
  });
  return { filename: `${name}_${version.replace(/^\d+:/, '')}_${architecture}.deb`, bytes };
}

/** `version` as `1.0-1` or `2:1.0-1`. */
export function rpmSample(
  name: string,
  { version = '1.0-1', architecture = 'x86_64', content = `This is ${name}.\n` }: Choice = {},
): Sample {
  const [, epoch, upstream = '1.0', release = '1'] = /^(?:(\d+):)?([^-]+)-(.+)$/.exec(version) ?? [];
  const bytes = buildRpm({
    name,
    version: upstream,
    release,
    arch: architecture,
    ...(epoch === undefined ? {} : { epoch: Number(epoch) }),
    files: [{ path: `/usr/share/${name}/what`, content }],
  });
  return { filename: `${name}-${upstream}-${release}.${architecture}.rpm`, bytes };
}
