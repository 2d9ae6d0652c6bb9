/**
 * `npm run bench serve`: what machines ask for all day, from this server, from nginx and from @fastify/static, on the
 * same files in the same run. Each has one process; `wrk` asks, from the same machine.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { buildDeb } from '../test/build-deb.ts';
import { startNginx, type Nginx } from '../test/nginx.ts';
import { freePort } from '../test/server.ts';
import { median, processCost, spread } from './measure.ts';
import { startOurs, type Ours } from './ours.ts';
import { machine, writeSection } from './report.ts';
import { controlFiles, writeDeb, type Sample } from './samples.ts';

type Contender = {
  readonly name: string;
  readonly url: string;
  readonly pids: () => readonly number[];
  readonly takesPart: (asked: Case) => boolean;
};

type Case = {
  readonly title: string;
  /** Below the root of the tree. */
  readonly path: string;
  readonly connections: number;
  /** Asks with the entity tag that the server gave. */
  readonly unchanged: boolean;
  readonly unit: 'requests' | 'bytes';
};

type Run = { readonly perSecond: number; readonly perCpuSecond: number };

const seconds = 4;

const inRelease = 'apt/main/dists/stable/InRelease';
const packages = 'apt/main/dists/stable/main/binary-amd64/Packages.gz';

/** Asks one contender for one thing, as fast as it answers. */
async function run({ url, pids }: Contender, { path, connections, unchanged, unit }: Case): Promise<Run> {
  const first = await fetch(`${url}/${path}`);
  const body = await first.arrayBuffer();
  if (!first.ok) throw new Error(`${url}/${path}: ${first.status}`);
  const tag = first.headers.get('etag') ?? '';
  const header = unchanged ? ['-H', `If-None-Match: ${tag}`] : [];
  const cpu = (): number => pids().reduce((sum, pid) => sum + processCost(pid).cpuMs, 0);
  const before = cpu();
  const { stdout } = await promisify(execFile)('wrk', [
    ...['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', ...header],
    `${url}/${path}`,
  ]);
  const cpuMs = cpu() - before;
  const [, requests = 0, took = 0] = /(\d+) requests in ([\d.]+)s/.exec(stdout)?.map(Number) ?? [];
  const failed = /Non-2xx or 3xx responses|Socket errors: .*/.exec(stdout)?.[0];
  if (failed !== undefined || requests === 0)
    throw new Error(`${url}/${path}: ${failed ?? 'no answers'}\n${stdout}`);
  const amount = unit === 'requests' ? requests : requests * body.byteLength;
  return { perSecond: amount / took, perCpuSecond: amount / (cpuMs / 1000) };
}

/** The processes of nginx: one that works, and the one that it is started by. */
function processesOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return [pid, ...children.filter(Boolean).map(Number)];
}

function bigDeb(dir: string): Sample {
  const filename = 'big_1.0_amd64.deb';
  const files = [{ path: '/usr/share/big/data', data: randomBytes(20_000_000) }];
  const path = join(dir, filename);
  const control = { Package: 'big', Version: '1.0', Architecture: 'amd64' };
  writeFileSync(path, buildDeb({ control, files, compression: 'gzip', controlCompression: 'gzip' }));
  return { path, filename };
}

async function startStatic(root: string) {
  const port = await freePort();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'static-server.ts'), root, String(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(url).catch(() => null))) await wait(50);
  const { pid = 0 } = child;
  return {
    name: '@fastify/static',
    url,
    pids: () => [pid],
    stop: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}

const rss = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

/** Resident memory while a thousand connections ask, in MiB, now and then. */
async function memoryOf(url: string, pid: number, path: string): Promise<number[]> {
  const asking = promisify(execFile)('wrk', ['-t1', '-c1000', '-d42s', '--timeout', '30s', `${url}/${path}`]);
  const seen: number[] = [];
  for (let i = 0; i < 8; i++) {
    await wait(5000);
    seen.push(rss(pid));
  }
  await asking;
  return seen;
}

const package20 = 'apt/main/pool/b/big/big_1.0_amd64.deb';

const cases: readonly Case[] = [
  { title: '304 on `InRelease`', path: inRelease, connections: 64, unchanged: true, unit: 'requests' },
  { title: '200 on `InRelease`', path: inRelease, connections: 64, unchanged: false, unit: 'requests' },
  { title: '200 on `Packages.gz`', path: packages, connections: 64, unchanged: false, unit: 'requests' },
  { title: 'a package of 20 MB', path: package20, connections: 8, unchanged: false, unit: 'bytes' },
];

type Figures = Map<string, Run[]>;

/** Everybody in turn, case by case. */
async function measure(contenders: readonly Contender[], rounds: number): Promise<Figures> {
  const figures: Figures = new Map();
  for (const each of cases)
    for (let round = 0; round <= rounds; round++)
      for (const contender of contenders) {
        if (!contender.takesPart(each)) continue;
        const measured = await run(contender, each);
        const name = `${each.title} | ${contender.name}`;
        console.error(
          `${name}, round ${round}: ${Math.round(measured.perSecond)}/s, ${Math.round(measured.perCpuSecond)}/CPU s`,
        );
        // The first round warms caches and is not counted.
        if (round > 0) figures.set(name, [...(figures.get(name) ?? []), measured]);
      }
  return figures;
}

function tableOf(figures: Figures, contenders: readonly Contender[]): string[] {
  const lines = [
    '| | | a second | quartiles | a CPU second | against nginx, a CPU second | against nginx, a second |',
    '| :-- | :-- | --: | --: | --: | --: | --: |',
  ];
  for (const { title, unit } of cases) {
    const at = (name: string, what: keyof Run): number =>
      median((figures.get(`${title} | ${name}`) ?? []).map((measured) => measured[what]));
    const text = (value: number): string =>
      unit === 'bytes'
        ? `${Math.round(value / 1e6).toLocaleString('en')} MB`
        : Math.round(value).toLocaleString('en');
    for (const { name } of contenders) {
      const runs = figures.get(`${title} | ${name}`);
      if (!runs) continue;
      const [low, high] = spread(runs.map(({ perSecond }) => perSecond));
      const share = (what: keyof Run): string =>
        `${Math.round((at(name, what) / at('nginx', what)) * 100)} %`;
      lines.push(
        `| ${title} | ${name} | ${text(at(name, 'perSecond'))} | ${text(low)} to ${text(high)} | ${text(at(name, 'perCpuSecond'))} | ${share('perCpuSecond')} | ${share('perSecond')} |`,
      );
    }
  }
  return lines;
}

type Started = { readonly ours: Ours; readonly contenders: readonly Contender[] };

async function start(dir: string, ends: (() => Promise<void>)[]): Promise<Started> {
  const ended = <T extends { readonly stop: () => Promise<void> }>(started: T): T => {
    ends.push(started.stop);
    return started;
  };
  const ours = ended(await startOurs(join(dir, 'ours')));
  for (const control of controlFiles(200)) await ours.apt.add(writeDeb(join(dir, 'new'), control));
  await ours.apt.add(bigDeb(dir));
  const nginx = ended(await startNginx(join(dir, 'nginx'), `root ${join(ours.dataDir, 'tree')};`));
  const fastify = ended(await startStatic(join(ours.dataDir, 'tree')));
  const behind = ended(await startOurs(join(dir, 'behind'), { ENTREPOT_ACCEL_LOCATION: '/tree' }));
  await behind.apt.add(bigDeb(dir));
  const front: Nginx = ended(
    await startNginx(
      join(dir, 'front'),
      `location / { proxy_pass ${behind.url}; proxy_http_version 1.1; proxy_set_header Connection ""; }
       location /tree/ { internal; alias ${join(behind.dataDir, 'tree')}/; }`,
    ),
  );
  const always = (): boolean => true;
  return {
    ours,
    contenders: [
      { name: 'nginx', url: nginx.url, pids: () => processesOf(nginx.pid), takesPart: always },
      { name: 'entrepot', url: ours.url, pids: () => [ours.pid], takesPart: always },
      { ...fastify, takesPart: always },
      {
        name: 'entrepot behind nginx, X-Accel-Redirect',
        url: front.url,
        pids: () => [...processesOf(front.pid), behind.pid],
        takesPart: ({ unit }) => unit === 'bytes',
      },
    ],
  };
}

export async function benchServe(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { rounds: { type: 'string', default: '5' } } });
  const rounds = Number(values.rounds);
  const dir = mkdtempSync(join(tmpdir(), 'entrepot-serve-'));
  const ends: (() => Promise<void>)[] = [];
  try {
    const { ours, contenders } = await start(dir, ends);
    const figures = await measure(contenders, rounds);
    const before = rss(ours.pid);
    const small = await memoryOf(ours.url, ours.pid, inRelease);
    const large = await memoryOf(ours.url, ours.pid, package20);
    const shown = (seen: readonly number[]): string =>
      seen.map((value) => String(Math.round(value))).join(', ');
    await writeSection('serve', [
      `${machine()}; ${new Date().toISOString().slice(0, 10)}; medians of ${rounds} interleaved rounds of ${seconds} seconds.`,
      '',
      ...tableOf(figures, contenders),
      '',
      `Resident memory of entrepot, before ${Math.round(before)} MiB; while 1,000 connections ask, every 5 seconds: for ` +
        `\`InRelease\` ${shown(small)} MiB, for the package of 20 MB ${shown(large)} MiB.`,
    ]);
  } finally {
    for (const end of ends.reverse()) await end();
    rmSync(dir, { recursive: true, force: true });
  }
}
