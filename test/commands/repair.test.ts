/** fsck --repair: what follows from the packages and the catalog is written again, byte for byte. */
import { lstatSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { jsonOf } from '../ask.ts';
import { aptMachine, complaints as aptComplaints } from '../clients/apt-root.ts';
import { complaints as dnfComplaints, dnfMachine } from '../clients/dnf-root.ts';
import { unlessRoot } from '../clients/roots.ts';
import { unlessInstalled } from '../clients.ts';
import { comps, updateinfo } from '../documents.ts';
import { listTree } from '../kept.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand, type Ended } from '../program.ts';
import { startInProcess } from '../server.ts';

t.setTimeout(240_000);

type Stopped = { readonly dataDir: string; readonly tree: string; readonly before: Record<string, string> };

/** A data directory with several generations in every form, pins and documents, and no server on it. */
async function stopped(t: Test): Promise<Stopped> {
  const server = await startInProcess(t);
  const put = async (path: string, body: string, type = 'application/json'): Promise<void> => {
    const url = `/api/v1/repositories/main/channels/${path}`;
    const response = await server.api(url, { method: 'PUT', body, headers: { 'content-type': type } });
    t.ok(response.ok, await response.text());
  };
  await put(
    'stable',
    JSON.stringify({ format: 'apt', compressions: ['gzip', 'xz', 'zstd'], contents: true }),
  );
  for (const name of ['first', 'second'])
    for (const [channel, { filename, bytes }] of [
      ['stable', debSample(name)],
      ['stable-rpm', rpmSample(name)],
    ] as const)
      await jsonOf(await server.upload(channel, filename, bytes));
  await put('stable-rpm/documents/updateinfo', updateinfo('first'), 'application/xml');
  await put('stable-rpm/documents/comps', comps('second'), 'application/xml');
  await put('stable/pins/kept', JSON.stringify({ generation: 3 }));
  await put('stable-rpm/pins/kept', JSON.stringify({ generation: 3 }));
  await server.close();
  const tree = join(server.dataDir, 'tree');
  return { dataDir: server.dataDir, tree, before: listTree(tree) };
}

/** Every file and link below a folder but the packages; links are not followed. */
function made(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [path];
    return entry.name === 'pool' ? [] : made(path);
  });
}

const repair = ({ dataDir }: Stopped, variables: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  runCommand(['fsck', '--repair', '--data', dataDir], variables);

function flip(path: string): void {
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

const clients = unlessInstalled('apt-get', 'gpgv', 'dnf', 'rpm') || unlessRoot;

async function install(t: Test, dataDir: string): Promise<void> {
  const server = await startInProcess(t, { dataDir });
  const apt = await aptMachine(t, server);
  const update = await apt.update();
  t.same([update.code, aptComplaints(update)], [0, []], update.output);
  const installed = await apt.apt('install', 'second');
  t.same([installed.code, aptComplaints(installed)], [0, []], installed.output);
  const dnf = await dnfMachine(t, server);
  const added = await dnf.dnf('install', 'second');
  t.same([added.code, dnfComplaints(dnf, added)], [0, []], added.output);
  await server.close();
}

t.test('all but the packages is lost, and comes back as it was', async (t) => {
  const data = await stopped(t);
  const paths = made(data.tree);
  t.ok(paths.length > 80, `${paths.length} files and links`);
  for (const path of paths) rmSync(path);
  const { code, stdout, stderr } = await repair(data);
  t.same({ code, stderr }, { code: 0, stderr: '' });
  t.match(stdout, /^apt\/main\/dists\/stable\/InRelease: missing$/m);
  t.match(stdout, /^(\d+) of \1 differences are mended\nclean\n$/m);
  t.same(listTree(data.tree), data.before);
  t.match(await runCommand(['fsck', '--data', data.dataDir]), { code: 0, stdout: 'clean\n' });
  await t.test('machines install from it', { skip: clients }, (t) => install(t, data.dataDir));
});

t.test('a flipped bit in every file, every link astray', async (t) => {
  const data = await stopped(t);
  // Once: what has several names is one file.
  const flipped = new Set<number>();
  for (const path of made(data.tree)) {
    const found = lstatSync(path);
    if (found.isSymbolicLink()) {
      rmSync(path);
      symlinkSync('nowhere', path);
    } else if (!flipped.has(found.ino)) flip(path);
    flipped.add(found.ino);
  }
  const { code, stderr } = await repair(data);
  t.same({ code, stderr }, { code: 0, stderr: '' });
  t.same(listTree(data.tree), data.before);
});

t.test('a package cannot be made again; the rest is mended all the same', async (t) => {
  const data = await stopped(t);
  const deb = 'apt/main/pool/f/first/first_1.0-1_amd64.deb';
  rmSync(join(data.tree, deb));
  rmSync(join(data.tree, 'yum/main/stable-rpm/metalink'));
  const { code, stdout, stderr } = await repair(data);
  t.equal(code, 1);
  t.match(stdout, `${deb}: missing, and cannot be made again\n1 of 2 differences are mended\n`);
  t.equal(stderr, 'entrepot: 1 differences between the catalog and the tree\n');
  const now = listTree(data.tree);
  const gone = Object.keys(data.before).filter((key) => now[key] !== data.before[key]);
  t.ok(gone.includes(deb));
  t.same([...new Set(gone.map((key) => basename(key)))], [basename(deb)]);
});

t.test('what was signed under another setting is signed anew', { skip: clients }, async (t) => {
  const data = await stopped(t);
  const folder = join(data.tree, 'apt/main/dists/stable/by-hash/SHA256');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  rmSync(join(data.tree, 'apt/main/dists/stable/InRelease'));
  const { stdout, stderr } = await repair(data, { ENTREPOT_VALID_DAYS: '9' });
  t.equal(stderr.includes('at main'), false, stderr);
  // Of earlier generations nobody asks for these; that of the head is another one now.
  const left = stdout.split('\n').filter((line) => line.endsWith('cannot be made again'));
  t.ok(
    left.every((line) => line.startsWith('apt/main/dists/stable/by-hash/SHA256/')),
    left.join('\n'),
  );
  await install(t, data.dataDir);
});

t.test('not while a server is running', async (t) => {
  const server = await startInProcess(t);
  const { code, stderr } = await runCommand(['fsck', '--repair', '--data', server.dataDir]);
  t.equal(code, 1);
  t.equal(stderr, `entrepot: A server is running on ${server.dataDir}: stop it before a repair.\n`);
});
