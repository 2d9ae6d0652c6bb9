/**
 * Publishing as it runs: one round at a time and channel, everything that arrives meanwhile joins the next one
 * (group commit), channels are independent of each other. Also the daily signing and the recovery at start.
 */
import { listChannels } from '../db/channels.ts';
import { findGeneration } from '../db/generations.ts';
import { channelsWithPendingChanges } from '../db/membership.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import type { PublishDeps } from './build.ts';
import { IndexCache } from './index-cache.ts';
import { publishPending, signAgain } from './round.ts';
import { parseVisible, showGeneration } from './visible.ts';

/** Rounds that lose the head to another publisher before giving up. */
const attempts = 20;

export type PublisherDeps = PublishDeps & {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The age at which a signature is renewed. */
  readonly resignMs: number;
};

export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #cache = new IndexCache();
  /** The round that runs for a channel, and the one that waits for it, which later callers share. */
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #waiting = new Map<string, Promise<number>>();
  /** Channels to publish anew although no package changed: their settings did. */
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves with a generation that holds every change that was pending when this was called, once clients see
   * it. A caller that comes while a round runs shares the next one with all others that do.
   */
  async publish(channelId: string): Promise<number> {
    const waiting = this.#waiting.get(channelId);
    if (waiting) return await waiting;
    const next = this.#exclusively(channelId, async () => {
      this.#waiting.delete(channelId);
      return await this.#publishAll(channelId);
    });
    this.#waiting.set(channelId, next);
    return await next;
  }

  /** The same for a channel whose settings changed: a generation of its own, even with the same packages. */
  async publishSettings(channelId: string): Promise<number> {
    this.#changed.add(channelId);
    return await this.publish(channelId);
  }

  /** Runs `work` when nothing else is being published or signed in this channel. */
  async #exclusively<T>(channelId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#running.get(channelId) ?? Promise.resolve();
    const now = before.then(work, work);
    this.#running.set(channelId, now);
    try {
      return await now;
    } finally {
      if (this.#running.get(channelId) === now) this.#running.delete(channelId);
    }
  }

  async #publishAll(channelId: string): Promise<number> {
    const settingsChanged = this.#changed.delete(channelId);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const round = await this.#round(channelId, settingsChanged);
      if (round && !round.more) return round.generation;
      if (round) attempt = 0;
    }
    throw new Error(`${channelId}: the head moved under ${attempts} rounds in a row`);
  }

  async #round(channelId: string, settingsChanged: boolean): ReturnType<typeof publishPending> {
    try {
      return await publishPending({ ...this.#deps, cache: this.#cache }, channelId, settingsChanged);
    } catch (error) {
      this.#cache.forget(channelId);
      throw error;
    }
  }

  /** After a start: what was committed becomes visible, what was asked for is published. */
  async recover(): Promise<void> {
    for (const channel of await listChannels(this.#deps.db)) {
      const head = await findGeneration(this.#deps.db, channel.id, channel.head);
      if (head) await showGeneration(this.#deps.store, parseVisible(head.pointers), head.date);
    }
    for (const channelId of await channelsWithPendingChanges(this.#deps.db)) await this.publish(channelId);
  }

  /** Signs every channel whose signature is older than the configured age; returns their ids. */
  async signStale(): Promise<string[]> {
    const { db, clock, resignMs } = this.#deps;
    const signed: string[] = [];
    for (const channel of await listChannels(db)) {
      const head = await findGeneration(db, channel.id, channel.head);
      if (channel.format !== 'apt' || !head || clock.now() - head.signed_at < resignMs) continue;
      if (await this.#exclusively(channel.id, () => signAgain(this.#deps, channel.id)))
        signed.push(channel.id);
    }
    return signed;
  }

  /** Looks for stale signatures now and then regularly, until `stop`. */
  start(): void {
    const check = (): void => {
      this.signStale().then(
        (signed) => {
          if (signed.length > 0) this.#deps.log.info({ channels: signed }, 'signed again');
        },
        (error: unknown) => this.#deps.log.error({ err: error }, 'could not sign again'),
      );
    };
    check();
    this.#timer = setInterval(check, Math.min(this.#deps.resignMs / 4, 15 * 60_000));
    this.#timer.unref();
  }

  /** Ends the timer and waits for the rounds that run. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.allSettled(this.#running.values());
  }
}
