/** Machines that follow a channel which an upload made: they install from it, outlive its expiry, and its return. */
import t from 'tap';
import type { Actor } from '../../src/auth/permissions.ts';
import { collect } from '../../src/registry/collect.ts';
import { unlessInstalled } from '../clients.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample, rpmSample } from '../packages.ts';
import { startInProcess, type InProcess } from '../server.ts';
import { aptRoot } from './apt-root.ts';
import { dnfRoot } from './dnf-root.ts';
import { download, unlessRoot, upload } from './roots.ts';

t.setTimeout(240_000);
const channel = 'feature-42';
const dayMs = 86_400_000;
const actor: Actor = { kind: 'operator', name: 'test' };

/** `expire`: eight days go by and the server collects. */
async function open(t: {
  readonly teardown: (work: () => unknown) => void;
}): Promise<{ server: InProcess; expire: () => Promise<readonly string[]> }> {
  // Behind the machine's clock, so that no signature is from the future.
  const clock = fakeClock(Date.now() - 9 * dayMs);
  const server = await startInProcess(t, { clock, settings: { valid_days: 30 } });
  const ephemeral = [{ prefix: 'feature-', expiresAfterDays: 7, limit: 10 }];
  const settings = { method: 'PUT', body: JSON.stringify({ ephemeral }) };
  const response = await server.api('/api/v1/repositories/main', settings);
  if (!response.ok) throw new Error(await response.text());
  return {
    server,
    expire: async () => {
      clock.advance(8 * dayMs);
      return (await collect(server.app, { actor, repository: 'main', dryRun: false })).expired;
    },
  };
}

void t.test(
  'apt installs from a channel that an upload made',
  { skip: unlessInstalled('apt-get', 'dpkg-deb') || unlessRoot },
  async (t) => {
    const { server, expire } = await open(t);
    await upload(server, channel, 'app.deb', debSample('app').bytes);
    const root = aptRoot(t);
    root.writeSources((await download(server, `/setup/main/${channel}.sources`)).toString());
    t.equal((await root.update()).code, 0);
    const installed = await root.apt('install', 'app');
    t.equal(installed.code, 0, installed.output);
    t.same(await root.installed(), ['app 1.0-1 amd64']);

    t.same(await expire(), [channel]);
    const updated = await root.update();
    t.equal(updated.code, 0, updated.output);
    t.match(
      (await root.cache('policy', 'app')).output,
      /\*\*\* 1\.0-1 100\n\s+100 \S+status\n?$/,
      'it is empty',
    );
    await upload(server, channel, 'app.deb', debSample('app', { version: '2.0-1' }).bytes);
    const back = await root.update();
    t.equal(back.code, 0, back.output);
    t.equal((await root.apt('install', 'app')).code, 0);
    t.same(await root.installed(), ['app 2.0-1 amd64']);
  },
);

void t.test(
  'dnf installs from a channel that an upload made',
  { skip: unlessInstalled('dnf', 'rpm') || unlessRoot },
  async (t) => {
    const { server, expire } = await open(t);
    await upload(server, channel, 'app.rpm', rpmSample('app').bytes);
    const root = dnfRoot(t);
    root.writeRepo((await download(server, `/setup/main/${channel}.repo`)).toString());
    const installed = await root.dnf('install', 'app');
    t.equal(installed.code, 0, installed.output);
    t.same(await root.installed(), ['app-1.0-1.x86_64']);

    t.same(await expire(), [channel]);
    t.equal((await root.dnf('--refresh', 'makecache')).code, 0);
    t.equal((await root.dnf('-q', 'repoquery', '--available')).output, '', 'it is empty');
    await upload(server, channel, 'app.rpm', rpmSample('app', { version: '2.0-1' }).bytes);
    const upgraded = await root.dnf('--refresh', 'upgrade', 'app');
    t.equal(upgraded.code, 0, upgraded.output);
    t.same(await root.installed(), ['app-2.0-1.x86_64']);
  },
);
