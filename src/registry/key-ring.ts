/** The signing keys of the repositories: private halves as files of the data directory, public ones published. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog } from '../db/catalog.ts';
import { insertSigningKey, listSigningKeys } from '../db/repositories.ts';
import { AppError } from '../errors.ts';
import { loadKeyFile, writeKeyFile } from '../signing/file-signer.ts';
import { generateKey } from '../signing/keys.ts';
import type { Signer } from '../signing/signer.ts';
import { recordEvent } from './record-event.ts';
import { transact } from '../db/transact.ts';

export type KeyRingDeps = {
  readonly db: Catalog;
  readonly clock: Clock;
  readonly keysDir: string;
  readonly passphrase: string | undefined;
};

export class KeyRing {
  readonly #deps: KeyRingDeps;
  readonly #signers = new Map<string, Promise<Signer>>();

  constructor(deps: KeyRingDeps) {
    this.#deps = deps;
  }

  #path(repository: string): string {
    return join(this.#deps.keysDir, `${repository}.asc`);
  }

  async has(repository: string): Promise<boolean> {
    return (await listSigningKeys(this.#deps.db, repository)).length > 0;
  }

  /** What signs for a repository; read from its key file once. Throws `key_missing` and what the file says. */
  async signerOf(repository: string): Promise<Signer> {
    let signer = this.#signers.get(repository);
    if (!signer) {
      signer = this.#load(repository);
      this.#signers.set(repository, signer);
      signer.catch(() => this.#signers.delete(repository));
    }
    return await signer;
  }

  async #load(repository: string): Promise<Signer> {
    const path = this.#path(repository);
    if (!existsSync(path))
      throw new AppError('key_missing', `There is no key file ${path} for "${repository}".`);
    return await loadKeyFile(path, this.#deps.passphrase);
  }

  /**
   * Makes the signing key of a repository, or takes up a key file that stands there already: one's own key, or
   * one from before a crash.
   */
  async generate(actor: Actor, repository: string): Promise<Signer> {
    const { db, clock, passphrase } = this.#deps;
    const path = this.#path(repository);
    if (!existsSync(path)) {
      const userId = `${repository} (package repository)`;
      const armored = await generateKey({ userId, createdAt: Math.floor(clock.now() / 1000), passphrase });
      await writeKeyFile(path, armored);
    }
    const signer = await this.signerOf(repository);
    const { fingerprint, armored, createdAt } = signer.key;
    await transact(db, async (transaction) => {
      await insertSigningKey(transaction, {
        fingerprint,
        repository,
        state: 'active',
        public_key: armored,
        created_at: createdAt * 1000,
      });
      const event = {
        at: clock.now(),
        actor,
        repository,
        kind: 'key-generate',
        detail: { fingerprint },
      } as const;
      await recordEvent(transaction, event);
    });
    return signer;
  }
}
