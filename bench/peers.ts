/** The servers' rivals as an operator would run them: the same compression, the same kind of key, a warm agent. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costOf, type Cost } from './measure.ts';
import type { Sample } from './samples.ts';

/** Something that holds packages and publishes them. */
export type Contender = {
  readonly name: string;
  readonly format: 'apt' | 'yum';
  /** Takes many packages at once, by whatever way is fastest. */
  readonly fill: (samples: readonly Sample[]) => Promise<void>;
  /** One package: from the file to what clients see, signed. */
  readonly add: (sample: Sample) => Promise<Cost>;
};

/** A GnuPG home with an RSA-4096 key, its agent running. */
export function gpgHome(dir: string): Record<string, string> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const env = { GNUPGHOME: dir };
  execFileSync(
    'gpg',
    ['--batch', '--passphrase', '', '--quick-gen-key', 'bench', 'rsa4096', 'sign', 'never'],
    {
      env: { PATH: process.env['PATH'], ...env },
      stdio: 'ignore',
    },
  );
  return env;
}

export function stopAgent(env: Record<string, string>): void {
  execFileSync('gpgconf', ['--kill', 'all'], { env: { PATH: process.env['PATH'], ...env } });
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const sign = 'gpg --batch --yes -u bench';

/** How many paths fit into one argument of a program (MAX_ARG_STRLEN of Linux, 128 KiB). */
const filesPerRun = 500;

/** Runs a script over many files, some hundreds at a time. */
async function inRuns(
  samples: readonly Sample[],
  script: (files: string) => string,
  env: Record<string, string>,
  dir: string,
): Promise<void> {
  for (let start = 0; start < samples.length; start += filesPerRun) {
    const files = samples.slice(start, start + filesPerRun).map((sample) => quote(sample.path));
    await costOf(script(files.join(' ')), env, dir);
  }
}

export function reprepro(dir: string, env: Record<string, string>): Contender {
  mkdirSync(join(dir, 'conf'), { recursive: true });
  writeFileSync(
    join(dir, 'conf/distributions'),
    'Codename: stable\nArchitectures: amd64\nComponents: main\nSignWith: bench\nDebIndices: Packages Release . .gz\n',
  );
  const include = (files: string, options = ''): string =>
    `reprepro --silent --ignore=extension ${options} includedeb stable ${files}`;
  return {
    name: 'reprepro',
    format: 'apt',
    fill: async (samples) => {
      await inRuns(samples, (files) => include(files, '--export=never'), env, dir);
      await costOf('reprepro --silent export stable', env, dir);
    },
    add: (sample) => costOf(include(quote(sample.path)), env, dir),
  };
}

export function aptly(dir: string, env: Record<string, string>): Contender {
  mkdirSync(dir, { recursive: true });
  const config = join(dir, 'aptly.conf');
  writeFileSync(config, JSON.stringify({ rootDir: dir, gpgProvider: 'gpg', architectures: ['amd64'] }));
  const run = `aptly -config=${quote(config)}`;
  const publish = '-skip-contents -skip-bz2 -batch -gpg-key=bench';
  let published = existsSync(join(dir, 'public/dists/stable'));
  return {
    name: 'aptly',
    format: 'apt',
    fill: async (samples) => {
      if (!published) await costOf(`${run} repo create -distribution=stable -component=main bench`, env, dir);
      await inRuns(samples, (files) => `${run} repo add bench ${files} >/dev/null`, env, dir);
      await costOf(
        published ? `${run} publish update ${publish} stable` : `${run} publish repo ${publish} bench`,
        env,
        dir,
      );
      published = true;
    },
    add: (sample) =>
      costOf(
        `${run} repo add bench ${quote(sample.path)}; ${run} publish update ${publish} stable`,
        env,
        dir,
      ),
  };
}

export function aptFtparchive(dir: string, env: Record<string, string>): Contender {
  const index = join(dir, 'dists/stable/main/binary-amd64');
  mkdirSync(join(dir, 'pool'), { recursive: true });
  mkdirSync(index, { recursive: true });
  const publish = `
apt-ftparchive --db cache.db packages pool > dists/stable/main/binary-amd64/Packages
gzip -6 -nkf dists/stable/main/binary-amd64/Packages
apt-ftparchive release dists/stable > Release.new
mv Release.new dists/stable/Release
${sign} -a -b -o dists/stable/Release.gpg dists/stable/Release
${sign} --clearsign -o dists/stable/InRelease dists/stable/Release`;
  return {
    name: 'apt-ftparchive + gpg',
    format: 'apt',
    fill: async (samples) => {
      await inRuns(samples, (files) => `cp ${files} pool/`, env, dir);
      await costOf(publish, env, dir);
    },
    add: (sample) => costOf(`cp ${quote(sample.path)} pool/${publish}`, env, dir),
  };
}

export function createrepo(dir: string, env: Record<string, string>): Contender {
  mkdirSync(join(dir, 'packages'), { recursive: true });
  const publish = `
createrepo_c --quiet --update --no-database .
${sign} -a -b -o repodata/repomd.xml.asc repodata/repomd.xml`;
  return {
    name: 'createrepo_c --update + gpg',
    format: 'yum',
    fill: async (samples) => {
      await inRuns(samples, (files) => `cp ${files} packages/`, env, dir);
      await costOf(publish, env, dir);
    },
    add: (sample) => costOf(`cp ${quote(sample.path)} packages/${publish}`, env, dir),
  };
}
