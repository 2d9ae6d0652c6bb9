import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDir, type TestServer } from '../server.ts';
import { download, runClient, type Outcome } from './roots.ts';

/** A machine with nothing but apt and dpkg: no packages, no lists, no keys but those of its sources. */
export type AptRoot = {
  readonly dir: string;
  /** Writes a file of sources.list.d. */
  readonly writeSources: (text: string) => void;
  /** Runs `apt-get` and gives it yes for an answer. */
  readonly apt: (...args: string[]) => Promise<Outcome>;
  readonly update: (...options: string[]) => Promise<Outcome>;
  readonly cache: (...args: string[]) => Promise<Outcome>;
  readonly aptFile: (...args: string[]) => Promise<Outcome>;
  /** The bytes of an installed file, as text; null when it is not there. */
  readonly read: (path: string) => string | null;
  /** What dpkg has installed: `name version architecture`, sorted. */
  readonly installed: () => Promise<string[]>;
};

const folders = [
  'etc/apt/apt.conf.d',
  'etc/apt/auth.conf.d',
  'etc/apt/preferences.d',
  'etc/apt/sources.list.d',
  'etc/apt/trusted.gpg.d',
  'tmp',
  'var/cache/apt/archives/partial',
  'var/lib/apt/lists/partial',
  'var/lib/dpkg/info',
  'var/lib/dpkg/triggers',
  'var/lib/dpkg/updates',
  'var/log/apt',
];

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** `architectures`: the machine's own first, then the foreign ones. */
export function aptRoot(t: Teardown, architectures: readonly string[] = ['amd64']): AptRoot {
  const dir = temporaryDir(t, 'entrepot-apt-');
  for (const folder of folders) mkdirSync(join(dir, folder), { recursive: true });
  writeFileSync(join(dir, 'var/lib/dpkg/status'), '');
  writeFileSync(
    join(dir, 'apt.conf'),
    `Dir "${dir}/";
Dir::State::status "${dir}/var/lib/dpkg/status";
APT::Architecture "${architectures[0]}";
APT::Architectures { ${architectures.map((name) => `"${name}"; `).join('')}};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
DPkg::Options { "--root=${dir}"; "--log=${dir}/var/log/dpkg.log"; "--force-script-chrootless"; };
`,
  );
  // Read before all else: with this Dir, nothing of the machine's own configuration is. apt leaves keys in TMPDIR.
  const variables = { APT_CONFIG: join(dir, 'apt.conf'), TMPDIR: join(dir, 'tmp') };
  const apt = (...args: string[]): Promise<Outcome> => runClient(variables, 'apt-get', ['-y', ...args]);
  return {
    dir,
    writeSources: (text) => writeFileSync(join(dir, 'etc/apt/sources.list.d/test.sources'), text),
    apt,
    update: (...options) => apt('update', ...options.flatMap((option) => ['-o', option])),
    cache: (...args) => runClient(variables, 'apt-cache', args),
    aptFile: (...args) => runClient(variables, 'apt-file', args),
    read: (path) => (existsSync(join(dir, path)) ? readFileSync(join(dir, path), 'utf8') : null),
    installed: async () => {
      const args = [`--admindir=${dir}/var/lib/dpkg`, '-W', '-f', '${Package} ${Version} ${Architecture}\n'];
      const { output } = await runClient({}, 'dpkg-query', args);
      return output
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('dpkg-query: no packages'))
        .sort();
    },
  };
}

/** A machine with the `.sources` file that the server gives out, changed by `edit` if at all. */
export async function aptMachine(
  t: Teardown,
  server: TestServer,
  edit: (sources: string) => string = (sources) => sources,
  architectures?: readonly string[],
): Promise<AptRoot> {
  const root = aptRoot(t, architectures);
  root.writeSources(edit((await download(server, '/setup/main/stable.sources')).toString()));
  return root;
}

/** What apt says when something is not as it should be, and its notes. */
export const complaints = ({ output }: Outcome): string[] =>
  output.split('\n').filter((line) => /^[WEN]: /.test(line));
