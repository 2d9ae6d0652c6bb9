import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDir, type TestServer } from '../server.ts';
import { download, runClient, type Outcome } from './roots.ts';

/** A machine with nothing but rpm and zypper: no packages, no keys. */
export type ZypperRoot = {
  readonly dir: string;
  /** Writes the one file of repos.d. */
  readonly writeRepo: (text: string) => void;
  /** Runs zypper and takes the default for an answer; new keys are imported. */
  readonly zypper: (...args: string[]) => Promise<Outcome>;
  readonly rpm: (...args: string[]) => Promise<Outcome>;
  /** The bytes of an installed file, as text; null when it is not there. */
  readonly read: (path: string) => string | null;
  /** What rpm has installed as `name-epoch:version-release.arch`, sorted. */
  readonly installed: () => Promise<string[]>;
};

type Teardown = { readonly teardown: (work: () => unknown) => void };

export function zypperRoot(t: Teardown): ZypperRoot {
  const dir = temporaryDir(t, 'entrepot-zypper-');
  mkdirSync(join(dir, 'etc/zypp/repos.d'), { recursive: true });
  // zypper asks once in ten minutes whether there is news; here there is some at once.
  writeFileSync(join(dir, 'zypp.conf'), '[main]\nrepo.refresh.delay = 0\n');
  const variables = {
    ZYPP_CONF: join(dir, 'zypp.conf'),
    ZYPP_LOGFILE: join(dir, 'zypper.log'),
  };
  const rpm = (...args: string[]): Promise<Outcome> => runClient(variables, 'rpm', ['--root', dir, ...args]);
  return {
    dir,
    writeRepo: (text) => writeFileSync(join(dir, 'etc/zypp/repos.d/test.repo'), text),
    zypper: (...args) =>
      runClient(variables, 'zypper', ['--root', dir, '--non-interactive', '--gpg-auto-import-keys', ...args]),
    rpm,
    read: (path) => (existsSync(join(dir, path)) ? readFileSync(join(dir, path), 'utf8') : null),
    installed: async () => {
      const { output } = await rpm('-qa', '--qf', '%{NEVRA}\n');
      return output
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('gpg-pubkey-'))
        .sort();
    },
  };
}

/** A machine with the `.repo` file that the server gives out, changed by `edit` if at all. */
export async function zypperMachine(
  t: Teardown,
  server: TestServer,
  edit: (repo: string) => string = (repo) => repo,
): Promise<ZypperRoot> {
  const root = zypperRoot(t);
  root.writeRepo(edit((await download(server, '/setup/main/stable-rpm.repo')).toString()));
  return root;
}

/**
 * What zypper says when something is not as it should be. Debian's rpm says at every installation that it is not
 * to be used, and without a download in advance zypper cannot look for conflicts of files.
 */
export function complaints({ output }: Outcome): string[] {
  const expected = /excluded from file conflicts check/;
  return output
    .split('\n')
    .filter((line) => /warn|error|fail|invalid|unknown|mismatch|unsigned|cannot|problem/i.test(line))
    .filter((line) => !expected.test(line));
}
