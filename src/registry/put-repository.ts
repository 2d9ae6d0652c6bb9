/** Creating a repository, with its signing key, and changing what may change of it. */
import { isDeepStrictEqual } from 'node:util';
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, RepositoryRow } from '../db/catalog.ts';
import { findRepository, insertRepository, updateRepository } from '../db/repositories.ts';
import type { KeyRing } from './key-ring.ts';
import type { Mutexes } from './mutexes.ts';
import { recordEvent } from './record-event.ts';

export type RepositorySettings = {
  readonly description?: string | undefined;
  /** The Origin that new channels get. */
  readonly origin?: string | undefined;
  readonly visibility?: 'public' | 'private' | undefined;
};

export type PutRepositoryDeps = {
  readonly db: Catalog;
  readonly clock: Clock;
  readonly keyRing: KeyRing;
  readonly identities: Mutexes;
  /** Which repositories are public, for the read path, which asks no database. */
  readonly visibility: Map<string, 'public' | 'private'>;
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
    const repository: RepositoryRow = {
      name,
      description: settings.description ?? old?.description ?? `Packages of ${name}`,
      origin: settings.origin ?? old?.origin ?? name,
      visibility: settings.visibility ?? old?.visibility ?? 'public',
      created_at: old?.created_at ?? deps.clock.now(),
      ephemeral: old?.ephemeral ?? '',
      retention: old?.retention ?? '',
    };
    if (!isDeepStrictEqual(old, repository))
      await deps.db.transaction().execute(async (db) => {
        const { description, origin, visibility } = repository;
        if (old) await updateRepository(db, name, { description, origin, visibility });
        else await insertRepository(db, repository);
        const kind = old ? 'repository-update' : 'repository-create';
        await recordEvent(db, { at: deps.clock.now(), actor, repository: name, kind, detail: settings });
      });
    // After the row, which the key refers to; when this fails, the same call again makes up for it.
    deps.visibility.set(name, repository.visibility);
    if (!(await deps.keyRing.has(name))) await deps.keyRing.generate(actor, name);
    return { repository, created: old === undefined };
  });
}
