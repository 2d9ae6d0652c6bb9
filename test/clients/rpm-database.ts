import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { run } from '../run.ts';
import { temporaryDir, type TestServer } from '../server.ts';
import { download } from './roots.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };

/**
 * What `rpmkeys -K` says of these files with the key that the server gives out and no other, when it asks for
 * digests and signatures of header and payload, as rpm 6 does: by path.
 */
export async function checkSignatures(
  t: Teardown,
  server: TestServer,
  paths: readonly string[],
): Promise<Map<string, string>> {
  const database = temporaryDir(t, 'entrepot-rpm-');
  const key = join(database, 'main.asc');
  await writeFile(key, await download(server, '/keys/main.asc'));
  const imported = await run('rpmkeys', ['--dbpath', database, '--import', key]);
  if (imported.code !== 0) throw new Error(imported.stderr);
  const options = ['--dbpath', database, '--define', '_pkgverify_level all'];
  const { stdout } = await run('rpmkeys', [...options, '-K', ...paths]);
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.lastIndexOf(': ')), line.slice(line.lastIndexOf(': ') + 2)]),
  );
}

export const allIsWell = 'digests signatures OK';
