/** Every rpm package of the corpus in one channel: what clients read there is what rpm's tools read in the files. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import type { Test } from 'tap';
import { packageDocuments, parseRepomd } from '../../src/formats/yum/repomd.ts';
import { parseRpm } from '../../src/formats/yum/rpm.ts';
import type { RpmPackage } from '../../src/formats/yum/rpm.ts';
import { inChunks } from '../build-deb.ts';
import { unlessInstalled } from '../clients.ts';
import { corpusDir, unlessCorpus } from '../corpus.ts';
import { compareDocuments, createrepo, xmlFaults, type Documents } from '../formats/yum/oracle.ts';
import { run } from '../run.ts';
import { startInProcess, temporaryDir, type TestServer } from '../server.ts';
import { complaints, dnfMachine, dnfRoot } from './dnf-root.ts';
import { download, onDisk, unlessRoot } from './roots.ts';
import { allIsWell, checkSignatures } from './rpm-database.ts';
import { uploadCorpus } from './uploaded-corpus.ts';

const skip =
  unlessCorpus || unlessRoot || unlessInstalled('rpm', 'rpmkeys', 'createrepo_c', 'dnf', 'gpgv', 'xmllint');
t.setTimeout(300_000);
const channel = '/yum/main/stable-rpm';

/** The three documents as they are served, each held against the digests in repomd.xml. */
async function readDocuments(t: Test, server: TestServer): Promise<Documents> {
  const { records } = parseRepomd((await download(server, `${channel}/repodata/repomd.xml`)).toString());
  const read = async (kind: string): Promise<string> => {
    const record = records.find(({ type }) => type === kind)!;
    const bytes = await download(server, `${channel}/${record.location}`);
    t.equal(createHash('sha256').update(bytes).digest('hex'), record.sha256, kind);
    const plain = gunzipSync(bytes);
    t.equal(createHash('sha256').update(plain).digest('hex'), record.openSha256, `${kind}, open`);
    t.same([bytes.length, plain.length], [record.sizeBytes, record.openSizeBytes], `${kind}, sizes`);
    return plain.toString();
  };
  return { primary: await read('primary'), filelists: await read('filelists'), other: await read('other') };
}

void t.test('the corpus of rpm packages', { skip }, async (t) => {
  const server = await startInProcess(t);
  const uploaded = await uploadCorpus(t, server, 'yum', 'stable-rpm');
  const served = new Map<string, { path: string; rpm: RpmPackage }>();
  for (const { receipt } of uploaded) {
    const path = onDisk(server, new URL(receipt.url).pathname);
    served.set(receipt.package.sha256, { path, rpm: await parseRpm(inChunks(readFileSync(path), [65_536])) });
  }
  const paths = [...served.values()].map(({ path }) => path);

  await t.test('files are served with another signature header and nothing else changed', async (t) => {
    const rows = await server.app.db
      .selectFrom('packages')
      .select(['uploaded_sha256', 'signature_header'])
      .execute();
    const heads = new Map(rows.map((row) => [row.uploaded_sha256, row.signature_header]));
    for (const { path, receipt } of uploaded) {
      const bytes = await download(server, new URL(receipt.url).pathname);
      const { sha256, uploadedSha256 } = receipt.package;
      t.equal(createHash('sha256').update(bytes).digest('hex'), sha256, path);
      const head = Buffer.from(heads.get(uploadedSha256) ?? '', 'base64');
      const core = bytes.subarray(served.get(sha256)!.rpm.headerStart);
      t.ok(Buffer.concat([head, core]).equals(readFileSync(path)), `${path} can be made again`);
    }
  });

  await t.test('rpm accepts the signatures of every package', async (t) => {
    const verdicts = await checkSignatures(t, server, paths);
    for (const path of paths) t.equal(verdicts.get(path), allIsWell, path);
  });

  await t.test('rpm accepts its own records of them once they are installed', async (t) => {
    const root = dnfRoot(t);
    const key = join(root.dir, 'main.asc');
    writeFileSync(key, await download(server, '/keys/main.asc'));
    t.equal((await root.rpm('--import', key)).code, 0);
    const binary = paths.filter((path) => !/\.(no)?src\.rpm$/.test(path));
    const lenient = ['nodeps', 'force', 'ignorearch', 'ignoreos', 'noscripts', 'notriggers', 'justdb'];
    const installed = await root.rpm(
      '-i',
      ...lenient.map((name) => `--${name}`),
      '--force-debian',
      ...binary,
    );
    t.equal(installed.code, 0);
    const { output } = await root.rpm('-qa', '--qf', '%{NVRA}\n');
    t.notMatch(output, /^error:|: BAD$/m);
    const names = output.split('\n').filter((line) => line !== '' && !line.startsWith('gpg-pubkey-'));
    // A few make others obsolete.
    t.ok(names.length > binary.length * 0.95, `${names.length} of ${binary.length} installed`);
  });

  const ours = await readDocuments(t, server);
  await t.test('the indexes say what createrepo_c reads in the files', (t) => {
    const root = onDisk(server, channel);
    const pool = onDisk(server, '/yum/main/pool');
    const linked = paths.map((path) => path.replace(pool, `${root}/packages`));
    const theirs = createrepo(root, linked, temporaryDir(t));
    // The time of the file is that of its build, so that the same package gives the same entry everywhere.
    for (const [, file, build] of ours.primary.matchAll(/<time file="(\d+)" build="(\d+)"\/>/g))
      if (file !== build) t.equal(file, build);
    const withoutTime = (text: string): string => text.replaceAll(/<time file="\d+"/g, '<time');
    const packages = [...served].map(([pkgid, { rpm }]) => ({ pkgid, rpm }));
    t.same(
      compareDocuments(
        packages,
        { ...ours, primary: withoutTime(ours.primary) },
        { ...theirs, primary: withoutTime(theirs.primary) },
      ),
      [],
    );
    t.end();
  });

  await t.test('the documents are well formed, valid, and read by libsolv', async (t) => {
    const dir = temporaryDir(t);
    // The schema knows no architecture of that name, which one package of the corpus has.
    const known = (text: string): string => text.replaceAll('somearch', 'noarch');
    for (const kind of packageDocuments) {
      t.equal(xmlFaults(ours[kind]), '', kind);
      writeFileSync(join(dir, kind), known(ours[kind]));
      const schema = join(corpusDir, 'reference/schema', `${kind}.rng`);
      const valid = await run('xmllint', ['--huge', '--noout', '--relaxng', schema, join(dir, kind)]);
      t.equal(valid.code, 0, `${kind}: ${valid.stderr.slice(0, 1000)}`);
    }
    const { code, stdout, stderr } = await run('rpmmd2solv', [], ours.primary);
    t.equal(code, 0, stderr);
    t.ok(stdout.length > 10_000, `${stdout.length}`);
    t.equal(xmlFaults((await download(server, `${channel}/repodata/repomd.xml`)).toString()), '');
  });

  await t.test('dnf lists every package', async (t) => {
    const root = await dnfMachine(t, server);
    const makecache = await root.dnf('makecache');
    t.equal(makecache.code, 0, makecache.output);
    t.same(complaints(root, makecache), []);
    const { output } = await root.dnf(
      '-q',
      'repoquery',
      '--qf',
      '=%{name} %{epoch}:%{version}-%{release} %{arch}',
    );
    const listed = output.split('\n').flatMap((line) => (line.startsWith('=') ? [line.slice(1)] : []));
    const expected = uploaded.map(
      ({
        receipt: {
          package: { name, version, architecture },
        },
      }) => [name, version, architecture].join(' '),
    );
    // In metadata every source package is `src`: what has no sources differs in its file name alone.
    t.same(listed.sort(), expected.map((line) => line.replace(/ nosrc$/, ' src')).sort());
  });

  await t.test('dnf knows the files of every package', async (t) => {
    const root = await dnfMachine(t, server);
    const { output } = await root.dnf('-q', 'repoquery', '--list');
    const listed = new Set(output.split('\n').filter((line) => line.startsWith('/')));
    const expected = new Set(
      [...served.values()].flatMap(({ rpm }) => rpm.facts.files.map(({ path }) => path)),
    );
    const missing = [...expected].filter((path) => path.startsWith('/') && !listed.has(path));
    t.same(missing, []);
    t.ok(expected.size > 10_000, `${expected.size} files`);
  });

  await t.test('gpgv accepts the signature', async (t) => {
    const dir = temporaryDir(t);
    writeFileSync(join(dir, 'main.gpg'), await download(server, '/keys/main.gpg'));
    const [signature, text] = ['repomd.xml.asc', 'repomd.xml'].map((name) =>
      onDisk(server, `${channel}/repodata/${name}`),
    ) as [string, string];
    const { code, stderr } = await run('gpgv', ['--keyring', join(dir, 'main.gpg'), signature, text]);
    t.equal(code, 0, stderr);
  });
});
