/** Packages that a vendor has signed with gpg and rpmsign, on machines that check signatures. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildRpm } from '../build-rpm.ts';
import { unlessInstalled } from '../clients.ts';
import { run } from '../run.ts';
import { startInProcess, temporaryDir, type InProcess } from '../server.ts';
import { dnfMachine } from './dnf-root.ts';
import { download, unlessRoot, upload } from './roots.ts';
import { zypperMachine } from './zypper-root.ts';

t.setTimeout(240_000);
const skip = unlessInstalled('gpg', 'rpmsign', 'rpmkeys');
const channel = 'stable-rpm';

type Vendor = { readonly armored: string; readonly sign: (name: string) => Promise<Buffer> };

/** A vendor with a key of its own, made and used as vendors do. */
async function makeVendor(t: { teardown: (work: () => unknown) => void }): Promise<Vendor> {
  const home = temporaryDir(t, 'entrepot-gpg-');
  const gpg = ['--homedir', home, '--batch', '--passphrase', ''];
  const must = async (program: string, args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(program, args);
    if (code !== 0) throw new Error(`${program}: ${stderr}`);
    return stdout;
  };
  t.teardown(() => run('gpgconf', ['--homedir', home, '--kill', 'all']));
  const user = 'Vendor <vendor@example.org>';
  await must('gpg', [...gpg, '--quick-generate-key', user, 'rsa2048', 'cert,sign', 'never']);
  return {
    armored: await must('gpg', [...gpg, '--armor', '--export', user]),
    sign: async (name) => {
      const path = join(home, `${name}.rpm`);
      writeFileSync(path, buildRpm({ name, files: [{ path: `/opt/${name}`, content: `${name}\n` }] }));
      // Debian's rpm looks for it under another name.
      const program = (await must('sh', ['-c', 'command -v gpg'])).trim();
      const macros = [`_gpg_name ${user}`, `_gpg_path ${home}`, `__gpg ${program}`];
      const defines = macros.flatMap((text) => ['--define', text]);
      await must('rpmsign', [...defines, '--addsign', path]);
      return readFileSync(path);
    },
  };
}

async function start(t: Parameters<typeof startInProcess>[0], settings: object): Promise<InProcess> {
  const server = await startInProcess(t);
  const body = JSON.stringify(settings);
  const response = await server.api('/api/v1/repositories/main', { method: 'PUT', body });
  if (!response.ok) throw new Error(await response.text());
  return server;
}

for (const signing of ['unsigned-only', 'require'] as const)
  void t.test(`${signing}: machines install what the vendor signed`, { skip }, async (t) => {
    const vendor = await makeVendor(t);
    const server = await start(t, { signing, producerKeys: [vendor.armored] });
    const bytes = await vendor.sign('vendored');
    const served = await download(server, await upload(server, channel, 'upload.rpm', bytes));
    t.ok(served.equals(bytes), 'served as it was uploaded');
    const names = ['vendored'];
    if (signing === 'unsigned-only') {
      const own = buildRpm({ name: 'own', files: [{ path: '/opt/own', content: 'own\n' }] });
      await upload(server, channel, 'upload.rpm', own);
      names.push('own');
    }

    t.test('rpmkeys, with the keys that the server gives out', async (t) => {
      const dir = temporaryDir(t);
      mkdirSync(join(dir, 'db'));
      const file = join(dir, 'served.rpm');
      writeFileSync(file, served);
      for (const path of ['/keys/main.asc', '/keys/producers/main.asc']) {
        const key = join(dir, 'key.asc');
        writeFileSync(key, await download(server, path));
        const imported = await run('rpmkeys', ['--dbpath', join(dir, 'db'), '--import', key]);
        t.equal(imported.code, 0, imported.stderr);
      }
      const strict = ['--dbpath', join(dir, 'db'), '--define', '_pkgverify_level all', '-K', file];
      t.match((await run('rpmkeys', strict)).stdout, /: digests signatures OK/);
    });

    t.test('dnf', { skip: unlessInstalled('dnf') || unlessRoot }, async (t) => {
      const root = await dnfMachine(t, server);
      const outcome = await root.dnf('install', ...names);
      t.equal(outcome.code, 0, outcome.output);
      for (const name of names) t.equal(root.read(`opt/${name}`), `${name}\n`);
    });

    t.test('zypper', { skip: unlessInstalled('zypper') || unlessRoot }, async (t) => {
      const root = await zypperMachine(t, server);
      const outcome = await root.zypper('install', ...names);
      t.equal(outcome.code, 0, outcome.output);
      for (const name of names) t.equal(root.read(`opt/${name}`), `${name}\n`);
    });

    t.test(
      'dnf without the vendor’s key refuses the package',
      { skip: unlessInstalled('dnf') || unlessRoot },
      async (t) => {
        const root = await dnfMachine(t, server, (repo) => repo.replace(/\n +\S+\/producers\/\S+/, ''));
        const outcome = await root.dnf('install', 'vendored');
        t.not(outcome.code, 0);
        t.same(await root.installed(), []);
      },
    );
  });

void t.test('never: machines install unsigned packages by the signed index', { skip }, async (t) => {
  const server = await start(t, { signing: 'never' });
  const bytes = buildRpm({ name: 'bare', files: [{ path: '/opt/bare', content: 'bare\n' }] });
  const served = await download(server, await upload(server, channel, 'upload.rpm', bytes));
  t.ok(served.equals(bytes));
  t.test('dnf', { skip: unlessInstalled('dnf') || unlessRoot }, async (t) => {
    const root = await dnfMachine(t, server);
    const outcome = await root.dnf('install', 'bare');
    t.equal(outcome.code, 0, outcome.output);
    t.equal(root.read('opt/bare'), 'bare\n');
  });
  t.test('zypper', { skip: unlessInstalled('zypper') || unlessRoot }, async (t) => {
    const root = await zypperMachine(t, server);
    const outcome = await root.zypper('install', 'bare');
    t.equal(outcome.code, 0, outcome.output);
    t.equal(root.read('opt/bare'), 'bare\n');
  });
});
