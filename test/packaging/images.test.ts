/** Machine images from a pinned snapshot: the same set of packages whenever the image is made. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { jsonOf } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { dnfRoot, type DnfRoot } from '../clients/dnf-root.ts';
import { download, unlessRoot, upload } from '../clients/roots.ts';
import { buildDeb } from '../build-deb.ts';
import { rpmSample } from '../packages.ts';
import { run } from '../run.ts';
import { startInProcess, temporaryDir, type TestServer } from '../server.ts';
import { checkout } from './built.ts';
import { ownTransport, unlessDebian } from './debian-root.ts';

t.setTimeout(240_000);

async function generation(server: TestServer, channel: string): Promise<number> {
  const response = await server.api(`/api/v1/repositories/main/channels/${channel}`);
  return (await jsonOf<{ generation: number }>(response)).generation;
}

/** An image has to boot from something: a base of our own, as small as mmdebstrap takes. */
function basePackage(name: string, version: string, fields: Record<string, string> = {}): Buffer {
  return buildDeb({
    control: { Package: name, Version: version, Architecture: 'all', ...fields },
    files: [{ path: `/usr/share/${name}/version`, data: `${version}\n` }],
  });
}

t.test(
  'mmdebstrap makes the same root twice from one snapshot, after the head has moved on',
  { skip: unlessDebian },
  async (t) => {
    const server = await startInProcess(t);
    const dir = temporaryDir(t, 'entrepot-image-');
    const put = (name: string, version: string, fields?: Record<string, string>): Promise<string> =>
      upload(server, 'stable', `${name}_${version}_all.deb`, basePackage(name, version, fields));
    await put('app', '1.0', { Depends: 'app-data' });
    await put('app-data', '1.0');
    const pinned = await generation(server, 'stable');
    const key = join(dir, 'main.asc');
    writeFileSync(key, await download(server, '/keys/main.asc'));
    const line = `deb [signed-by=${key}] ${server.url}/apt/main/snapshots/${pinned} stable main`;
    const image = async (name: string, source: string): Promise<Map<string, Buffer>> => {
      const root = join(dir, name);
      const { code, stderr } = await run('env', [
        'SOURCE_DATE_EPOCH=1767225600',
        ...['mmdebstrap', '--quiet', '--variant=extract', '--mode=root', '--format=directory'],
        ...(await ownTransport()).map((option) => `--aptopt=${option}`),
        '--include=app',
        'stable',
        root,
        source,
      ]);
      if (code !== 0) throw new Error(stderr);
      return filesOf(root);
    };
    const before = await image('before', line);
    await put('app', '2.0', { Depends: 'app-data, app-more' });
    await put('app-data', '2.0');
    await put('app-more', '2.0');
    const after = await image('after', line);
    t.same([...after.keys()], [...before.keys()]);
    for (const [path, bytes] of after) t.ok(before.get(path)?.equals(bytes), path);
    t.equal(after.get('usr/share/app/version')?.toString(), '1.0\n');
    const head = await image('head', line.replace(`/snapshots/${pinned}`, ''));
    t.equal(head.get('usr/share/app/version')?.toString(), '2.0\n', 'the head is another image');
    t.ok(head.has('usr/share/app-more/version'));
  },
);

/** Every file by its path. What apt writes of the run itself is no part of the image. */
function filesOf(root: string): Map<string, Buffer> {
  const names = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((name) => !/^var\/(?:log|cache)\/|^var\/lib\/apt\/extended_states/.test(name))
    .sort();
  return new Map(names.map((name) => [name, readFileSync(join(root, name))]));
}

t.test(
  'dnf fills the same root twice from one frozen generation, after the head has moved on',
  { skip: unlessInstalled('dnf', 'rpm') || unlessRoot },
  async (t) => {
    const server = await startInProcess(t);
    const put = async (name: string, version: string): Promise<void> => {
      const { filename, bytes } = rpmSample(name, { version });
      await upload(server, 'stable-rpm', filename, bytes);
    };
    await put('app', '1.0-1');
    await put('app-data', '1.0-1');
    const pinned = await generation(server, 'stable-rpm');
    const image = async (path: string): Promise<DnfRoot> => {
      const root = dnfRoot(t);
      const shown = readFileSync(join(checkout, 'docs/images/acme.repo'), 'utf8')
        .replace('yum/acme/el9-production/generations/41/', `yum/main/stable-rpm/${path}`)
        .replace('keys/acme', 'keys/main');
      root.writeRepo(shown.replaceAll('https://packages.example.com', server.url));
      const { code, output } = await root.dnf('install', 'app', 'app-data');
      if (code !== 0) throw new Error(output);
      return root;
    };
    /** What rpm has installed, by the digests of the headers, which cover those of all files. */
    const set = async (root: DnfRoot): Promise<string> => {
      const { output } = await root.rpm('-qa', '--qf', '%{NEVRA} %{SHA256HEADER} %{SIGPGP:pgpsig}\n');
      return output
        .split('\n')
        .filter((text) => !text.startsWith('gpg-pubkey'))
        .sort()
        .join('\n');
    };
    const before = await image(`generations/${pinned}/`);
    await put('app', '2.0-1');
    await put('app-data', '2.0-1');
    const after = await image(`generations/${pinned}/`);
    t.equal(await set(after), await set(before));
    t.same(
      await after.installed(),
      ['app-0:1.0-1.x86_64', 'app-data-0:1.0-1.x86_64'].map((name) => name.replace('-0:', '-')),
    );
    t.equal(after.read('usr/share/app/what'), before.read('usr/share/app/what'));
    t.match(await (await image('')).installed(), [/2\.0-1/, /2\.0-1/], 'the head is another image');
  },
);
