/** Every Debian package of the corpus in one channel: what apt reads there is what apt's own tools read in the files. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { parseStanza } from '../../src/formats/apt/control.ts';
import { jsonOf } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { unlessCorpus } from '../corpus.ts';
import { parseContents } from '../formats/apt/contents-text.ts';
import { run } from '../run.ts';
import { startInProcess, temporaryDir } from '../server.ts';
import { aptMachine, complaints } from './apt-root.ts';
import { download, onDisk } from './roots.ts';
import { uploadCorpus } from './uploaded-corpus.ts';

const skip = unlessCorpus || unlessInstalled('apt-get', 'apt-ftparchive', 'gpgv');
t.setTimeout(300_000);

/** Stanzas by the file that they name. `apt-cache show` makes up a digest of the description, which no file has. */
function readStanzas(text: string): Map<string, string> {
  const stanzas = new Map<string, string>();
  for (const part of text.split(/\n\n+/).filter((stanza) => stanza.trim() !== '')) {
    const fields = parseStanza(Buffer.from(`${part.replace(/^\n+/, '')}\n`), 'Packages');
    const file = fields.find(({ name }) => name === 'Filename')?.value ?? '';
    const own = fields.filter(({ name }) => name !== 'Description-md5');
    stanzas.set(file, own.map(({ name, value }) => `${name}: ${value}`).join('\n'));
  }
  return stanzas;
}

void t.test('the corpus of Debian packages', { skip }, async (t) => {
  const server = await startInProcess(t);
  const settings = { method: 'PUT', body: JSON.stringify({ format: 'apt', contents: true }) };
  await jsonOf(await server.api('/api/v1/repositories/main/channels/stable', settings));
  const uploaded = await uploadCorpus(t, server, 'apt', 'stable');
  const channel = (await (await server.api('/api/v1/repositories/main/channels/stable')).json()) as {
    architectures: string[];
  };
  const native = ['amd64', ...channel.architectures.filter((name) => name !== 'amd64')];
  const root = await aptMachine(t, server, undefined, native);
  const outcome = await root.update();
  t.equal(outcome.code, 0, outcome.output);
  t.same(complaints(outcome), [
    // Its control file says "Provides: pkg-virtual-bogus (>= 1.0)".
    'W: Ignoring non-equal Provides for package pkg-virtual-bogus in pkg-provides-bogus:all=0',
  ]);

  await t.test('files are served as they were uploaded', async (t) => {
    for (const { path, receipt } of uploaded) {
      const bytes = await download(server, new URL(receipt.url).pathname);
      t.ok(bytes.equals(readFileSync(path)), path);
    }
  });

  const switches = ['SHA1', 'SHA512'].flatMap((name) => ['-o', `APT::FTPArchive::${name}=false`]);
  const script = 'cd "$0" && exec apt-ftparchive "$@"';
  const oracle = await run('sh', ['-c', script, onDisk(server, 'apt/main'), ...switches, 'packages', 'pool']);
  const expected = readStanzas(oracle.stdout);

  await t.test('apt knows every package with the fields that apt-ftparchive reads in its file', async (t) => {
    t.equal(expected.size, uploaded.length);
    const names = new Set(
      uploaded.map(
        ({
          receipt: {
            package: { name, architecture },
          },
        }) => (architecture === 'all' ? name : `${name}:${architecture}`),
      ),
    );
    const shown = readStanzas((await root.cache('show', '--all-versions', ...names)).output);
    t.same([...shown.keys()].sort(), [...expected.keys()].sort());
    // It prints descriptions in a form of its own; the next test has them as they are.
    const withoutDescription = (stanza = ''): string =>
      stanza.replace(/^Description: [^]*?(?=^\S|$(?![^]))/m, '');
    for (const [file, stanza] of expected)
      t.equal(withoutDescription(shown.get(file)), withoutDescription(stanza), file);
  });

  await t.test('what apt would install is as apt-ftparchive has it', async (t) => {
    const available = readStanzas((await root.cache('dumpavail')).output);
    t.comment(`${available.size} packages available`);
    t.ok(available.size > 100);
    for (const [file, stanza] of available) t.equal(stanza, expected.get(file), file);
  });

  await t.test('Contents have each path with the packages that apt-ftparchive finds it in', async (t) => {
    const { stdout } = await run('sh', ['-c', script, onDisk(server, 'apt/main'), 'contents', 'pool']);
    const indexes = await Promise.all(
      [...channel.architectures, 'all'].map(async (architecture) =>
        gunzipSync(
          await download(server, `/apt/main/dists/stable/main/Contents-${architecture}.gz`),
        ).toString(),
      ),
    );
    // It takes no section from the files, and reads no prefix of ustar headers, which one package has.
    const pairs = (text: string): string[] =>
      parseContents(text).flatMap(({ path, packages }) =>
        packages
          .map((name) => name.replace(/^.*\//, ''))
          .filter((name) => name !== 'tar-ustar')
          .map((name) => `${path} ${name}`),
      );
    const [ours, theirs] = [new Set(indexes.flatMap(pairs)), new Set(pairs(stdout))];
    t.comment(`${theirs.size} paths of packages`);
    t.ok(theirs.size > 40_000);
    t.same([...ours.difference(theirs)], [], 'ours alone');
    t.same([...theirs.difference(ours)], [], 'theirs alone');
  });

  await t.test('gpgv accepts the signature', async (t) => {
    const dir = temporaryDir(t);
    writeFileSync(join(dir, 'main.gpg'), await download(server, '/keys/main.gpg'));
    const inRelease = onDisk(server, 'apt/main/dists/stable/InRelease');
    const { code, stderr } = await run('gpgv', ['--keyring', join(dir, 'main.gpg'), inRelease]);
    t.equal(code, 0, stderr);
  });
});
