/**
 * Packages for the benches: the control files of Debian's main, from this machine's package lists, each packed
 * as the smallest valid .deb; and .rpm files with the same names, versions and dependencies.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDeb } from '../test/build-deb.ts';
import { buildRpm } from '../test/build-rpm.ts';

const indexOnly = new Set(['Filename', 'Size', 'MD5sum', 'SHA1', 'SHA256', 'SHA512', 'Description-md5']);

/**
 * Control files of real packages, one an architecture-independent or amd64 package. When the package lists of
 * this machine have fewer, the same ones again under other names.
 */
export function controlFiles(limit: number): string[] {
  const real = debianControlFiles(limit);
  if (real.length === 0) throw new Error('this machine has no package lists: run apt-get update');
  return Array.from({ length: limit }, (_, i) => {
    const control = real[i % real.length] ?? '';
    const copy = Math.floor(i / real.length);
    return copy === 0 ? control : control.replace(/^Package: (.*)$/m, `Package: $1-copy${copy}`);
  });
}

function debianControlFiles(limit: number): string[] {
  const lists = execFileSync('apt-get', ['indextargets', '--format', '$(FILENAME)', 'Created-By: Packages'])
    .toString()
    .split('\n')
    .filter((path) => path.includes('_main_'))
    .sort((a, b) => a.length - b.length);
  const found = new Map<string, string>();
  for (const list of lists) {
    const text = execFileSync('/usr/lib/apt/apt-helper', ['cat-file', list], {
      maxBuffer: 2 ** 30,
    }).toString();
    for (const stanza of text.split('\n\n')) {
      if (found.size >= limit) return [...found.values()];
      const name = /^Package: (.+)$/m.exec(stanza)?.[1];
      if (name === undefined || found.has(name)) continue;
      found.set(name, withoutIndexFields(stanza));
    }
  }
  return [...found.values()];
}

function withoutIndexFields(stanza: string): string {
  const fields = stanza.split(/\n(?![ \t])/);
  const kept = fields.filter((field) => !indexOnly.has(field.slice(0, field.indexOf(':'))));
  return `${kept.join('\n').trim()}\n`;
}

export type Sample = { readonly path: string; readonly filename: string };

function fieldOf(control: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(control)?.[1] ?? '';
}

/** A new version of the package whose control file this is: what an upload during the bench brings. */
export function bump(control: string, round: number | string): string {
  return control.replace(/^Version: (.*)$/m, `Version: $1+bench${round}`);
}

export function writeDeb(dir: string, control: string): Sample {
  const version = fieldOf(control, 'Version').replace(/^\d+:/, '');
  const filename = `${fieldOf(control, 'Package')}_${version}_${fieldOf(control, 'Architecture')}.deb`;
  mkdirSync(dir, { recursive: true });
  const path = join(dir, filename);
  writeFileSync(path, buildDeb({ controlText: control, compression: 'gzip', controlCompression: 'gzip' }));
  return { path, filename };
}

/** The same package as an rpm, as far as its names and texts go. */
export function writeRpm(dir: string, control: string): Sample {
  const name = fieldOf(control, 'Package');
  const [version = '1', release = '1'] = fieldOf(control, 'Version')
    .replace(/^\d+:/, '')
    .split(/-(?=[^-]*$)/)
    .map((part) => part.replace(/[^A-Za-z0-9.+~]/g, '.'));
  const requires = fieldOf(control, 'Depends')
    .split(', ')
    .filter(Boolean)
    .map((clause) =>
      (clause.split(' | ')[0] ?? '')
        .replace(/:any\b/, '')
        .replace(/[()]/g, '')
        .replace('<<', '<')
        .replace('>>', '>'),
    )
    .map((clause) => clause.trim());
  const description = /^Description: ([\s\S]*?)(?=\n\S|$(?![\s\S]))/m.exec(control)?.[1] ?? '';
  const arch = fieldOf(control, 'Architecture') === 'all' ? 'noarch' : 'x86_64';
  const bytes = buildRpm({
    name,
    version,
    release,
    arch,
    summary: description.split('\n')[0] ?? '',
    description,
    requires: [...new Set(requires)],
    files: [
      { path: `/usr/bin/${name}`, content: name },
      { path: `/usr/share/doc/${name}/copyright`, content: name },
    ],
  });
  const filename = `${name}-${version}-${release}.${arch}.rpm`;
  mkdirSync(dir, { recursive: true });
  const path = join(dir, filename);
  writeFileSync(path, bytes);
  return { path, filename };
}
