/** The queue of deliveries: in the catalog, so that a restart loses none, and tried until they arrive or are given up. */
import type { Clock } from '../clock.ts';
import type { Catalog } from '../db/catalog.ts';
import {
  claimDelivery,
  deleteOldDeliveries,
  listDue,
  settleAttempt,
  type DueDelivery,
} from '../db/webhooks.ts';
import type { Logger } from '../logger.ts';
import { send, type SendDeps } from './send.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
/** The pauses after each attempt that failed; after the last it is given up, a day and a half after the first. */
const pausesMs: readonly number[] = [
  10 * secondMs,
  minuteMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  6 * hourMs,
  12 * hourMs,
  16 * hourMs,
];
/** Longer than an attempt can take: another server, or the next start, then takes it up. */
const claimMs = minuteMs;
const lookEveryMs = secondMs;
const atOnce = 8;
const keptMs = 30 * 24 * hourMs;

export type DeliveriesDeps = SendDeps & {
  readonly db: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
};

export class Deliveries {
  readonly #deps: DeliveriesDeps;
  #running: Promise<number> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #cleanedAt = 0;

  constructor(deps: DeliveriesDeps) {
    this.#deps = deps;
  }

  /** Tries everything that is due, once; answers how many attempts that were. One run at a time. */
  async deliverDue(): Promise<number> {
    while (this.#running) await this.#running;
    this.#running = this.#deliverDue().finally(() => {
      this.#running = undefined;
    });
    return await this.#running;
  }

  async #deliverDue(): Promise<number> {
    const { db, clock } = this.#deps;
    const now = clock.now();
    if (now - this.#cleanedAt > hourMs) {
      this.#cleanedAt = now;
      await deleteOldDeliveries(db, now - keptMs);
    }
    const due = await listDue(db, now, atOnce);
    const tried = await Promise.all(due.map((delivery) => this.#deliver(delivery)));
    return tried.filter(Boolean).length;
  }

  async #deliver(delivery: DueDelivery): Promise<boolean> {
    const { db, clock, log } = this.#deps;
    const now = clock.now();
    if (!(await claimDelivery(db, delivery, now + claimMs))) return false;
    const { status, answer } = await send(this.#deps, { ...delivery, nowMs: now });
    const arrived = status !== null && status >= 200 && status < 300;
    const pause = arrived ? undefined : pausesMs[delivery.attempts];
    await settleAttempt(db, delivery.id, {
      attempts: delivery.attempts + 1,
      next_at: pause === undefined ? null : clock.now() + pause,
      tried_at: now,
      status,
      answer,
    });
    const { id, webhook, kind } = delivery;
    log.debug(
      { delivery: id, webhook, kind, status },
      arrived ? 'webhook delivered' : 'webhook not delivered',
    );
    return true;
  }

  /** Looks for what is due every second, until `stop`. */
  start(): void {
    const look = (): void => {
      if (this.#running) return;
      this.deliverDue().catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'the queue of webhooks could not be read');
      });
    };
    this.#timer = setInterval(look, lookEveryMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running?.catch(() => undefined);
  }
}
