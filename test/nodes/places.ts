/** What the scenarios of several nodes run on: a real PostgreSQL, and a real S3 where there is one. */
import { bucketRule } from '../bucket-rule.ts';
import { unlessInstalled } from '../clients.ts';
import { unlessRoot } from '../clients/roots.ts';
import { startPostgres } from '../postgres.ts';
import { startCeph, unlessS3 } from '../s3.ts';
import type { Scenario } from './failover.ts';

type Teardown = { readonly teardown: (work: () => unknown) => void };

export async function openPlaces(t: Teardown): Promise<Pick<Scenario, 'postgres' | 'bucket' | 'hasClients'>> {
  const [postgres, bucket] = await Promise.all([
    startPostgres(t),
    unlessS3() === false ? openBucket(t) : undefined,
  ]);
  const hasClients = unlessInstalled('apt-get', 'dpkg-deb', 'dnf', 'rpm') === false && unlessRoot === false;
  return { postgres, hasClients, ...(bucket && { bucket }) };
}

async function openBucket(t: Teardown): Promise<NonNullable<Scenario['bucket']>> {
  const ceph = await startCeph(t, 'forky');
  const store = `${await ceph.bucket({ isPublic: true })}/tree`;
  const url = `${ceph.endpoint}/${store.slice('s3://'.length)}`;
  return { store, env: ceph.env, place: { apt: url, yum: await bucketRule(t, url) } };
}
