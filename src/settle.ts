/**
 * Waits for all of them, and then fails with the first that failed. With `Promise.all` a write that is still on its
 * way would land after the failure, perhaps on what the next attempt has written under the same name.
 */
export async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work))
    if (outcome.status === 'rejected') throw outcome.reason;
}
