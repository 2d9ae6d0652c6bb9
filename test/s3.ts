/** Real S3s for tests: Ceph, which a script beside the checkout starts on loopback. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort } from './server.ts';

const scripts = resolve(import.meta.dirname, '../../shared/s3');

/** 16.2, which is old and strict, and 20.2, which is closest to today's S3. */
export const cephs = ['bookworm', 'forky'] as const;
export type CephRelease = (typeof cephs)[number];

/**
 * For tap's `skip` option: `false` when an S3 can be started here, else the reason. It needs root: the packages of
 * Ceph are installed when they are not there, or run under chroot.
 */
export function unlessS3(): string | false {
  if (!existsSync(join(scripts, 'start-ceph.sh')))
    return 'the scripts that start an S3 are not beside this checkout';
  return process.getuid?.() === 0 ? false : 'an S3 for tests is started by root only';
}

type Teardown = { readonly teardown: (work: () => unknown) => void };

export type Ceph = {
  readonly endpoint: string;
  /** The standard variables of AWS, with this S3. */
  readonly env: Readonly<Record<string, string>>;
  readonly stateDir: string;
  readonly port: number;
  /** The process that answers S3. */
  readonly gatewayPid: () => number;
  /** Starts what does not run. */
  readonly start: () => Promise<void>;
  /** A new bucket; `s3://` URL of it. `isPublic`: anybody may read everything in it. */
  readonly bucket: (options?: { readonly isPublic?: boolean }) => Promise<string>;
};

async function run(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(join(scripts, script), args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let failed = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (failed += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${failed}`);
  return said;
}

/** Credentials and endpoint also for this process: where a server in it finds them. */
export async function startCeph(
  t: Teardown,
  release: CephRelease,
  options: Readonly<Record<string, string>> = {},
): Promise<Ceph> {
  const stateDir = mkdtempSync(join(tmpdir(), `entrepot-${release}-`));
  const port = await freePort();
  const script = { S3_CEPH: release, S3_READY_TIMEOUT: '300', ...options };
  const start = async (): Promise<string> => await run('start-ceph.sh', [stateDir, String(port)], script);
  t.teardown(async () => {
    await run('stop-ceph.sh', [stateDir], {});
    rmSync(stateDir, { recursive: true, force: true });
  });
  const said = new Map(
    (await start())
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const endpoint = said.get('S3_ENDPOINT') ?? '';
  const env = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ACCESS_KEY_ID: said.get('AWS_ACCESS_KEY_ID') ?? '',
    AWS_SECRET_ACCESS_KEY: said.get('AWS_SECRET_ACCESS_KEY') ?? '',
    AWS_REGION: said.get('AWS_REGION') ?? '',
  };
  Object.assign(process.env, env);
  const client = new S3Client({ endpoint, forcePathStyle: true });
  t.teardown(() => client.destroy());
  let buckets = 0;
  return {
    endpoint,
    env,
    stateDir,
    port,
    gatewayPid: () => Number(readFileSync(join(stateDir, 'rgw.pid'), 'utf8').split(' ')[0]),
    start: async () => {
      await start();
    },
    bucket: async ({ isPublic = false } = {}) => {
      const name = `bucket-${++buckets}`;
      await client.send(new CreateBucketCommand({ Bucket: name }));
      if (isPublic)
        await client.send(new PutBucketPolicyCommand({ Bucket: name, Policy: publicPolicy(name) }));
      return `s3://${name}`;
    },
  };
}

/** As docs/bucket.md has it. */
function publicPolicy(bucket: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: '*',
        Action: ['s3:GetObject'],
        Resource: [`arn:aws:s3:::${bucket}/*`],
      },
    ],
  });
}
