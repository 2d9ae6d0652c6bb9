/**
 * Two nodes that write and one that reads, each a process of its own, on one PostgreSQL and one tree, under uploads:
 * one is lost half way, then the database, then the other. Machines install all the time.
 */
import { jsonOf } from '../ask.ts';
import { aptRoot } from '../clients/apt-root.ts';
import { byBaseUrl, dnfRoot } from '../clients/dnf-root.ts';
import { debSample, rpmSample } from '../packages.ts';
import type { Postgres } from '../postgres.ts';
import type { Program } from '../server.ts';
import {
  channels,
  generationsOf,
  openNodes,
  servedNames,
  uploadThrough,
  type SharedStore,
  type Upload,
} from './nodes.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** Where machines install from: the URL that stands before `apt/` and `setup/`, and the one before `yum/`. */
type Place = { readonly apt: string; readonly yum: string };

export type Scenario = {
  readonly postgres: Postgres;
  /** A bucket, and where machines read it with no server of ours; without one the tree is in a directory. */
  readonly bucket?: SharedStore & { readonly place: Place };
  readonly uploads: number;
  /** Uploads at once. */
  readonly clients: number;
  /** Whether apt-get and dnf are here. */
  readonly hasClients: boolean;
};

export type Report = {
  readonly uploads: number;
  readonly perSecond: number;
  readonly perSecondBeforeLoss: number;
  /** Until the first and the last upload that was under way at the lost node was taken by the other. */
  readonly failoverSeconds: readonly [number, number];
  readonly longestAnswerSeconds: number;
  readonly generations: Readonly<Record<string, number>>;
  /** Whoever installed, and from where. */
  readonly installed: readonly string[];
  readonly errors: readonly string[];
};

/** What has to hold, and what did not. */
class Findings {
  readonly errors: string[] = [];

  expect(holds: boolean, what: string): void {
    if (!holds) this.errors.push(what);
  }
}

/** So long may uploads stand still when a node is lost. */
const failoverLimitMs = 30_000;

/** Takes uploads in both formats, at both nodes alike. */
function uploadsOf(count: number): Upload[] {
  return Array.from({ length: count }, (_, i) =>
    i % 4 < 2
      ? { channel: 'stable', ...debSample(`tool-${i}`) }
      : { channel: 'stable-rpm', ...rpmSample(`tool-${i}`) },
  );
}

export async function failover(t: Teardown, scenario: Scenario): Promise<Report> {
  const { postgres, bucket } = scenario;
  const found = new Findings();
  const nodes = await openNodes(t, postgres, bucket);
  const lost = await nodes.start('all');
  const [other, reader] = await Promise.all([nodes.start('api'), nodes.start('read')]);
  const uploads = uploadsOf(scenario.uploads);
  const names = uploads.map(({ filename }) => /^tool-\d+/.exec(filename)?.[0] ?? '').sort();
  const serves = async (url: string): Promise<boolean> => String(await servedNames(url)) === String(names);

  const uploaded = await uploadThrough([lost, other], uploads, scenario.clients);
  found.expect(uploaded.lastTakenMs < failoverLimitMs, `uploads stood still for ${uploaded.lastTakenMs} ms`);
  found.expect(await serves(reader.url), 'what is served is not what was uploaded');
  for (const channel of channels) {
    const history = await generationsOf(other, channel);
    const isLine = history.every((number, i) => number === i + 1);
    found.expect(isLine, `${channel}: generations ${history.join(' ')}`);
    const told = uploaded.generations.get(channel) ?? [];
    found.expect(Math.max(...told) === history.at(-1), `${channel}: the last receipt names not the head`);
  }
  await checkVisibility(found, other, reader);

  await postgres.stop();
  found.expect(await serves(reader.url), 'without the database the reader does not serve everything');
  found.expect(await serves(other.url), 'without its catalog a node does not serve everything');
  await checkRefusal(found, other, reader);
  await postgres.start();
  const { filename, bytes } = debSample('later');
  found.expect((await other.upload('stable', filename, bytes)).status === 201, 'not taken when sent again');

  await other.stop();
  await postgres.stop();
  const places = [{ apt: reader.url, yum: reader.url }, ...(bucket ? [bucket.place] : [])];
  const installed = scenario.hasClients
    ? await Promise.all(places.map((place) => install(t, found, nodes.publicUrl, place)))
    : [];
  const seconds = (ms: number): number => Math.round(ms / 10) / 100;
  return {
    uploads: uploads.length,
    perSecond: Math.round(uploads.length / (uploaded.tookMs / 1000)),
    perSecondBeforeLoss: Math.round(uploads.length / 2 / (uploaded.beforeLossMs / 1000)),
    failoverSeconds: [seconds(uploaded.firstTakenMs), seconds(uploaded.lastTakenMs)],
    longestAnswerSeconds: seconds(uploaded.longestMs),
    generations: Object.fromEntries(
      [...uploaded.generations].map(([channel, numbers]) => [channel, Math.max(...numbers)]),
    ),
    installed: installed.flat(),
    errors: found.errors,
  };
}

/** What one node changes of a repository, one that only reads follows. */
async function checkVisibility(found: Findings, other: Program, reader: Program): Promise<void> {
  const body = '{"visibility":"private"}';
  await jsonOf(await other.api('/api/v1/repositories/second', { method: 'PUT', body }));
  const statuses = await Promise.all(
    ['second', 'main'].map(async (name) => (await fetch(`${reader.url}/keys/${name}.asc`)).status),
  );
  found.expect(String(statuses) === '401,200', `a private and a public key: ${statuses.join(', ')}`);
}

/** Without the database uploads are refused for now, and nobody takes the reader out of service. */
async function checkRefusal(found: Findings, other: Program, reader: Program): Promise<void> {
  const { filename, bytes } = debSample('later');
  const refused = await other.upload('stable', filename, bytes);
  const { code } = (await refused.json()) as { code: string };
  found.expect(
    refused.status === 503 && code === 'catalog_unavailable',
    `refused: ${refused.status} ${code}`,
  );
  const ready = await Promise.all([other, reader].map(async (node) => (await node.api('/readyz')).status));
  found.expect(String(ready) === '503,200', `/readyz: ${ready.join(', ')}`);
}

/** Machines that are set up with what a place serves, and install from there. Answers which did. */
async function install(t: Teardown, found: Findings, publicUrl: string, place: Place): Promise<string[]> {
  const setUp = async (path: string, url: string): Promise<string> =>
    (await (await fetch(`${url}/setup/main/${path}`)).text()).replaceAll(publicUrl, url);
  const apt = aptRoot(t);
  apt.writeSources(await setUp('stable.sources', place.apt));
  const dnf = dnfRoot(t);
  // The metalink was signed with an address that nobody answers here.
  dnf.writeRepo(byBaseUrl(await setUp('stable-rpm.repo', place.yum)));
  const outcomes = [
    await apt.update(),
    await apt.apt('install', 'tool-0', 'later'),
    await dnf.dnf('install', 'tool-2'),
  ];
  for (const { code, output } of outcomes) found.expect(code === 0, output);
  const [deb, rpm] = [apt.read('usr/share/tool-0/what'), dnf.read('usr/share/tool-2/what')];
  found.expect(deb === 'This is tool-0.\n', `apt-get has installed ${deb} from ${place.apt}`);
  found.expect(rpm === 'This is tool-2.\n', `dnf has installed ${rpm} from ${place.yum}`);
  return [`apt-get from ${place.apt}`, `dnf from ${place.yum}`];
}
