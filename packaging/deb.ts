/** The Debian package: program, dependencies and node in one file, the same bytes each time it is built. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkout, readManifest, writeProgram } from './program.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const home = 'usr/lib/entrepot';
const debian = join(import.meta.dirname, 'debian');

/** Where each file of `debian/` goes. */
const places = {
  'entrepot.service': 'usr/lib/systemd/system/entrepot.service',
  'entrepot.yaml': 'etc/entrepot/entrepot.yaml',
  entrepot: 'usr/bin/entrepot',
  copyright: 'usr/share/doc/entrepot/copyright',
} as const;
const scripts = ['postinst', 'prerm', 'postrm'];

/** What of the dependencies nothing loads: types, maps, sources of what is built, other machines' binaries. */
const unneeded = [
  /\.(?:d\.[cm]?ts|map)$/,
  /^better-sqlite3\/(?:deps|src|binding\.gyp)/,
  // Its WebAssembly alone is used, which runs anywhere.
  /^node-liblzma\/(?:src|scripts|prebuilds|binding\.gyp)/,
  /^openpgp\/dist\/(?!node)/,
  /^\.bin$|^\.package-lock\.json$|^node-addon-api$|^zod\/src$/,
  /^(?:@[^/]+\/)?[^/]+\/(?:tests?|__tests__|benchmarks?|examples?|docs)$/,
];

function isForeign(name: string, platform: string): boolean {
  const binary = /(?:^|\/)prebuilds\/([^/.]+)/.exec(name)?.[1];
  return binary !== undefined && binary !== platform;
}

/**
 * Removes what is not needed from a folder of modules. Fails when the native one has no binary for the machine.
 * `platform`: as node names it, `linux-arm64`.
 */
export function prune(modules: string, platform: string): void {
  for (const name of readdirSync(modules, { recursive: true, encoding: 'utf8' }))
    if (isForeign(name, platform) || unneeded.some((pattern) => pattern.test(name)))
      rmSync(join(modules, name), { recursive: true, force: true });
  if (readdirSync(join(modules, 'better-sqlite3/prebuilds')).length === 0)
    throw new Error(
      `better-sqlite3 has no binary for ${platform}: no package can be built for this machine.`,
    );
}

type Lock = {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly dev?: boolean }>>;
};

/**
 * The dependencies that a running program needs, as the lock file names them, from where `npm ci` put them. Of those
 * for other machines alone there is no folder. Fails when another version than the lock file's is installed.
 */
function copyDependencies(dir: string, platform: string): void {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as Lock;
  for (const [place, { version, dev }] of Object.entries(lock.packages)) {
    const from = join(checkout, place);
    if (place === '' || dev === true || !existsSync(from)) continue;
    const installed = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as { version: string };
    if (installed.version !== version)
      throw new Error(`${place} is ${installed.version}, not ${version}: run "npm ci"`);
    // What is nested has lines of its own in the lock file.
    const filter = (source: string): boolean => !source.slice(from.length).includes('/node_modules');
    cpSync(from, join(dir, place), { recursive: true, filter });
  }
  prune(join(dir, 'node_modules'), platform);
}

/** Modes and times that do not depend on who builds, and when; answers the files, sorted. */
function settle(root: string, epoch: number): string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return names.filter((name) => {
    const path = join(root, name);
    const stat = statSync(path);
    chmodSync(path, stat.isDirectory() || (stat.mode & 0o111) !== 0 ? 0o755 : 0o644);
    utimesSync(path, epoch, epoch);
    return stat.isFile();
  });
}

/** What an operator reads; not the folders of pictures and decisions. */
function copyDocuments(dir: string): void {
  for (const name of readdirSync(join(checkout, 'docs')).filter((file) => file.endsWith('.md')))
    cpSync(join(checkout, 'docs', name), join(dir, name));
}

type Control = { readonly version: string; readonly architecture: string; readonly maintainer: string };

function writeControl(root: string, files: readonly string[], control: Control): void {
  const dir = join(root, 'DEBIAN');
  mkdirSync(dir);
  const sizeBytes = files.reduce((sum, name) => sum + statSync(join(root, name)).size, 0);
  const text = readFileSync(join(debian, 'control'), 'utf8')
    .replace('@VERSION@', control.version)
    .replace('@ARCHITECTURE@', control.architecture)
    .replace('@MAINTAINER@', () => control.maintainer)
    .replace('@SIZE@', String(Math.ceil(sizeBytes / 1024)));
  writeFileSync(join(dir, 'control'), text, { mode: 0o644 });
  writeFileSync(join(dir, 'conffiles'), `/${places['entrepot.yaml']}\n`, { mode: 0o644 });
  const sums = files.map((name) => {
    const md5 = createHash('md5')
      .update(readFileSync(join(root, name)))
      .digest('hex');
    return `${md5}  ${name}\n`;
  });
  writeFileSync(join(dir, 'md5sums'), sums.join(''), { mode: 0o644 });
  for (const name of scripts) {
    cpSync(join(debian, name), join(dir, name));
    chmodSync(join(dir, name), 0o755);
  }
  for (const name of ['control', 'conffiles', 'md5sums']) chmodSync(join(dir, name), 0o644);
  chmodSync(dir, 0o755);
}

/**
 * Builds `entrepot_VERSION_ARCH.deb` into `target` and answers its path. `epoch`: seconds since 1970 that every
 * file in it gets (SOURCE_DATE_EPOCH), so that the same sources give the same bytes.
 * `maintainer`: who answers for the package, as `Name <address>`.
 */
export function buildDebianPackage(
  target: string,
  { epoch, maintainer }: { readonly epoch: string; readonly maintainer: string },
): string {
  const architecture = architectures[process.arch];
  if (architecture === undefined) throw new Error(`no Debian architecture is known for ${process.arch}`);
  const node = join(checkout, 'node_modules/node/bin/node');
  if (!existsSync(node)) throw new Error('node_modules/node is missing: run "npm ci" first.');
  // 1.0.0-rc.1 is older than 1.0.0 for npm, and for dpkg with a tilde.
  const version = readManifest().version.replace('-', '~');
  const root = mkdtempSync(join(tmpdir(), 'entrepot-deb-'));
  try {
    const dir = join(root, home);
    mkdirSync(dir, { recursive: true });
    copyDependencies(dir, `linux-${process.arch}`);
    writeProgram(dir);
    cpSync(node, join(dir, 'node'));
    for (const [name, place] of Object.entries(places)) {
      mkdirSync(dirname(join(root, place)), { recursive: true });
      cpSync(join(debian, name), join(root, place));
    }
    chmodSync(join(root, places.entrepot), 0o755);
    copyDocuments(join(root, 'usr/share/doc/entrepot'));
    const files = settle(root, Number(epoch));
    chmodSync(root, 0o755);
    writeControl(root, files, { version, architecture, maintainer });
    const path = join(target, `entrepot_${version}_${architecture}.deb`);
    mkdirSync(target, { recursive: true });
    const options = ['--root-owner-group', '-Zzstd', '-z9', '--threads-max=1', '--build'];
    const env = { ...process.env, SOURCE_DATE_EPOCH: epoch };
    execFileSync('dpkg-deb', [...options, root, path], { env, stdio: 'pipe' });
    return path;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
