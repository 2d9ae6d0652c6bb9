/** Debian machines: whole roots made by mmdebstrap, of the archive that this machine itself installs from. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pid } from 'node:process';
import { unlessInstalled } from '../clients.ts';
import { unlessRoot, type Outcome } from '../clients/roots.ts';
import { run, type Result } from '../run.ts';
import { temporaryDir } from '../server.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };

const etc = '/etc/apt';
const suite = 'bookworm';
/** For what docs/operating.md and docs/images.md do. */
const included = 'ansible-core,ca-certificates,cloud-init,cron,curl,gpg,jq,nginx-light,python3,python3-apt';
const cacheDir = join(import.meta.dirname, '../../.cache');
const maxAgeMs = 7 * 24 * 3_600_000;

/** The machine's own sources of Debian, in both notations. */
export function ownSources(): string[] {
  const parts = join(etc, 'sources.list.d');
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  return [join(etc, 'sources.list'), ...files].filter(
    (path) =>
      /\.(?:list|sources)$/.test(path) && existsSync(path) && readFileSync(path, 'utf8').includes(suite),
  );
}

function unlessSources(): string | false {
  return ownSources().length > 0 ? false : `this machine does not install from Debian ${suite}`;
}

export const unlessDebian: string | false =
  unlessRoot || unlessInstalled('mmdebstrap', 'apt-get', 'dpkg-deb') || unlessSources();

/** How this machine's apt reaches its archive, for an apt that reads no other configuration. */
export async function ownTransport(): Promise<string[]> {
  const { stdout } = await run('apt-config', ['dump', 'Acquire::http', 'Acquire::https']);
  return stdout.split('\n').filter((line) => /^Acquire::https?::\S+ "[^"]+";$/.test(line));
}

/** Runs mmdebstrap with this machine's sources and these, into `target`; fails with what it said. */
export async function debootstrap(
  target: string,
  options: readonly string[],
  sources: readonly string[] = ownSources(),
): Promise<void> {
  const apt = (await ownTransport()).map((line) => `--aptopt=${line}`);
  const { code, stderr } = await run('mmdebstrap', [
    '--quiet',
    '--variant=apt',
    ...apt,
    ...options,
    suite,
    target,
    ...sources,
  ]);
  if (code !== 0) throw new Error(`mmdebstrap ended with ${code}:\n${stderr}`);
}

/** An archive of a fresh root, made once a week and for all tests. */
async function freshRoot(): Promise<string> {
  const digest = createHash('sha256').update(included).digest('hex').slice(0, 8);
  const path = join(cacheDir, `${suite}-${digest}.tar`);
  if (existsSync(path) && Date.now() - statSync(path).mtimeMs < maxAgeMs) return path;
  mkdirSync(cacheDir, { recursive: true });
  const part = join(cacheDir, `${suite}.${pid}.tar`);
  try {
    await debootstrap(part, [`--include=${included}`]);
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
  return path;
}

export type DebianRoot = {
  readonly dir: string;
  /** Runs a command in it, as root, to its end. */
  readonly inside: (...command: string[]) => Promise<Outcome>;
  /** As `inside`, and fails with what was said unless it ends with 0; answers its output. */
  readonly must: (...command: string[]) => Promise<string>;
  /** Starts a command in it as one of its users, ended with the test. */
  readonly start: (user: string, command: readonly string[]) => ChildProcess;
  /** Puts a file into it; answers its path inside. */
  readonly put: (path: string, content: string | Uint8Array) => string;
};

const environment = [
  'env',
  '-i',
  'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
  'DEBIAN_FRONTEND=noninteractive',
  'LC_ALL=C.UTF-8',
];

/** A command line that enters the root: with a /proc of its own, in a namespace of mounts that ends with it. */
type Enter = (dir: string, user: string, command: readonly string[]) => string[];

const entering: Enter = (dir, user, command) => {
  const script =
    'root=$0 user=$1; shift; mount -t proc proc "$root/proc"; exec chroot --userspec="$user" "$root" "$@"';
  return ['unshare', '--mount', 'sh', '-ec', script, dir, user, ...environment, ...command];
};

/** The same in the namespaces of a process that has seen to its /proc. */
const joining = (pid: string): Enter => {
  const enter = ['nsenter', '--target', pid, '--mount', '--net', '--pid'];
  return (dir, user, command) => [...enter, 'chroot', `--userspec=${user}`, dir, ...environment, ...command];
};

/** A root that a test may change: its own sources are away, so that it installs ours alone. */
async function unpackRoot(t: Teardown): Promise<string> {
  const dir = temporaryDir(t, 'entrepot-debian-');
  const unpacked = await run('tar', ['-x', '--numeric-owner', '-f', await freshRoot(), '-C', dir]);
  if (unpacked.code !== 0) throw new Error(unpacked.stderr);
  for (const path of ownSources())
    rmSync(join(dir, 'etc/apt/sources.list.d', basename(path)), { force: true });
  for (const name of readdirSync(join(dir, 'etc/apt/sources.list.d')))
    rmSync(join(dir, 'etc/apt/sources.list.d', name));
  writeFileSync(join(dir, 'etc/apt/sources.list'), '');
  return dir;
}

function inRoot(t: Teardown, dir: string, enter: Enter): DebianRoot {
  const runInside = (command: readonly string[]): Promise<Result> => {
    const [program = '', ...args] = enter(dir, 'root:root', command);
    return run(program, args);
  };
  return {
    dir,
    inside: async (...command) => {
      const { code, stdout, stderr } = await runInside(command);
      return { code, output: stdout + stderr };
    },
    must: async (...command) => {
      const { code, stdout, stderr } = await runInside(command);
      if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
      return stdout;
    },
    start: (user, command) => {
      const [program = '', ...args] = enter(dir, user, command);
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      t.teardown(() => child.kill('SIGKILL'));
      return child;
    },
    put: (path, content) => {
      mkdirSync(join(dir, dirname(path)), { recursive: true });
      writeFileSync(join(dir, path), content);
      return path;
    },
  };
}

/** A machine with apt and nothing published for it, in the network of this one. */
export async function debianRoot(t: Teardown): Promise<DebianRoot> {
  return inRoot(t, await unpackRoot(t), entering);
}

export type LoneMachine = DebianRoot & {
  /** Runs a program of this machine in that one's network, with its names and its authorities, to its end. */
  readonly beside: (...command: string[]) => Promise<Outcome>;
};

const trusting = 'for path in hosts ssl/certs; do mount --bind "$0/etc/$path" "/etc/$path"; done; exec "$@"';

/** The same with a network of its own, where every port is free, and processes that all end with the test. */
export async function loneMachine(t: Teardown): Promise<LoneMachine> {
  const dir = await unpackRoot(t);
  const script =
    'read -r pid rest </proc/self/stat; ip link set lo up; mount -t proc proc "$0/proc"; echo "$pid"; exec sleep infinity';
  const holder = spawn(
    'unshare',
    ['--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-ec', script, dir],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(async () => {
    holder.kill('SIGKILL');
    if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
  });
  const [said] = (await Promise.race([
    once(holder.stdout, 'data'),
    once(holder, 'exit').then(([code]) => Promise.reject(new Error(`unshare ended with ${code}`))),
  ])) as [Buffer];
  const pid = said.toString().trim();
  return {
    ...inRoot(t, dir, joining(pid)),
    beside: async (...command) => {
      const enter = ['--target', pid, '--net', 'unshare', '--mount', 'sh', '-ec', trusting, dir];
      const { code, stdout, stderr } = await run('nsenter', [...enter, ...command]);
      return { code, output: stdout + stderr };
    },
  };
}
