/** Machines that are pinned to a generation, by number, by moment and by name, whatever the head does. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeSnapshotTime } from '../../src/formats/snapshot-time.ts';
import { jsonOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import { unlessInstalled } from '../clients.ts';
import { fakeClock, type FakeClock } from '../fake-clock.ts';
import { startInProcess, type InProcess } from '../server.ts';
import { apt3Root, unlessApt3 } from './apt3-root.ts';
import { aptMachine, aptRoot, complaints } from './apt-root.ts';
import { dnfMachine } from './dnf-root.ts';
import { download, unlessRoot, upload } from './roots.ts';
import { sha256 } from '../served.ts';

t.setTimeout(300_000);

const day = 86_400_000;
const channelPath = (channel: string): string => `/api/v1/repositories/main/channels/${channel}`;

async function head(server: InProcess, channel: string): Promise<number> {
  return (await jsonOf<{ generation: number }>(await server.api(channelPath(channel)))).generation;
}

type History = {
  readonly server: InProcess;
  readonly clock: FakeClock;
  /** The generation with version 1.0 alone, and the moment of it. */
  readonly first: number;
  readonly moment: string;
};

/** hello 1.0 about three weeks ago, 2.0 a week later; the pin `golden` on the first. */
async function published(t: Test, channel: string, build: (version: string) => Uint8Array): Promise<History> {
  const clock = fakeClock(Date.now() - 22 * day);
  const server = await startInProcess(t, { clock });
  clock.advance(60_000);
  await upload(server, channel, 'hello', build('1.0'));
  const first = await head(server, channel);
  const moment = writeSnapshotTime(Math.floor(clock.now() / 1000) + 3600);
  await jsonOf(
    await server.api(`${channelPath(channel)}/pins/golden`, {
      method: 'PUT',
      body: JSON.stringify({ generation: first }),
    }),
  );
  clock.advance(7 * day);
  await upload(server, channel, 'hello', build('2.0'));
  clock.advance(14 * day);
  await server.app.publisher.signStale();
  return { server, clock, first, moment };
}

const deb = (version: string): Uint8Array =>
  buildDeb({
    control: { Package: 'hello', Version: version, Architecture: 'amd64' },
    files: [{ path: 'opt/hello', data: `hello ${version}\n`, mode: 0o755 }],
  });
const rpm = (version: string): Uint8Array =>
  buildRpm({ name: 'hello', version, files: [{ path: '/opt/hello', content: `hello ${version}\n` }] });

void t.test('apt 3: --snapshot, after the head has moved on', { skip: unlessApt3 }, async (t: Test) => {
  const { server, first, moment } = await published(t, 'stable', deb);
  const root = await apt3Root(t);
  if (root === null) {
    t.comment('skipped: Debian trixie cannot be reached from here');
    return;
  }
  root.writeSources((await download(server, '/setup/main/stable.sources')).toString());
  const isWell = async (...args: string[]): Promise<string> => {
    const outcome = await root.apt(...args);
    t.equal(outcome.code, 0, `${args.join(' ')}: ${outcome.output}`);
    t.same(complaints(outcome), [], args.join(' '));
    return outcome.output;
  };
  t.match(await isWell('--version'), /^apt 3\./);
  // From this apt knows where the snapshots are.
  await isWell('update');
  for (const id of [String(first), moment, 'golden']) {
    const output = await isWell('--snapshot', id, 'update');
    t.match(output, new RegExp(`/apt/main/snapshots/${id}/? stable InRelease`), 'asks for the snapshot');
    await isWell('--snapshot', id, 'install', 'hello');
    t.equal(root.read('opt/hello'), 'hello 1.0\n', `installed from ${id}`);
    await isWell('remove', 'hello');
  }
  await isWell('update');
  await isWell('install', 'hello');
  t.equal(root.read('opt/hello'), 'hello 2.0\n', 'without a snapshot, the head');
  await isWell('--snapshot', 'golden', 'update');
  await isWell('--snapshot', 'golden', '--allow-downgrades', 'install', 'hello=1.0');
  t.equal(root.read('opt/hello'), 'hello 1.0\n', 'and back');
});

const skip = unlessInstalled('apt-get', 'gpgv', 'dpkg-deb') || unlessRoot;

void t.test('apt 2.6: a snapshot as the address, by number, moment and pin', { skip }, async (t) => {
  const { server, first, moment } = await published(t, 'stable', deb);
  for (const id of [String(first), moment, 'golden']) {
    const root = await aptMachine(t, server, (sources) =>
      sources.replace(/^URIs: (.*)$/m, `URIs: $1/snapshots/${id}`),
    );
    for (const outcome of [await root.update(), await root.apt('install', 'hello')]) {
      t.equal(outcome.code, 0, outcome.output);
      t.same(complaints(outcome), [], id);
    }
    t.equal(root.read('opt/hello'), 'hello 1.0\n', id);
  }
});

void t.test('apt 2.6: InRelease-Path, by the digest of an InRelease', { skip }, async (t) => {
  const clock = fakeClock(Date.now() - 2 * day);
  const server = await startInProcess(t, { clock });
  await upload(server, 'stable', 'hello', deb('1.0'));
  const digest = sha256(await download(server, '/apt/main/dists/stable/InRelease'));
  clock.advance(day);
  await upload(server, 'stable', 'hello', deb('2.0'));
  const root = aptRoot(t);
  const keyring = join(root.dir, 'etc/apt/main.gpg');
  writeFileSync(keyring, await download(server, '/keys/main.gpg'));
  const options = `signed-by=${keyring} inrelease-path=by-hash/SHA256/${digest}`;
  const list = join(root.dir, 'etc/apt/sources.list.d/test.list');
  writeFileSync(list, `deb [${options}] ${server.url}/apt/main stable main\n`);
  for (const outcome of [await root.update(), await root.apt('install', 'hello')]) {
    t.equal(outcome.code, 0, outcome.output);
    t.same(complaints(outcome), []);
  }
  t.equal(root.read('opt/hello'), 'hello 1.0\n');
});

void t.test(
  'dnf: a snapshot as baseurl',
  { skip: unlessInstalled('dnf', 'rpm') || unlessRoot },
  async (t) => {
    const { server, first, moment } = await published(t, 'stable-rpm', rpm);
    for (const id of [String(first), moment, 'golden']) {
      const root = await dnfMachine(t, server, (repo) =>
        repo.replace(/^metalink=.*$/m, `baseurl=${server.url}/yum/main/stable-rpm/snapshots/${id}/`),
      );
      const outcome = await root.dnf('install', 'hello');
      t.equal(outcome.code, 0, outcome.output);
      t.equal(root.read('opt/hello'), 'hello 1.0\n', id);
    }
  },
);
