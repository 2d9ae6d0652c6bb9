/** A machine with apt 3, unpacked from Debian trixie into a folder: its own libraries, dpkg and sqv. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unlessInstalled } from '../clients.ts';
import { run } from '../run.ts';
import { temporaryDir } from '../server.ts';
import { runClient, unlessRoot, type Outcome } from './roots.ts';

export type Apt3Root = {
  readonly dir: string;
  readonly writeSources: (text: string) => void;
  /** Runs `apt-get` of apt 3 and gives it yes for an answer. */
  readonly apt: (...args: string[]) => Promise<Outcome>;
  readonly cache: (...args: string[]) => Promise<Outcome>;
  readonly read: (path: string) => string | null;
};

type Teardown = { readonly teardown: (work: () => unknown) => void };

export const unlessApt3: string | false = unlessInstalled('apt-get', 'dpkg-deb', 'gpgv') || unlessRoot;

/** apt and what it and dpkg call. */
const packages = [
  'apt',
  'base-files',
  'coreutils',
  'dash',
  'debianutils',
  'diffutils',
  'dpkg',
  'libc-bin',
  'sqv',
  'tar',
];

/** The Debian archive that this machine itself installs from; null when it has none. */
async function ownMirror(): Promise<string | null> {
  const { stdout } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(RELEASE)',
    'Created-By: Packages',
  ]);
  const line = stdout.split('\n').find((text) => /\/debian\/? [a-z]+$/.test(text));
  return line?.split(' ')[0] ?? null;
}

/** Fetches the packages of trixie with the machine's apt, which checks them. Null when they cannot be reached. */
async function fetchPackages(dir: string): Promise<string | null> {
  const mirror = await ownMirror();
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  if (mirror === null || !existsSync(keyring)) return null;
  for (const folder of [
    'etc/apt/preferences.d',
    'etc/apt/apt.conf.d',
    'lists/partial',
    'cache/archives/partial',
  ])
    mkdirSync(join(dir, folder), { recursive: true });
  writeFileSync(join(dir, 'status'), '');
  writeFileSync(
    join(dir, 'trixie.sources'),
    `Types: deb\nURIs: ${mirror}\nSuites: trixie\nComponents: main\nSigned-By: ${keyring}\n`,
  );
  writeFileSync(
    join(dir, 'apt.conf'),
    `Dir "${dir}/";
Dir::State::lists "${dir}/lists";
Dir::State::status "${dir}/status";
Dir::Cache "${dir}/cache";
Dir::Etc::sourcelist "${dir}/trixie.sources";
Dir::Etc::sourceparts "-";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
`,
  );
  const apt = (...args: string[]): Promise<Outcome> =>
    runClient({ APT_CONFIG: join(dir, 'apt.conf') }, 'apt-get', ['-y', '-qq', ...args]);
  if ((await apt('update')).code !== 0) return null;
  const fetched = await apt('install', '--download-only', '--no-install-recommends', ...packages);
  return fetched.code === 0 ? join(dir, 'cache/archives') : null;
}

/** Where the merged folders of today's Debian lead. */
const merged = ['bin', 'sbin', 'lib', 'lib64'];

/** Null when trixie cannot be reached from here; with CI=true that is a failure. */
export async function apt3Root(t: Teardown): Promise<Apt3Root | null> {
  const archives = await fetchPackages(temporaryDir(t, 'entrepot-trixie-'));
  if (archives === null) {
    if (process.env['CI'] === 'true') throw new Error('Debian trixie cannot be reached');
    return null;
  }
  const dir = temporaryDir(t, 'entrepot-apt3-');
  for (const name of merged) {
    mkdirSync(join(dir, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(dir, name));
  }
  for (const name of readdirSync(archives).filter((file) => file.endsWith('.deb'))) {
    const unpack = 'dpkg-deb --fsys-tarfile "$0" | tar -x --keep-directory-symlink -C "$1"';
    const { code, stderr } = await run('sh', ['-c', unpack, join(archives, name), dir]);
    if (code !== 0) throw new Error(`${name}: ${stderr}`);
  }
  for (const folder of [
    'dev',
    'tmp',
    'etc/apt/sources.list.d',
    'var/lib/apt/lists/partial',
    'var/lib/dpkg/info',
    'var/lib/dpkg/updates',
    'var/lib/dpkg/triggers',
    'var/cache/apt/archives/partial',
    'var/log/apt',
  ])
    mkdirSync(join(dir, folder), { recursive: true });
  writeFileSync(join(dir, 'dev/null'), '');
  writeFileSync(join(dir, 'var/lib/dpkg/status'), '');
  writeFileSync(
    join(dir, 'etc/apt/apt.conf'),
    'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAPT::Sandbox::User "root";\nAPT::Update::Error-Mode "any";\nDPkg::Use-Pty "false";\n',
  );
  const inside = (program: string, args: readonly string[]): Promise<Outcome> =>
    runClient({ PATH: '/usr/sbin:/usr/bin', TMPDIR: '/tmp', DEBIAN_FRONTEND: 'noninteractive' }, 'chroot', [
      dir,
      program,
      ...args,
    ]);
  return {
    dir,
    writeSources: (text) => writeFileSync(join(dir, 'etc/apt/sources.list.d/test.sources'), text),
    apt: (...args) => inside('apt-get', ['-y', ...args]),
    cache: (...args) => inside('apt-cache', args),
    read: (path) => (existsSync(join(dir, path)) ? readFileSync(join(dir, path), 'utf8') : null),
  };
}
