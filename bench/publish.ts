/**
 * `npm run bench publish`: what one upload takes, from the request to what clients are served, signed, in channels
 * of several sizes. Our server, its rivals and the physical floor take turns, on the same packages.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { engineNames, startEngines, type EngineName } from './engines.ts';
import { filesBelow, floorOf, writtenBy, type Written } from './floor.ts';
import type { Cost } from './measure.ts';
import { startOurs, type Ours } from './ours.ts';
import { aptFtparchive, aptly, createrepo, gpgHome, reprepro, stopAgent, type Contender } from './peers.ts';
import { writeReport, writeSharedReport, type Measured } from './publish-report.ts';
import { bump, controlFiles, writeDeb, writeRpm, type Sample } from './samples.ts';

type Format = Contender['format'];

/** Uploads before a size is measured: a server runs for weeks, a round of the bench ends soon after its start. */
const warmUps = 100;
/** The same in a bucket, where uploads one after the other wait for the next second. */
const warmUpsInBucket = 25;
/** After which a bucket takes the next content of a pointer at once. */
const pauseInBucketMs = 2000;

/** Packages whose control file says so stand in one index; the others would stand in two. */
const isBinary = (control: string): boolean => /^Architecture: amd64$/m.test(control);

function optionsOf(args: string[]): {
  sizes: number[];
  rounds: number;
  dir: string | undefined;
  only: readonly string[] | undefined;
  results: string | undefined;
  report: boolean;
  /** What the server has in place of SQLite and a directory; then it runs alone. */
  engines: readonly EngineName[];
} {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '100,1000,10000,63000' },
      rounds: { type: 'string', default: '9' },
      dir: { type: 'string' },
      only: { type: 'string' },
      // -1 rounds: only fill. What was measured is added to this file, and the report is made of all that is in it.
      results: { type: 'string' },
      'no-report': { type: 'boolean', default: false },
      engines: { type: 'string', default: '' },
    },
  });
  return {
    sizes: values.sizes
      .split(',')
      .map(Number)
      .sort((a, b) => a - b),
    rounds: Number(values.rounds),
    dir: values.dir,
    only: values.only?.split(','),
    results: values.results,
    report: !values['no-report'],
    engines: engineNames.filter((name) => values.engines.split(',').includes(name)),
  };
}

const say = (text: string): void => {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
};

/** The folder of the run: kept when it is named, so that the next run finds its channels filled. */
export async function benchPublish(args: string[]): Promise<void> {
  const options = optionsOf(args);
  const [load = 0] = loadavg();
  if (load > 0.5)
    say(`this machine is busy (load ${load.toFixed(1)}): the figures will not be those of a quiet one`);
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'entrepot-bench-'));
  mkdirSync(dir, { recursive: true });
  try {
    const run = options.engines.length > 0 ? runShared : runAll;
    await run(options, dir);
  } finally {
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

type Options = ReturnType<typeof optionsOf>;

/** Everybody, our server with SQLite and a directory. */
async function runAll(options: Options, dir: string): Promise<void> {
  const env = existsSync(join(dir, 'gnupg'))
    ? { GNUPGHOME: join(dir, 'gnupg') }
    : gpgHome(join(dir, 'gnupg'));
  const apt = await startOurs(join(dir, 'ours-apt'));
  const yum = await startOurs(join(dir, 'ours-yum'));
  try {
    const all = [
      ours(apt, 'apt'),
      { contender: reprepro(join(dir, 'reprepro'), env), watch: null },
      { contender: aptly(join(dir, 'aptly'), env), watch: null },
      { contender: aptFtparchive(join(dir, 'apt-ftparchive'), env), watch: null },
      ours(yum, 'yum'),
      { contender: createrepo(join(dir, 'createrepo'), env), watch: null },
    ];
    const entrants = all.filter(
      ({ contender: { name, format } }) =>
        options.only?.some((wanted) => wanted === format || `${format}/${name}`.startsWith(wanted)) ?? true,
    );
    const measured = withEarlier(options.results, await measure(entrants, options, dir));
    if (options.report) await writeReport(measured, options.rounds);
  } finally {
    await Promise.all([apt.stop(), yum.stop()]);
    stopAgent(env);
  }
}

/** Our server alone, with engines that several nodes can share. They are gone afterwards, so that it starts empty. */
async function runShared(options: Options, parent: string): Promise<void> {
  const dir = mkdtempSync(join(parent, 'shared-'));
  const engines = await startEngines(options.engines);
  const servers: Ours[] = [];
  try {
    for (const format of ['apt', 'yum'])
      servers.push(await startOurs(join(dir, format), await engines.newSettings()));
    const [apt, yum] = servers;
    if (!apt || !yum) throw new Error('two servers');
    const entrants = [apt.apt, yum.yum].map((contender) => ({
      contender: { ...contender, name: `entrepot on ${options.engines.join(' and ')}` },
      watch: null,
    }));
    const measured = withEarlier(options.results, await measure(entrants, options, dir));
    if (options.report) await writeSharedReport(measured, options.rounds);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await engines.stop();
    rmSync(dir, { recursive: true });
  }
}

/** Sizes may be measured in runs of their own: filling the largest takes longer than the rest together. */
function withEarlier(file: string | undefined, measured: readonly Measured[]): Measured[] {
  // Written here.
  const earlier = file && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Measured[]) : [];
  const all = [...earlier, ...measured];
  if (file !== undefined) writeFileSync(file, JSON.stringify(all));
  return all;
}

/** One who takes part. */
type Entrant = {
  readonly contender: Contender;
  /** Of ours: begins to watch its tree. What that answers says what an upload wrote since, which the floor is made of. */
  readonly watch: (() => (sample: Sample) => Written) | null;
};

function ours(server: Ours, format: Format): Entrant {
  const tree = join(server.dataDir, 'tree', format, 'main');
  const folders =
    format === 'apt' ? ['dists', 'snapshots'] : ['stable-rpm/repodata', 'stable-rpm/generations'];
  const below = (): Set<string> => new Set(folders.flatMap((folder) => filesBelow(join(tree, folder))));
  return {
    contender: server[format],
    watch: () => {
      const seen = below();
      return (sample) => writtenBy(below().difference(seen), readFileSync(sample.path), format);
    },
  };
}

async function measure(
  entrants: readonly Entrant[],
  { sizes, rounds, engines }: Pick<Options, 'sizes' | 'rounds' | 'engines'>,
  dir: string,
): Promise<Measured[]> {
  const controls = controlFiles(sizes.at(-1) ?? 0);
  const binary = controls.filter(isBinary);
  const measured: Measured[] = [];
  // Unlike any version of an earlier run in the same folder.
  const run = Math.floor(Date.now() / 1000);
  const isBucket = engines.includes('s3');
  for (const size of sizes) {
    for (const { contender } of entrants) await fill(contender, controls, size, dir);
    const warm = async (entrant: Entrant): Promise<void> => {
      const count = isBucket ? warmUpsInBucket : warmUps;
      const suffix = `${run}.${size}.w`;
      await warmUp(
        entrant,
        Array.from({ length: count }, (_, n) => bump(binary[n % binary.length] ?? '', `${suffix}.${n}`)),
        dir,
      );
    };
    const own = entrants.filter(({ contender }) => contender.name.startsWith('entrepot'));
    if (isBucket) await Promise.all(own.map(warm));
    else for (const entrant of own) await warm(entrant);
    for (let round = 0; round <= rounds; round++) {
      if (isBucket) await setTimeout(pauseInBucketMs);
      const usable = binary.slice(0, Math.max(1, Math.floor((binary.length * size) / controls.length)));
      // From all over the index.
      const control = usable[Math.floor(((round + 0.5) / (rounds + 1)) * usable.length)] ?? '';
      const costs = await measureRound(entrants, bump(control, `${run}.${size}.${round}`), dir);
      say(
        `${size} packages, round ${round}: ${costs.map(([name, c]) => `${name} ${c.wallMs.toFixed(1)}`).join(', ')}`,
      );
      // The first round warms caches and is not counted.
      if (round > 0) for (const [name, cost, format] of costs) measured.push({ name, format, size, ...cost });
    }
  }
  return measured;
}

/** A server that has just started runs code that is not compiled yet; one that serves does not. */
async function warmUp({ contender }: Entrant, controls: readonly string[], dir: string): Promise<void> {
  const write = contender.format === 'apt' ? writeDeb : writeRpm;
  for (const control of controls) await contender.add(write(join(dir, 'new'), control));
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * Nobody waits for what another one, who leaves it to the kernel, has not written to the disk yet, nor shares the
 * processors with the threads that clear up what this program left in its memory: 25 ms of one upload in four.
 */
function settle(): void {
  collectGarbage();
  execFileSync('sync');
}

/** Every entrant in turn takes the same package. */
async function measureRound(
  entrants: readonly Entrant[],
  control: string,
  dir: string,
): Promise<[string, Cost, Format][]> {
  const samples = {
    apt: writeDeb(join(dir, 'new'), control),
    yum: writeRpm(join(dir, 'new'), control),
  };
  const costs: [string, Cost, Format][] = [];
  for (const { contender, watch } of entrants) {
    const sample = samples[contender.format];
    const written = watch?.();
    settle();
    costs.push([contender.name, await contender.add(sample), contender.format]);
    if (!written) continue;
    const bytes = written(sample);
    settle();
    costs.push(['floor', floorOf(bytes, dir), contender.format]);
  }
  return costs;
}

/** Brings a contender to a size; how far it is stands in a file beside it. */
async function fill(
  contender: Contender,
  controls: readonly string[],
  size: number,
  dir: string,
): Promise<void> {
  const { name, format } = contender;
  const note = join(dir, `filled-${format}-${name.replaceAll(/\W+/g, '-')}`);
  const filled = existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0;
  if (filled >= size) return;
  say(`${name} (${format}): from ${filled} to ${size} packages`);
  const write = format === 'apt' ? writeDeb : writeRpm;
  const folder = join(dir, 'packages', format);
  await contender.fill(controls.slice(filled, size).map((control) => write(folder, control)));
  writeFileSync(note, String(size));
}
