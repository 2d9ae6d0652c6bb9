import type { Clock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import type { Catalog } from '../../db/catalog.ts';
import type { Store } from '../../store/store.ts';

/** What the checks of a server look at. What could not be opened is null: the check that opens it says why. */
export type ServerContext = {
  readonly config: Config;
  readonly clock: Clock;
  /** Of who runs the doctor; undefined where users have no numbers. */
  readonly uid: number | undefined;
  /** Null where there is none. Throws why it cannot be used, the first time; it is null then. */
  readonly openDb: () => Promise<Catalog | null>;
  readonly openStore: () => Promise<Store>;
};

export const dayMs = 86_400_000;

/** A moment as people read it. */
export const moment = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
