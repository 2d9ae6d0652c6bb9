/**
 * Publishing as it runs: one round at a time and channel, everything that arrives meanwhile joins the next one
 * (group commit), channels are independent of each other. Also the daily signing and the recovery at start.
 */
import { setImmediate } from 'node:timers/promises';
import type { ChannelRow } from '../db/catalog.ts';
import { getChannel, listChannels } from '../db/channels.ts';
import { findGeneration } from '../db/generations.ts';
import { countPending } from '../db/membership.ts';
import { AppError } from '../errors.ts';
import { alone, type Held, type Leases } from '../leases.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import { channelsUnknown, dateAhead } from './ahead.ts';
import type { PublishDeps } from './build.ts';
import { Gates } from './gates.ts';
import { IndexCache } from './index-cache.ts';
import { publishPending, signAgain } from './round.ts';
import { parseVisible, showGeneration } from './visible.ts';

/** Between two looks at what is to be signed again and what failed. */
const checkMs = 60_000;

/** Rounds that lose the head to another publisher before giving up. */
const attempts = 20;

export type PublisherDeps = PublishDeps & {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The age at which a signature is renewed. */
  readonly resignMs: number;
  /** Null for the only node. */
  readonly leases: Leases | null;
  /** Text of indexes in memory. */
  readonly indexCacheBytes?: number;
};

/** The repository in a channel's id. */
function repositoryOf(channelId: string): string {
  return channelId.slice(0, channelId.indexOf('/'));
}

/** Names of leases: of a round in a channel, and of who waits until there is none in a repository. */
const publishLease = (channelId: string): string => `publish ${channelId}`;
const quietLease = (repository: string): string => `quiet ${repository}`;

export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #cache: IndexCache;
  /** The round that runs for a channel, and the one that waits for it, which later callers share. */
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #waiting = new Map<string, Promise<number>>();
  /** The lease under which a channel's round runs, where there are several nodes. */
  readonly #held = new Map<string, Held>();
  /** By repository: what is being published or signed is inside. */
  readonly #gates = new Gates();
  /** Channels whose last round failed: it may have committed what clients do not see yet. */
  readonly #unshown = new Set<string>();
  /** Channels of which clients have seen more than the catalog knows, and the time of that (ahead.ts). */
  readonly #ahead = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#cache = new IndexCache(deps.indexCacheBytes);
  }

  /**
   * Resolves with a generation that holds every change that was pending when this was called, and the channel's
   * settings as they were, once clients see it. A caller that comes while a round runs shares the next one with
   * all others that do. Throws `channel_ahead`.
   */
  async publish(channelId: string): Promise<number> {
    this.refuseAhead(channelId);
    const waiting = this.#waiting.get(channelId);
    if (waiting) return await waiting;
    const next = this.#exclusively(channelId, async () => {
      // Those who come in the same turn of the event loop share the round: uploads are recorded many at once.
      await setImmediate();
      this.#waiting.delete(channelId);
      return await this.#publishAll(channelId);
    });
    this.#waiting.set(channelId, next);
    return await next;
  }

  /** Resolves when nothing is being published or signed in a channel; whatever came of it. */
  async settled(channelId: string): Promise<void> {
    for (let running = this.#running.get(channelId); running; running = this.#running.get(channelId))
      await running.catch(() => undefined);
  }

  /** Throws `channel_ahead` for a channel that waits for the operator's decision. */
  refuseAhead(channelId: string): void {
    const date = this.#ahead.get(channelId);
    if (date === undefined) return;
    const when = new Date(date * 1000).toISOString();
    throw new AppError(
      'channel_ahead',
      `${channelId} is served as of ${when}, which the catalog does not know.`,
    );
  }

  /** Throws `channel_ahead` when one of the channels of a repository waits for that. */
  refuseAheadIn(repository: string): void {
    for (const id of this.#ahead.keys()) if (repositoryOf(id) === repository) this.refuseAhead(id);
  }

  /**
   * Publishes what the catalog says of a channel that is served as of later, as its next generation, with a Date
   * after all that clients have seen. Answers the generation; of any other channel, its head.
   */
  async resume(channelId: string): Promise<number> {
    const date = this.#ahead.get(channelId);
    if (date === undefined) return await this.publish(channelId);
    // What clients have seen is never newer than what they get next, or apt keeps it without a word.
    if (this.#deps.clock.now() < (date + 1) * 1000) this.refuseAhead(channelId);
    return await this.#exclusively(channelId, async () => {
      const round = await this.#round(channelId, { afresh: true });
      if (!round) throw new Error(`${channelId}: the head moved while its catalog was taken`);
      this.#ahead.delete(channelId);
      return round.more ? await this.#publishAll(channelId) : round.generation;
    });
  }

  /** The head, once clients see it: for what was committed before. */
  async served(channelId: string): Promise<number> {
    this.refuseAhead(channelId);
    return await this.#exclusively(channelId, async () => {
      await this.#show(channelId);
      return (await getChannel(this.#deps.db, channelId)).head;
    });
  }

  /** Runs `work` when nothing else is being published or signed in this channel. */
  async #exclusively<T>(channelId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#running.get(channelId) ?? Promise.resolve();
    const begin = (): Promise<T> =>
      this.#gates.enter(repositoryOf(channelId), () => this.#amongNodes(channelId, work));
    const now = before.then(begin, begin);
    this.#running.set(channelId, now);
    try {
      return await now;
    } catch (error) {
      this.#unshown.add(channelId);
      throw error;
    } finally {
      if (this.#running.get(channelId) === now) this.#running.delete(channelId);
    }
  }

  /**
   * The same among all nodes. The lease spares rounds that would lose the head; what keeps history in one line is
   * the compare-and-set of the head. What a lease cannot rule out is a node that stood still between its commit and
   * its pointers, and then writes them over newer ones: who is not certain any more that it was alone shows the
   * head once more.
   */
  async #amongNodes<T>(channelId: string, work: () => Promise<T>): Promise<T> {
    const { leases } = this.#deps;
    if (!leases) return await work();
    const repository = repositoryOf(channelId);
    for (;;) {
      const outcome = await leases.hold(publishLease(channelId), async (held) => {
        // Written before this is read, as `quietly` does the other way round: one of the two sees the other.
        if (await leases.isHeld(quietLease(repository))) return null;
        if (held.takenOver) this.#unshown.add(channelId);
        this.#held.set(channelId, held);
        try {
          return { answer: await work() };
        } finally {
          this.#held.delete(channelId);
          if (!held.isCertain()) await this.#rollForward(channelId);
        }
      });
      if (outcome) return outcome.answer;
      await leases.free(quietLease(repository));
    }
  }

  /** Writes the pointers of the head, until it is the same afterwards. */
  async #rollForward(channelId: string): Promise<void> {
    const { db } = this.#deps;
    for (let shown = -1, { head } = await getChannel(db, channelId); shown !== head;) {
      this.#unshown.add(channelId);
      await this.#show(channelId);
      shown = head;
      ({ head } = await getChannel(db, channelId));
    }
  }

  /**
   * Runs `work` while nothing is being published or signed in any channel of a repository, also in one that is
   * made meanwhile: so nobody comes to name a file just when it is found to be named by nobody. Short, please.
   * Throws `channel_ahead`: the catalog does not know what such a channel names.
   */
  async quietly<T>(repository: string, work: (held: Held) => Promise<T>): Promise<T> {
    this.refuseAheadIn(repository);
    const { leases } = this.#deps;
    return await this.#gates.shut(repository, async () => {
      if (!leases) return await work(alone);
      return await leases.hold(quietLease(repository), async (held) => {
        await leases.free(publishLease(`${repository}/`));
        return await work(held);
      });
    });
  }

  async #publishAll(channelId: string): Promise<number> {
    await this.#show(channelId);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const round = await this.#round(channelId);
      if (round && !round.more) return round.generation;
      if (round) attempt = 0;
    }
    throw new Error(`${channelId}: the head moved under ${attempts} rounds in a row`);
  }

  async #round(channelId: string, how = { afresh: false }): ReturnType<typeof publishPending> {
    const start = performance.now();
    try {
      const deps = { ...this.#deps, cache: this.#cache, held: this.#held.get(channelId) ?? alone };
      const round = await publishPending(deps, channelId, how);
      this.#deps.metrics.countPublication(performance.now() - start);
      return round;
    } catch (error) {
      this.#cache.forget(channelId);
      throw error;
    }
  }

  /** Writes the pointers of the head again after a round that failed: it may have come as far as its commit. */
  async #show(channelId: string): Promise<void> {
    if (!this.#unshown.has(channelId)) return;
    const { db, store } = this.#deps;
    const { head: number } = await getChannel(db, channelId);
    const head = await findGeneration(db, channelId, number);
    const last = await findGeneration(db, channelId, number - 1);
    const before = last ? parseVisible(last.pointers) : null;
    // What was collected is not shown any more.
    if (head?.collected_at === null)
      await showGeneration(store, parseVisible(head.pointers), { date: head.date, before });
    this.#unshown.delete(channelId);
  }

  /**
   * After a start: what was committed becomes visible, what was asked for is published. A channel that fails is
   * logged and tried again with its next publication: the others are served all the same. One that is served as of
   * later than the catalog is left as it is served, and so is one that the catalog does not have.
   */
  async recover(): Promise<void> {
    for (const [id, date] of await channelsUnknown(this.#deps)) this.#leaveAhead(id, date);
    for (const channel of await listChannels(this.#deps.db)) {
      const { id } = channel;
      try {
        if (await this.#isAhead(channel)) continue;
        this.#unshown.add(id);
        await this.publish(id);
      } catch (error) {
        this.#deps.log.error({ err: error, channel: id }, 'could not be brought up to date');
      }
    }
  }

  async #isAhead(channel: ChannelRow): Promise<boolean> {
    const date = await dateAhead(this.#deps, channel);
    if (date === null) return false;
    this.#leaveAhead(channel.id, date);
    return true;
  }

  #leaveAhead(channel: string, date: number): void {
    this.#ahead.set(channel, date);
    this.#deps.log.error(
      { channel, code: 'channel_ahead', servedAsOf: new Date(date * 1000).toISOString() },
      'is served as of later than the catalog knows: nothing is published there until "entrepot resume"',
    );
  }

  /**
   * Writes the pointers of every channel whose last round failed, which may have come as far as between two of
   * them: clients must not wait for the next change to find a document and its signature together again.
   */
  async showUnshown(): Promise<void> {
    for (const id of [...this.#unshown])
      try {
        await this.served(id);
      } catch (error) {
        this.#deps.log.error({ err: error, channel: id }, 'could not be brought up to date');
      }
  }

  /**
   * Signs every channel whose signature is older than the configured age; returns their ids. One that cannot be
   * signed is logged and tried again the next time: the others must not expire with it.
   */
  async signStale(): Promise<string[]> {
    const { db, clock, log, resignMs } = this.#deps;
    const signed: string[] = [];
    for (const channel of await listChannels(db)) {
      const head = await findGeneration(db, channel.id, channel.head);
      if (channel.format !== 'apt' || !head || this.#ahead.has(channel.id)) continue;
      if (clock.now() - head.signed_at < resignMs) continue;
      try {
        // Settings that could not be published when they were changed: signing again is for what is published.
        await this.publish(channel.id);
        const sign = async (): Promise<boolean> => {
          // Another node may have done so while this one waited.
          const now = await findGeneration(db, channel.id, (await getChannel(db, channel.id)).head);
          if (now && clock.now() - now.signed_at < resignMs) return false;
          return await signAgain(this.#deps, channel.id);
        };
        if (await this.#exclusively(channel.id, sign)) signed.push(channel.id);
      } catch (error) {
        log.error({ err: error, channel: channel.id }, 'could not be signed again');
      }
    }
    return signed;
  }

  /** Publishes what waits in the catalog: a node that is gone may have recorded it. */
  async publishLeft(): Promise<void> {
    for (const id of (await countPending(this.#deps.db)).keys())
      try {
        await this.publish(id);
      } catch (error) {
        this.#deps.log.error({ err: error, channel: id }, 'could not be brought up to date');
      }
  }

  /** Looks for stale signatures, and for what failed or was left, now and then every minute, until `stop`. */
  start(): void {
    const check = async (): Promise<void> => {
      try {
        await this.showUnshown();
        if (this.#deps.leases) await this.publishLeft();
        const signed = await this.signStale();
        if (signed.length > 0) this.#deps.log.info({ channels: signed }, 'signed again');
      } catch (error) {
        this.#deps.log.error({ err: error }, 'could not sign again');
      }
    };
    void check();
    this.#timer = setInterval(() => void check(), Math.min(this.#deps.resignMs / 4, checkMs));
    this.#timer.unref();
  }

  /** Ends the timer and waits for the rounds that run. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.allSettled(this.#running.values());
    await this.#cache.close();
  }
}
