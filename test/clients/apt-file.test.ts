/** What apt and apt-file make of Contents: fetched by hash, kept, and searched. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { jsonOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { unlessInstalled } from '../clients.ts';
import { startInProcess, type TestServer } from '../server.ts';
import { aptMachine, complaints } from './apt-root.ts';
import { unlessRoot, upload, yank } from './roots.ts';

t.setTimeout(240_000);
const skip = unlessInstalled('apt-get', 'apt-file', 'gpgv') || unlessRoot;

/** With which apt-file's Debian package tells apt what to fetch. */
const targets = 'etc/apt/apt.conf.d/50apt-file.conf';

type Identity = { readonly name: string; readonly version: string; readonly architecture: string };

function publish(
  server: TestServer,
  { name, version, architecture }: Identity,
  paths: string[],
): Promise<string> {
  const control = { Package: name, Version: version, Architecture: architecture, Section: 'utils' };
  const files = paths.map((path) => ({ path, data: `${name} ${version}` }));
  return upload(server, 'stable', 'upload.deb', buildDeb({ control, files }));
}

void t.test('apt-file finds the package of a path', { skip }, async (t) => {
  const server = await startInProcess(t);
  const settings = { method: 'PUT', body: JSON.stringify({ format: 'apt', contents: true }) };
  await jsonOf(await server.api('/api/v1/repositories/main/channels/stable', settings));
  const root = await aptMachine(t, server);
  copyFileSync(`/${targets}`, join(root.dir, targets));
  /** What apt asks for. */
  const update = async (what: string): Promise<string[]> => {
    const outcome = await root.update('Debug::Acquire::http=true');
    t.equal(outcome.code, 0, `${what}: ${outcome.output}`);
    t.same(complaints(outcome), [], what);
    return [...outcome.output.matchAll(/^GET (\S+) HTTP/gm)].map(([, path = '']) => path);
  };
  const search = async (...args: string[]): Promise<string[]> =>
    (await root.aptFile(...args)).output.split('\n').filter(Boolean).sort();

  await update('an empty channel');
  const hello = { name: 'hello', version: '1.0-1', architecture: 'amd64' };
  await publish(server, hello, ['usr/bin/hello', 'usr/share/doc/hello/a b']);
  await publish(server, { ...hello, version: '2.0-1' }, ['usr/bin/hello', 'usr/bin/größe']);
  await publish(server, { ...hello, name: 'words', architecture: 'all' }, ['usr/share/words/list']);
  await publish(server, { ...hello, name: 'elsewhere', architecture: 'arm64' }, ['usr/bin/elsewhere']);
  const asked = await update('with packages');
  const byHash = /^\/apt\/main\/dists\/stable\/main\/by-hash\/SHA256\/[0-9a-f]{64}$/;
  t.equal(asked.filter((path) => byHash.test(path)).length, 2, 'Contents of amd64 and of all, by hash');
  t.equal(asked.filter((path) => path.includes('Contents')).length, 0, 'and not by name');

  t.same(await search('search', 'bin/hello'), ['hello: /usr/bin/hello'], 'one line for two versions');
  t.same(await search('search', 'words/list'), ['words: /usr/share/words/list'], 'for all architectures');
  t.same(await search('search', 'bin/elsewhere'), [], 'for another architecture');
  t.same(await search('list', '--fixed-string', 'hello'), [
    'hello: /usr/bin/größe',
    'hello: /usr/bin/hello',
    'hello: /usr/share/doc/hello/a b',
  ]);

  await yank(server, 'stable', { ...hello, version: '2.0-1' });
  await update('after a yank');
  t.same(await search('search', 'größe'), []);
  t.same(await search('search', 'bin/hello'), ['hello: /usr/bin/hello']);
  t.same(await update('again'), ['/apt/main/dists/stable/InRelease'], 'which asks for nothing new');
});
