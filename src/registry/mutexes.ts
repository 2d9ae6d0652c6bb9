import { alone, type Held, type Leases } from '../leases.ts';

/** Locks by name: who holds one runs alone among those with the same name, on this node and on all others. */
export class Mutexes {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #leases: Leases | null;

  /** `leases`: null for the only node. */
  constructor(leases: Leases | null) {
    this.#leases = leases;
  }

  async run<T>(name: string, work: (held: Held) => Promise<T>): Promise<T> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const leases = this.#leases;
    const result = before.then(() => (leases ? leases.hold(name, work) : work(alone)));
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(name, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    }
  }
}

/**
 * Who holds this lock alone decides what stands under a file name of a repository's pool: an upload from the check
 * of its identity to its record, the collector when it deletes. By file name and not by identity, since two
 * identities can share one.
 */
export function packageLock(repository: string, format: string, filename: string): string {
  return `package ${repository}/${format}/${filename}`;
}
