/** The data directory: there, whole, and its owner's alone. */
import { readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { fault, good, warning, type Check, type Told } from '../finding.ts';
import type { ServerContext } from './context.ts';

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');

/** What nobody but the server may read, by how its name begins. */
const secretNames = /^(?:catalog\.db|keys$|admin-token$)/;

function checkEntry(path: string, stat: Stats, owner: number, isSecret: boolean): Told[] {
  const told: Told[] = [];
  if (stat.uid !== owner)
    told.push(
      fault(
        path,
        `It belongs to the user ${stat.uid}, and the data directory to ${owner}.`,
        `Run "chown -R ${owner} ${path}": a command was run as another user.`,
      ),
    );
  if ((stat.mode & 0o022) !== 0)
    told.push(
      fault(
        path,
        `Others may write to it (mode ${octal(stat.mode)}).`,
        `Run "chmod go-w ${path}": whoever writes there decides what machines install.`,
      ),
    );
  else if (isSecret && (stat.mode & 0o077) !== 0)
    told.push(
      warning(
        path,
        `Others may read it (mode ${octal(stat.mode)}).`,
        `Run "chmod go-rwx ${path}"; signing keys that others have read are to be replaced.`,
      ),
    );
  return told;
}

export const dataDirectory: Check<ServerContext> = {
  name: 'data directory',
  run: ({ config: { dataDir, keysDir, role }, uid }) => {
    // A node that only reads keeps nothing.
    if (role === 'read') return [];
    const stat = statSync(dataDir, { throwIfNoEntry: false });
    if (!stat?.isDirectory())
      return [
        fault(dataDir, 'There is no such directory.', 'Start the server once, or set data in the settings.'),
      ];
    const owner = stat.uid;
    const told = checkEntry(dataDir, stat, owner, false);
    if (uid !== undefined && uid !== 0 && uid !== owner)
      told.push(
        fault(
          dataDir,
          `It belongs to the user ${owner}, and this is the user ${uid}.`,
          'Run the server and its commands as the user that owns the data.',
        ),
      );
    const names = readdirSync(dataDir).map((name) => ({ path: join(dataDir, name), name }));
    const keys = statSync(keysDir, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(keysDir) : [];
    const entries = [
      ...names.map(({ path, name }) => ({ path, isSecret: secretNames.test(name) })),
      ...keys.map((name) => ({ path: join(keysDir, name), isSecret: true })),
    ];
    for (const { path, isSecret } of entries) {
      // A file that is gone meanwhile, as a log of the catalog, is nobody's fault.
      const found = statSync(path, { throwIfNoEntry: false });
      if (found) told.push(...checkEntry(path, found, owner, isSecret));
    }
    return told.length > 0 ? told : [good(dataDir, `It belongs to the user ${owner}, and to nobody else.`)];
  },
};
