/** The corpus in every compressed form: each client reads each form to its end. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { parseRepomd } from '../../src/formats/yum/repomd.ts';
import { jsonOf } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { unlessCorpus } from '../corpus.ts';
import { run } from '../run.ts';
import { releaseFields, releaseFiles } from '../served.ts';
import { startInProcess, temporaryDir, type InProcess } from '../server.ts';
import { apt3Root, unlessApt3 } from './apt3-root.ts';
import { aptMachine } from './apt-root.ts';
import { dnfMachine } from './dnf-root.ts';
import { download, onDisk, unlessRoot, type Outcome } from './roots.ts';
import { uploadCorpus } from './uploaded-corpus.ts';
import { zypperMachine } from './zypper-root.ts';

t.setTimeout(600_000);

async function setForms(server: InProcess, channel: string, format: string, forms: string[]): Promise<void> {
  const body = JSON.stringify({ format, compressions: forms });
  await jsonOf(await server.api(`/api/v1/repositories/main/channels/${channel}`, { method: 'PUT', body }));
}

const programs = { gz: ['gzip', 'gzip'], zst: ['zstd', 'zstd'], xz: ['xz', 'lzma'] } as const;
type Extension = keyof typeof programs;

/** Holds a form against the plain text: by its own program, and by Python where that knows it. */
async function checkForm(t: Test, path: string, extension: Extension, text: Buffer): Promise<void> {
  const [program, module] = programs[extension];
  const tested = await run(program, ['-q', '-t', path]);
  t.equal(tested.code, 0, `${program} -t: ${tested.stderr}`);
  const digest = createHash('sha256').update(text).digest('hex');
  const unpacked = await run('sh', ['-c', `${program} -dc "$0" | sha256sum`, path]);
  t.equal(unpacked.stdout.split(' ')[0], digest, program);
  if (extension === 'zst') return;
  const script = `import sys,hashlib,${module}\nprint(hashlib.sha256(${module}.open(sys.argv[1]).read()).hexdigest())`;
  t.equal((await run('python3', ['-c', script, path])).stdout.trim(), digest, `Python's ${module}`);
}

const skipApt = unlessCorpus || unlessInstalled('gzip', 'python3', 'xz', 'zstd') || unlessApt3;

void t.test('apt 2.6 and apt 3 read every form of the corpus', { skip: skipApt }, async (t) => {
  const server = await startInProcess(t);
  await setForms(server, 'stable', 'apt', ['gzip', 'zstd', 'xz']);
  const uploaded = await uploadCorpus(t, server, 'apt', 'stable');
  const root = '/apt/main/dists/stable';
  const release = (await download(server, `${root}/InRelease`)).toString();
  const files = releaseFiles(releaseFields(release));
  const folder = 'main/binary-amd64';
  const text = await download(server, `${root}/${folder}/Packages`);
  t.ok(text.toString().split('\nFilename: ').length > 100, `of ${uploaded.length} packages`);

  const dir = temporaryDir(t);
  for (const path of [...files.keys()].filter((name) => name.endsWith('/Packages')))
    for (const extension of ['gz', 'zst', 'xz'] as const) {
      const local = join(dir, `${path.replaceAll('/', '_')}.${extension}`);
      writeFileSync(local, await download(server, `${root}/${path}.${extension}`));
      await checkForm(t, local, extension, await download(server, `${root}/${path}`));
    }

  const sources = (await download(server, '/setup/main/stable.sources')).toString();
  const reads = async (
    name: string,
    machine: { readonly dir: string; readonly apt: (...args: string[]) => Promise<Outcome> },
    extension: Extension,
  ): Promise<void> => {
    const order = { gz: 'gz', zst: 'zst', xz: 'xz' }[extension];
    const outcome = await machine.apt('update', '-o', `Acquire::CompressionTypes::Order::=${order}`);
    t.equal(outcome.code, 0, `${name} ${extension}: ${outcome.output}`);
    const size = files.get(`${folder}/Packages.${extension}`)?.sizeBytes ?? 0;
    const shown = /amd64 Packages \[([\d.,]+) (B|kB)\]/.exec(outcome.output) ?? [];
    const expected = size < 10_000 ? `${size} B` : `${(size / 1000).toFixed(size < 100_000 ? 1 : 0)} kB`;
    t.equal(`${shown[1] ?? ''} ${shown[2] ?? ''}`, expected, `${name} fetched the form ${extension}`);
    const lists = join(machine.dir, 'var/lib/apt/lists');
    const list = readdirSync(lists).find((file) => file.endsWith('binary-amd64_Packages')) ?? 'none';
    t.ok(readFileSync(join(lists, list)).equals(text), `${name} read all of ${extension}`);
  };
  for (const extension of ['gz', 'zst', 'xz'] as const)
    await reads('apt 2.6', await aptMachine(t, server), extension);
  const machine = await apt3Root(t);
  if (machine === null) {
    t.comment('skipped: Debian trixie cannot be reached from here');
    return;
  }
  machine.writeSources(sources);
  for (const extension of ['gz', 'zst', 'xz'] as const) {
    await reads('apt 3', machine, extension);
    for (const list of readdirSync(join(machine.dir, 'var/lib/apt/lists'), { withFileTypes: true }))
      if (list.isFile()) rmSync(join(list.parentPath, list.name));
  }
});

const skipYum = unlessCorpus || unlessRoot || unlessInstalled('createrepo_c', 'dnf', 'rpm', 'zypper', 'zstd');

void t.test('dnf, zypper and createrepo_c read every form of the corpus', { skip: skipYum }, async (t) => {
  const server = await startInProcess(t);
  const uploaded = await uploadCorpus(t, server, 'yum', 'stable-rpm');
  const root = '/yum/main/stable-rpm';
  const shown = new Set<number>();
  for (const form of ['gzip', 'zstd'] as const) {
    await setForms(server, 'stable-rpm', 'yum', [form]);
    const { records } = parseRepomd((await download(server, `${root}/repodata/repomd.xml`)).toString());
    const extension = form === 'gzip' ? 'gz' : 'zst';
    t.same(
      records.map(({ location }) => location.split('.').at(-1)),
      records.map(() => extension),
    );
    const dnf = await dnfMachine(t, server);
    const listed = await dnf.dnf('-q', 'repoquery', '--qf', '=%{name} %{evr} %{arch}');
    const lines = new Set(listed.output.split('\n').filter((line) => line.startsWith('=')));
    t.equal(lines.size, uploaded.length, `dnf reads ${form}: ${listed.output.slice(0, 500)}`);
    const zypper = await zypperMachine(t, server);
    const refreshed = await zypper.zypper('refresh');
    t.equal(refreshed.code, 0, refreshed.output);
    const found = await zypper.zypper('--xmlout', 'search', '--details', '-t', 'package', '-t', 'srcpackage');
    const solvables = found.output.split('<solvable ').length - 1;
    // It shows 546 of 551, the same from both.
    t.ok(solvables > uploaded.length * 0.97, `zypper reads ${form}: ${solvables} of ${uploaded.length}`);
    shown.add(solvables);
    if (form === 'gzip') {
      const out = temporaryDir(t);
      const merged = await run('mergerepo_c', [
        '--all',
        '--omit-baseurl',
        '-o',
        out,
        '-r',
        onDisk(server, root),
      ]);
      t.equal(merged.code, 0, merged.stderr);
      const primary = readdirSync(join(out, 'repodata')).find((file) => file.endsWith('-primary.xml.gz'));
      const xml = gunzipSync(readFileSync(join(out, 'repodata', primary ?? 'none'))).toString();
      const count = Number(/ packages="(\d+)"/.exec(xml)?.[1]);
      t.equal(count, uploaded.length, 'createrepo_c reads them all');
    }
  }
  t.equal(shown.size, 1, 'zypper reads as many from both');
});
