import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDir, type TestServer } from '../server.ts';
import { download, runClient, type Outcome } from './roots.ts';

/** A machine with nothing but rpm and dnf: no packages, no keys. */
export type DnfRoot = {
  readonly dir: string;
  /** Writes the one file of yum.repos.d. */
  readonly writeRepo: (text: string) => void;
  /** Runs dnf and gives it yes for an answer. */
  readonly dnf: (...args: string[]) => Promise<Outcome>;
  /** Runs rpm, or a program of its family, on the machine's database. */
  readonly rpm: (...args: string[]) => Promise<Outcome>;
  /** The bytes of an installed file, as text; null when it is not there. */
  readonly read: (path: string) => string | null;
  /** What rpm has installed as `name-epoch:version-release.arch`, sorted. */
  readonly installed: () => Promise<string[]>;
  /** What dnf and its libraries wrote into their logs since the start, or since `forgetLogs`. */
  readonly logs: () => string;
  readonly forgetLogs: () => void;
};

const logFiles = ['dnf.log', 'dnf.librepo.log', 'dnf.rpm.log', 'hawkey.log'].map((name) => `var/log/${name}`);

type Teardown = { readonly teardown: (work: () => unknown) => void };

export function dnfRoot(t: Teardown): DnfRoot {
  const dir = temporaryDir(t, 'entrepot-dnf-');
  mkdirSync(join(dir, 'etc/yum.repos.d'), { recursive: true });
  mkdirSync(join(dir, 'etc/dnf'), { recursive: true });
  writeFileSync(join(dir, 'etc/dnf/dnf.conf'), '[main]\ngpgcheck=1\n');
  const rpm = (...args: string[]): Promise<Outcome> => runClient({}, 'rpm', ['--root', dir, ...args]);
  const read = (path: string): string | null =>
    existsSync(join(dir, path)) ? readFileSync(join(dir, path), 'utf8') : null;
  return {
    dir,
    writeRepo: (text) => writeFileSync(join(dir, 'etc/yum.repos.d/test.repo'), text),
    dnf: (...args) => runClient({}, 'dnf', ['-y', '--installroot', dir, '--releasever', '1', ...args]),
    rpm,
    read,
    installed: async () => {
      const { output } = await rpm('-qa', '--qf', '%{NEVRA}\n');
      return output
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('gpg-pubkey-'))
        .sort();
    },
    logs: () => logFiles.map((name) => read(name) ?? '').join(''),
    forgetLogs: () => logFiles.forEach((name) => rmSync(join(dir, name), { force: true })),
  };
}

/** A machine with the `.repo` file that the server gives out, changed by `edit` if at all. */
export async function dnfMachine(
  t: Teardown,
  server: TestServer,
  edit: (repo: string) => string = (repo) => repo,
): Promise<DnfRoot> {
  const root = dnfRoot(t);
  root.writeRepo(edit((await download(server, '/setup/main/stable-rpm.repo')).toString()));
  return root;
}

/** The `.repo` file for clients that know no metalink, as the comment in it says. */
export const byBaseUrl = (repo: string): string =>
  repo.replace(/^# Without metalink support: (baseurl=.*)\n/m, '').replace(/^metalink=.*$/m, baseUrlOf(repo));

const baseUrlOf = (repo: string): string =>
  /^# Without metalink support: (baseurl=.*)$/m.exec(repo)?.[1] ?? 'the comment is gone';

/**
 * What dnf says when something is not as it should be, on the terminal and in its logs. The key is asked about as
 * it should be, and comes unencrypted from the servers of tests.
 */
export function complaints(root: DnfRoot, { output }: Outcome): string[] {
  const expected = /Importing GPG key|retrieving repo key for \S+ unencrypted/;
  const lines = [
    ...output.split('\n').filter((line) => /warn|error|fail|invalid|unknown|mismatch|cannot/i.test(line)),
    ...root
      .logs()
      .split('\n')
      .filter((line) => /^\S+ (WARN|WARNING|ERROR|CRITICAL) /.test(line)),
  ].filter((line) => !expected.test(line));
  return [...new Set(lines)];
}
