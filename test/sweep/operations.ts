/** What is interrupted at every call: one of each kind of change, on a small server that is the same every time. */
import { Readable } from 'node:stream';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp, type App } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createLogger } from '../../src/logger.ts';
import { collect } from '../../src/registry/collect.ts';
import { initialise } from '../../src/registry/initialise.ts';
import { promote } from '../../src/registry/promote.ts';
import { publishChanges } from '../../src/registry/publish-changes.ts';
import { putChannel } from '../../src/registry/put-channel.ts';
import { rollBack } from '../../src/registry/roll-back.ts';
import { stagePackage, uploadPackage } from '../../src/registry/upload-package.ts';
import { yankPackage } from '../../src/registry/yank-package.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { readApt, readPackage, readYum, sha256, type Read } from '../served.ts';
import { adminToken, placeTestKey } from '../server.ts';

const actor = { kind: 'operator', name: 'sweep' } as const;
const repository = 'main';
const publicUrl = 'http://packages.example';

/** Two channels of each format; `initialise` makes the first ones. */
const channels = { stable: 'apt', production: 'apt', 'stable-rpm': 'yum', 'production-rpm': 'yum' } as const;
type Channel = keyof typeof channels;

const sampleFor = (channel: Channel): ((name: string) => Sample) =>
  channels[channel] === 'apt' ? debSample : rpmSample;

const common = ({ filename, bytes }: Sample) => ({
  actor,
  repository,
  filename,
  body: Readable.from([bytes]),
  digests: [],
  client: 'sweep',
  declared: { source: null, commit: null, ref: null, run: null, builder: null },
  beforeBody: () => undefined,
});

async function upload(app: App, channel: Channel, name: string): Promise<void> {
  await uploadPackage(app, { ...common(sampleFor(channel)(name)), channel, component: null });
}

async function publish(app: App, channel: Channel): Promise<void> {
  const add = ['staged-1', 'staged-2'].map((name) => sha256(sampleFor(channel)(name).bytes));
  const remove = [{ name: 'beta' }];
  const request = { actor, repository, channel, component: null, add, remove, dryRun: false, force: true };
  await publishChanges(app, request);
}

async function promoteAll(app: App, from: Channel, to: Channel): Promise<void> {
  const choice = { packages: null, exact: true, dryRun: false, force: true };
  await promote(app, { actor, repository, from, to, ...choice });
}

async function goBack(app: App, channel: Channel): Promise<void> {
  await rollBack(app, { actor, repository, channel, generation: 4, dryRun: false, force: true });
}

async function withdraw(app: App, channel: Channel, name: string): Promise<void> {
  const [version, architecture] = channels[channel] === 'apt' ? ['1.0-1', 'amd64'] : ['0:1.0-1', 'x86_64'];
  await yankPackage(app, { actor, repository, channel, name, version, architecture });
}

const hourMs = 3_600_000;

/** What is found to be needed no more is deleted an hour later: a collection and, two hours on, another one. */
async function collectTwice(app: App): Promise<void> {
  for (const hours of [1, 3]) {
    const clock = { now: () => Date.now() + hours * hourMs };
    const keepTimes = { graceMs: 0, stagedMs: 0 };
    await collect({ ...app, clock, keepTimes }, { actor, repository, dryRun: false });
  }
}

export const operations = {
  'upload of a deb': (app: App) => upload(app, 'stable', 'gamma'),
  'upload of an rpm': (app: App) => upload(app, 'stable-rpm', 'gamma'),
  'publication, apt': (app: App) => publish(app, 'stable'),
  'publication, yum': (app: App) => publish(app, 'stable-rpm'),
  'promotion, apt': (app: App) => promoteAll(app, 'stable', 'production'),
  'promotion, yum': (app: App) => promoteAll(app, 'stable-rpm', 'production-rpm'),
  'rollback, apt': (app: App) => goBack(app, 'stable'),
  'rollback, yum': (app: App) => goBack(app, 'stable-rpm'),
  collection: (app: App) => collectTwice(app),
} as const satisfies Readonly<Record<string, (app: App) => Promise<void>>>;

export type OperationName = keyof typeof operations;
export const operationNames = Object.keys(operations) as OperationName[];

export async function openApp(dataDir: string): Promise<App> {
  const config = loadConfig({ data: dataDir, log_level: 'silent', public_url: publicUrl }, {});
  return await createApp({ config, log: createLogger('silent'), publicUrl });
}

/** A folder in memory, where there is one. */
export function quickDir(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'entrepot-sweep-'));
}

/** The server that every operation finds. */
export async function prepare(dataDir: string): Promise<void> {
  placeTestKey(dataDir);
  const app = await openApp(dataDir);
  await initialise(app, adminToken);
  await putChannel(app, actor, repository, 'production', { format: 'apt' });
  await putChannel(app, actor, repository, 'production-rpm', { format: 'yum' });
  for (const channel of ['stable', 'stable-rpm'] as const) {
    await upload(app, channel, 'gone');
    for (const name of ['alpha', 'beta']) await upload(app, channel, name);
    await withdraw(app, channel, 'gone');
    for (const name of ['delta', 'epsilon']) await upload(app, channel, name);
    for (const name of ['staged-1', 'staged-2'])
      await stagePackage(app, { ...common(sampleFor(channel)(name)), distribution: '' });
  }
  await upload(app, 'production', 'old');
  await upload(app, 'production-rpm', 'old');
  await app.close();
}

export function copyOf(template: string, folder: string): string {
  const dataDir = mkdtempSync(join(folder, 'data-'));
  cpSync(template, dataDir, { recursive: true, verbatimSymlinks: true });
  return dataDir;
}

/** What machines find in a tree, every file on the way held against what names it. */
export type Found = Readonly<Record<Channel, readonly string[]>>;

export async function look(dataDir: string): Promise<Found> {
  const read: Read = (path) => Promise.resolve(readFileSync(join(dataDir, 'tree', decodeURIComponent(path))));
  const found = async (channel: Channel): Promise<string[]> => {
    const entries =
      channels[channel] === 'apt'
        ? await readApt(read, repository, channel)
        : await readYum(read, repository, await frozenHead(read, channel));
    for (const entry of entries) await readPackage(read, entry);
    return entries.map((entry) => `${entry.name} ${entry.version} ${entry.sha256}`).sort();
  };
  const all = Object.keys(channels) as Channel[];
  return Object.fromEntries(
    await Promise.all(all.map(async (channel) => [channel, await found(channel)])),
  ) as Found;
}

/** As dnf goes, so that repomd.xml and its signature are of one generation at any moment. */
async function frozenHead(read: Read, channel: Channel): Promise<string> {
  const metalink = (await read(`yum/${repository}/${channel}/metalink`)).toString();
  const [, generation = ''] = /\/generations\/(\d+)\/repodata\//.exec(metalink) ?? [];
  return `${channel}/generations/${generation}`;
}

/** Starts the server on what is there, as `serve` does; answers what is wrong then, and what machines find. */
export async function restart(dataDir: string): Promise<{ faults: string[]; found: Found }> {
  const app = await openApp(dataDir);
  try {
    await app.publisher.recover();
    await app.setupFiles.writeAll();
    const faults = (await Array.fromAsync(checkEverything(app, { alone: true }))).map(
      ({ key, problem }) => `${key}: ${problem}`,
    );
    const left = ['staging', 'tree/.tmp'].flatMap((folder) => {
      const path = join(dataDir, folder);
      return existsSync(path) ? readdirSync(path).map((name) => `${folder}/${name} is left`) : [];
    });
    return { faults: [...faults, ...left], found: await look(dataDir) };
  } finally {
    await app.close();
  }
}

export function remove(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
