/** What dnf and zypper make of the documents beside the packages: advisories, groups and modules. */
import t, { type Test } from 'tap';
import { buildRpm } from '../build-rpm.ts';
import { unlessInstalled } from '../clients.ts';
import { comps, modules, updateinfo } from '../documents.ts';
import { startInProcess, type TestServer } from '../server.ts';
import { complaints as dnfComplaints, dnfMachine, type DnfRoot } from './dnf-root.ts';
import { unlessRoot, upload, type Outcome } from './roots.ts';
import { zypperMachine } from './zypper-root.ts';

t.setTimeout(240_000);
const channel = 'stable-rpm';

async function publish(server: TestServer, name: string, version: string): Promise<void> {
  const files = [{ path: `/opt/${name}`, content: version }];
  const bytes = buildRpm({ name, version, arch: 'x86_64', files });
  await upload(server, channel, `${name}.rpm`, bytes);
}

async function put(server: TestServer, kind: string, text: string): Promise<void> {
  const path = `/api/v1/repositories/main/channels/${channel}/documents/${kind}`;
  const response = await server.api(path, { method: 'PUT', body: text });
  if (!response.ok) throw new Error(await response.text());
}

async function compress(server: TestServer, compression: string): Promise<void> {
  const body = JSON.stringify({ format: 'yum', compressions: [compression] });
  const response = await server.api(`/api/v1/repositories/main/channels/${channel}`, { method: 'PUT', body });
  if (!response.ok) throw new Error(await response.text());
}

function isWell(t: Test, root: DnfRoot, outcome: Outcome, what: string): void {
  t.equal(outcome.code, 0, `${what}: ${outcome.output}`);
  t.same(dnfComplaints(root, outcome), [], what);
}

for (const compression of ['gzip', 'zstd'])
  void t.test(
    `dnf installs a group and what an advisory repairs, in ${compression}`,
    { skip: unlessInstalled('dnf', 'rpm') || unlessRoot },
    async (t) => {
      const server = await startInProcess(t);
      await compress(server, compression);
      for (const name of ['app', 'other', 'bystander']) await publish(server, name, '1.0');
      await put(server, 'comps', comps('app', 'other'));
      const root = await dnfMachine(t, server);
      const dnf = (...args: string[]): Promise<Outcome> =>
        root.dnf('-q', '--setopt=module_platform_id=platform:el9', ...args);
      const groups = await dnf('group', 'list', '--ids');
      isWell(t, root, groups, 'group list');
      t.match(groups.output, /Acme Workshop \(workshop\)/);
      t.match((await dnf('group', 'info', 'tools')).output, /Mandatory Packages:\s+app\s+other/);
      isWell(t, root, await dnf('group', 'install', 'tools'), 'group install');
      t.same(await root.installed(), ['app-1.0-1.x86_64', 'other-1.0-1.x86_64']);

      for (const name of ['app', 'other', 'bystander']) await publish(server, name, '2.0');
      await put(server, 'updateinfo', updateinfo('app', 'bystander'));
      const list = await dnf('--refresh', 'updateinfo', 'list');
      isWell(t, root, list, 'updateinfo list');
      t.match(list.output, /^ACME-2026:1\s+Important\/Sec\.\s+app-2\.0-1\.x86_64$/m);
      t.notMatch(list.output, /ACME-2026:2/, 'nothing of what is not installed');
      t.match((await dnf('updateinfo', 'info')).output, /app & its safety[\s\S]*CVEs: CVE-2026-1000/);
      isWell(t, root, await dnf('upgrade', '--advisory=ACME-2026:1'), 'upgrade by advisory');
      t.same(await root.installed(), ['app-2.0-1.x86_64', 'other-1.0-1.x86_64']);

      await put(server, 'modules', modules('app'));
      const streams = await dnf('--refresh', 'module', 'list');
      isWell(t, root, streams, 'module list');
      t.match(streams.output, /^app-module\s+1\.10 \[d\]\s+common \[d\]\s+app as a module/m);
    },
  );

for (const compression of ['gzip', 'zstd'])
  void t.test(
    `zypper lists and installs patches, in ${compression}`,
    { skip: unlessInstalled('zypper', 'rpm') || unlessRoot },
    async (t) => {
      const server = await startInProcess(t);
      await compress(server, compression);
      for (const name of ['app', 'other']) await publish(server, name, '1.0');
      const root = await zypperMachine(t, server);
      t.equal((await root.zypper('install', 'app', 'other')).code, 0);
      for (const name of ['app', 'other']) await publish(server, name, '2.0');
      await put(server, 'updateinfo', updateinfo('app'));
      // Groups are no patterns to zypper: it passes over them.
      await put(server, 'comps', comps('app', 'other'));
      t.equal((await root.zypper('refresh')).code, 0);
      const patches = await root.zypper('list-patches');
      t.match(patches.output, /ACME-2026:1\s*\|\s*security\s*\|\s*important/);
      t.match((await root.zypper('list-patches', '--cve=CVE-2026-1000')).output, /ACME-2026:1/);
      const done = await root.zypper('patch');
      t.equal(done.code, 0, done.output);
      t.same(await root.installed(), ['app-2.0-1.x86_64', 'other-1.0-1.x86_64']);
    },
  );
