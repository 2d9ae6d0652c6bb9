/** Creating a repository, with its signing key, and changing what may change of it. */
import { isDeepStrictEqual } from 'node:util';
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, RepositoryRow } from '../db/catalog.ts';
import { listSignedByOthers } from '../db/channel-packages.ts';
import { findRepository, insertRepository, listSigningKeys, updateRepository } from '../db/repositories.ts';
import { AppError } from '../errors.ts';
import type { Retention } from '../db/channel-options.ts';
import type { EphemeralRule } from './ephemeral.ts';
import type { KeyRing } from './key-ring.ts';
import type { Mutexes } from './mutexes.ts';
import { recordEvent } from './record-event.ts';
import type { Visibility } from './visibility.ts';
import type { SetupFiles } from './setup-files.ts';
import {
  goesByProducers,
  producersOf,
  readProducerKeys,
  writeProducerKeys,
  type SigningPolicy,
} from './signing-policy.ts';
import { transact } from '../db/transact.ts';

export type RepositorySettings = {
  readonly description?: string | undefined;
  /** The Origin that new channels get. */
  readonly origin?: string | undefined;
  readonly visibility?: 'public' | 'private' | undefined;
  readonly signing?: SigningPolicy | undefined;
  /** The keys of producers, armoured, in place of those before. */
  readonly producerKeys?: readonly string[] | undefined;
  /** Of the channels that have none of their own; null for none. */
  readonly retention?: Retention | null | undefined;
  /** Which channels an upload may make. */
  readonly ephemeral?: readonly EphemeralRule[] | undefined;
};

export type PutRepositoryDeps = {
  readonly db: Catalog;
  readonly clock: Clock;
  readonly keyRing: KeyRing;
  readonly identities: Mutexes;
  readonly visibility: Visibility;
  readonly setupFiles: SetupFiles;
};

/** Creates a repository or updates the settings that are given; a new one gets its signing key at once. */
export async function putRepository(
  deps: PutRepositoryDeps,
  actor: Actor,
  name: string,
  settings: RepositorySettings,
): Promise<{ repository: RepositoryRow; created: boolean }> {
  authorise(actor, 'admin', name);
  return await deps.identities.run(`repository ${name}`, async () => {
    const old = await findRepository(deps.db, name);
    const repository = changed(name, old, settings, deps.clock.now());
    refuseUnmeetable(repository);
    if (old) await refuseUnverifiable(deps.db, old, repository);
    if (!isDeepStrictEqual(old, repository))
      await transact(deps.db, async (db) => {
        if (old) await updateRepository(db, name, repository);
        else await insertRepository(db, repository);
        const kind = old ? 'repository-update' : 'repository-create';
        const detail = {
          ...settings,
          ...(settings.producerKeys && {
            producerKeys: producersOf(repository).map(({ fingerprint }) => fingerprint),
          }),
        };
        await recordEvent(db, { at: deps.clock.now(), actor, repository: name, kind, detail });
      });
    // After the row, which the key refers to; when this fails, the same call again makes up for it.
    await deps.visibility.set(name, repository.visibility === 'public');
    if (!(await deps.keyRing.has(name))) await deps.keyRing.generate(actor, name);
    if (old) await deps.setupFiles.writeRepository(name);
    return { repository, created: old === undefined };
  });
}

/** The row with the settings that are given, and for the others those before or what a new one has. */
function changed(
  name: string,
  old: RepositoryRow | undefined,
  settings: RepositorySettings,
  now: number,
): RepositoryRow {
  const { description, origin, visibility, retention, ephemeral, signing, producerKeys } = settings;
  const before: RepositoryRow = old ?? {
    name,
    description: `Packages of ${name}`,
    origin: name,
    visibility: 'public',
    created_at: now,
    ephemeral: '',
    retention: '',
    signing: 'always',
    producer_keys: '[]',
  };
  return {
    ...before,
    ...(description !== undefined && { description }),
    ...(origin !== undefined && { origin }),
    ...(visibility !== undefined && { visibility }),
    ...(retention !== undefined && { retention: JSON.stringify(retention) }),
    ...(ephemeral !== undefined && { ephemeral: JSON.stringify(ephemeral) }),
    ...(signing !== undefined && { signing }),
    ...(producerKeys && { producer_keys: writeProducerKeys(readProducerKeys(producerKeys, now / 1000)) }),
  };
}

function refuseUnmeetable({ signing, producer_keys }: RepositoryRow): void {
  if (!goesByProducers(signing) || producer_keys !== '[]') return;
  throw new AppError(
    'producer_keys_missing',
    `The signing policy "${signing}" goes by the keys of producers.`,
    {
      field: 'producerKeys',
    },
  );
}

/** How many of the packages that stand in the way are named. */
const namedPackages = 5;

/** A machine that is set up from now on checks packages with the keys that the repository names from now on. */
async function refuseUnverifiable(db: Catalog, old: RepositoryRow, repository: RepositoryRow): Promise<void> {
  const { name, signing, producer_keys } = repository;
  if (signing === 'never' || (old.signing === signing && old.producer_keys === producer_keys)) return;
  const keys = [...(await listSigningKeys(db, name)), ...producersOf(repository)];
  const fingerprints = keys.map(({ fingerprint }) => fingerprint);
  const scope = { repository: name, format: 'yum' } as const;
  const found = await listSignedByOthers(db, scope, fingerprints, namedPackages + 1);
  if (found.length === 0) return;
  const names = found.slice(0, namedPackages).map(({ filename }) => filename);
  throw new AppError(
    'packages_unverifiable',
    `Signed by none of the keys that "${name}" would have: ${names.join(', ')}` +
      (found.length > namedPackages ? ', and more.' : '.'),
    { field: signing === old.signing ? 'producerKeys' : 'signing' },
  );
}
