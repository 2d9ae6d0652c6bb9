/** A database and an S3 for a bench, private and on this machine, as durable as anywhere else. */
import { startPostgres } from '../test/postgres.ts';
import { startCeph } from '../test/s3.ts';

export const engineNames = ['postgres', 's3'] as const;
export type EngineName = (typeof engineNames)[number];

export type Engines = {
  /** Settings of a server that has them: a catalog and a bucket of its own. */
  readonly newSettings: () => Promise<Record<string, string>>;
  readonly stop: () => Promise<void>;
};

/** Starts those that are named; a server has SQLite and a directory in place of the others. */
export async function startEngines(names: readonly EngineName[]): Promise<Engines> {
  const undo: (() => unknown)[] = [];
  const t = { teardown: (work: () => unknown): void => void undo.unshift(work) };
  const postgres = names.includes('postgres') ? await startPostgres(t, { isDurable: true }) : null;
  const ceph = names.includes('s3') ? await startCeph(t, 'forky', { S3_STORE: 'bluestore' }) : null;
  return {
    newSettings: async () => ({
      ...(postgres && { ENTREPOT_DATABASE_URL: await postgres.newDatabase() }),
      ...(ceph && { ...ceph.env, ENTREPOT_STORE: await ceph.bucket() }),
    }),
    stop: async () => {
      for (const work of undo) await work();
    },
  };
}
