/**
 * What one of several nodes does alone: publishing a channel, deciding what stands under a file name, collecting. A
 * lease is a row of the catalog that its holder counts on; a row that stands still for `leaseMs` is taken over. No
 * clock is compared with another one's: each node measures by its own how long it has seen no change.
 */
import { setTimeout } from 'node:timers/promises';
import type { Catalog } from './db/catalog.ts';
import { giveLeaseBack, listLeases, renewLease, takeLease, takeOverLease, wantLease } from './db/leases.ts';
import type { SeenLease } from './db/leases.ts';
import { AppError } from './errors.ts';
import { createId } from './ids.ts';

/** From the last sign of life of a holder to the one who takes over: failover is this and some seconds. */
const leaseMs = 12_000;
const renewEveryMs = 3_000;
/** Before the end of what is certain: a write that is begun has to arrive. */
const marginMs = 4_000;
const pauseMs = 15;
/** Who gave back what others wait for lets them come first. */
const yieldMs = 3 * pauseMs;

/** What `work` knows of the lease that it runs under. */
export type Held = {
  /** Whether the one before was gone without giving it back: what was begun may be half done. */
  readonly takenOver: boolean;
  /** Whether nobody else can have it yet. */
  readonly isCertain: () => boolean;
  /** Throws `catalog_unavailable` unless it is certain: to be called right before what cannot be undone. */
  readonly confirm: () => void;
  /**
   * The same as a part of a transaction: it holds only if the lease still does when it is committed, whatever the
   * clocks say, and nobody takes the lease over in between.
   */
  readonly confirmIn: (transaction: Catalog) => Promise<void>;
};

/** Of the only node: nobody else is there. */
export const alone: Held = {
  takenOver: false,
  isCertain: () => true,
  confirm: () => undefined,
  confirmIn: () => Promise.resolve(),
};

/** A holder as it was seen first; when it does not change for `leaseMs`, it is gone. */
class Watch {
  #seen: SeenLease | null = null;
  #since = 0;

  /** Whether the holder has stood still for too long. */
  isGone(seen: SeenLease): boolean {
    if (this.#seen?.holder !== seen.holder || this.#seen.renewals !== seen.renewals) {
      this.#seen = seen;
      this.#since = performance.now();
    }
    return performance.now() - this.#since > leaseMs;
  }
}

async function pause(): Promise<void> {
  await setTimeout(pauseMs * (0.5 + Math.random()));
}

export class Leases {
  readonly #db: Catalog;
  readonly #yieldUntil = new Map<string, number>();
  /** All leases at the last look, also those that nobody waits for. */
  #watches: ReadonlyMap<string, Watch> = new Map();
  #lookedAt = -Infinity;

  constructor(db: Catalog) {
    this.#db = db;
  }

  /** Runs `work` while no other node runs something under this name. */
  async hold<T>(name: string, work: (held: Held) => Promise<T>): Promise<T> {
    const holder = createId(Date.now());
    await this.#letOthersFirst(name);
    const begun = await this.#take(name, holder);
    const renewal = this.#keep(name, holder, begun.at);
    try {
      return await work({ ...renewal.held, takenOver: begun.takenOver });
    } finally {
      clearInterval(renewal.timer);
      // What is not given back is taken over.
      const isWanted = await giveLeaseBack(this.#db, name, holder).catch(() => false);
      if (isWanted) this.#yieldUntil.set(name, performance.now() + yieldMs);
    }
  }

  /** Resolves once no node holds a lease whose name begins so, given back or left by a holder who is gone. */
  async free(prefix: string): Promise<void> {
    const watches = new Map<string, Watch>();
    for (;;) {
      const held = (await listLeases(this.#db, prefix)).filter((seen) => {
        const watch = watches.get(seen.name) ?? new Watch();
        watches.set(seen.name, watch);
        return !watch.isGone(seen);
      });
      if (held.length === 0) return;
      await pause();
    }
  }

  async isHeld(name: string): Promise<boolean> {
    return (await listLeases(this.#db, name)).some((lease) => lease.name === name);
  }

  /**
   * While one lease is waited for, all are looked at now and then: a node that is lost leaves many, and an upload
   * needs several, which would be waited for one after the other.
   */
  async #look(): Promise<void> {
    if (performance.now() - this.#lookedAt < renewEveryMs) return;
    this.#lookedAt = performance.now();
    const watches = new Map<string, Watch>();
    for (const seen of await listLeases(this.#db, '')) {
      const watch = this.#watches.get(seen.name) ?? new Watch();
      watch.isGone(seen);
      watches.set(seen.name, watch);
    }
    this.#watches = watches;
  }

  async #letOthersFirst(name: string): Promise<void> {
    const until = this.#yieldUntil.get(name);
    if (until === undefined) return;
    this.#yieldUntil.delete(name);
    await setTimeout(Math.max(0, until - performance.now()));
  }

  async #take(name: string, holder: string): Promise<{ takenOver: boolean; at: number }> {
    const watch = new Watch();
    for (let isFirst = true; ; isFirst = false) {
      const at = performance.now();
      const seen = await takeLease(this.#db, name, holder);
      if (!seen) return { takenOver: false, at };
      await this.#look();
      const isGone = watch.isGone(seen) || this.#watches.get(name)?.isGone(seen) === true;
      if (isGone && (await takeOverLease(this.#db, seen, holder))) return { takenOver: true, at };
      if (isFirst) await wantLease(this.#db, name);
      await pause();
    }
  }

  #keep(
    name: string,
    holder: string,
    takenAt: number,
  ): { held: Omit<Held, 'takenOver'>; timer: NodeJS.Timeout } {
    let certainUntil = takenAt + leaseMs - marginMs;
    const renew = async (): Promise<void> => {
      const at = performance.now();
      if (await renewLease(this.#db, name, holder)) certainUntil = at + leaseMs - marginMs;
      else certainUntil = 0;
    };
    const timer = setInterval(() => void renew().catch(() => undefined), renewEveryMs);
    timer.unref();
    const isCertain = (): boolean => performance.now() < certainUntil;
    const lost = (): AppError =>
      new AppError('catalog_unavailable', `Another node may have taken "${name}" over meanwhile.`);
    const confirm = (): void => {
      if (!isCertain()) throw lost();
    };
    const confirmIn = async (transaction: Catalog): Promise<void> => {
      if (!(await renewLease(transaction, name, holder))) throw lost();
    };
    return { held: { isCertain, confirm, confirmIn }, timer };
  }
}
