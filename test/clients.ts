import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The real programs that tests hold the server against, and the Debian package each comes from. */
export const clients = {
  'apt-file': 'apt-file',
  'apt-ftparchive': 'apt-utils',
  'apt-get': 'apt',
  bzip2: 'bzip2',
  chromium: 'chromium',
  createrepo_c: 'createrepo-c',
  curl: 'curl',
  dnf: 'dnf',
  'dpkg-deb': 'dpkg',
  gpg: 'gpg',
  gpgv: 'gpgv',
  gzip: 'gzip',
  ip: 'iproute2',
  mmdebstrap: 'mmdebstrap',
  nginx: 'nginx-light',
  openssl: 'openssl',
  pgbouncer: 'pgbouncer',
  python3: 'python3',
  rpm: 'rpm',
  rpm2archive: 'rpm2cpio',
  rpmkeys: 'rpm',
  rpmsign: 'rpm',
  rpmmd2solv: 'libsolv-tools',
  sqv: 'sqv',
  strace: 'strace',
  'systemd-analyze': 'systemd',
  xmllint: 'libxml2-utils',
  xz: 'xz-utils',
  zstd: 'zstd',
  zypper: 'zypper',
} as const;

export type Client = keyof typeof clients;

function installed(name: string): boolean {
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return dirs.some((dir) => existsSync(join(dir, name)));
}

/**
 * For tap's `skip` option: `false` when all of these clients are here, else the reason, by name.
 * With CI=true a missing client is a failure: a check that is skipped where it counts shows nothing.
 */
export function unlessInstalled(...names: Client[]): string | false {
  const missing = names.filter((name) => !installed(name));
  if (missing.length === 0) return false;
  const packages = [...new Set(missing.map((name) => clients[name]))].join(' ');
  const reason = `${missing.join(', ')} not installed (Debian: apt-get install ${packages})`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}
