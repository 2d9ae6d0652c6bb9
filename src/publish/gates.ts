/** Gates by name: any number may be inside at once, or one that has shut the gate and waited until all were out. */
export class Gates {
  readonly #inside = new Map<string, Set<Promise<unknown>>>();
  /** Gates that are shut, until when. */
  readonly #shut = new Map<string, Promise<void>>();

  /** Runs `work` inside, as soon as the gate is open. */
  async enter<T>(name: string, work: () => Promise<T>): Promise<T> {
    for (let shut; (shut = this.#shut.get(name));) await shut;
    const inside = this.#inside.get(name) ?? new Set();
    this.#inside.set(name, inside);
    // No await since the gate was found open: who shuts it now finds this inside.
    const working = work();
    inside.add(working);
    try {
      return await working;
    } finally {
      inside.delete(working);
      if (inside.size === 0 && this.#inside.get(name) === inside) this.#inside.delete(name);
    }
  }

  /** Shuts the gate, waits until nobody is inside, and runs `work` alone. */
  async shut<T>(name: string, work: () => Promise<T>): Promise<T> {
    for (let shut; (shut = this.#shut.get(name));) await shut;
    const over = Promise.withResolvers<undefined>();
    this.#shut.set(name, over.promise);
    try {
      await Promise.allSettled([...(this.#inside.get(name) ?? [])]);
      return await work();
    } finally {
      this.#shut.delete(name);
      over.resolve(undefined);
    }
  }
}
