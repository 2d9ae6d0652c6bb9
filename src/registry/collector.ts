/** Collection as it runs: of all repositories, regularly, and when it is asked for. */
import { authorise, type Actor } from '../auth/permissions.ts';
import { listRepositories } from '../db/repositories.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { collect, type CollectDeps, type Collection } from './collect.ts';

const operator: Actor = { kind: 'operator', name: 'collector' };

export type CollectAllRequest = {
  readonly actor: Actor;
  /** Null for all, which needs the whole server. */
  readonly repository: string | null;
  readonly dryRun: boolean;
};

/** Throws `channel_ahead`, once all other repositories are collected. */
export async function collectAll(deps: CollectDeps, request: CollectAllRequest): Promise<Collection[]> {
  const { actor, repository, dryRun } = request;
  authorise(actor, 'admin', repository);
  const names =
    repository === null ? (await listRepositories(deps.db)).map(({ name }) => name) : [repository];
  const collections: Collection[] = [];
  let refused: AppError | undefined;
  for (const name of names)
    try {
      // Files that only a newer catalog names would be taken for nobody's.
      deps.publisher.refuseAheadIn(name);
      collections.push(await collect(deps, { actor, repository: name, dryRun }));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'channel_ahead') throw error;
      refused ??= error;
    }
  if (refused !== undefined) throw refused;
  return collections;
}

export class Collector {
  readonly #deps: CollectDeps & { readonly log: Logger };
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(deps: CollectDeps & { readonly log: Logger }) {
    this.#deps = deps;
  }

  /** Collects every `everyMs` until `stop`; never when that is 0. */
  start(everyMs: number): void {
    if (everyMs === 0) return;
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#collect());
    }, everyMs);
    this.#timer.unref();
  }

  /** Ends the timer and waits for what runs. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #collect(): Promise<void> {
    const { db, log } = this.#deps;
    try {
      for (const { name } of await listRepositories(db)) await this.#collectOne(name);
    } catch (error) {
      log.error({ err: error }, 'could not collect');
    }
  }

  /** One that fails keeps no other from being collected. */
  async #collectOne(repository: string): Promise<void> {
    const { log } = this.#deps;
    try {
      const request = { actor: operator, repository, dryRun: false };
      for (const { generations, packages, deleted, bytes } of await collectAll(this.#deps, request))
        if (generations.length + packages.length + deleted.length > 0)
          log.info(
            {
              repository,
              generations: generations.length,
              packages: packages.length,
              files: deleted.length,
              bytes: bytes.deleted,
            },
            'collected',
          );
    } catch (error) {
      log.error({ err: error, repository }, 'could not collect');
    }
  }
}
