/** The signing keys: each repository's file is there, opens, is the one of the catalog, and has not ended. */
import { listRepositories, listSigningKeys } from '../../db/repositories.ts';
import { KeyRing } from '../../registry/key-ring.ts';
import type { PublicKey } from '../../signing/public-key.ts';
import { fault, faultOf, good, warning, type Check, type Told } from '../finding.ts';
import { dayMs, moment, type ServerContext } from './context.ts';

const warnMs = 60 * dayMs;

function judge(repository: string, { fingerprint, expiresAt, createdAt }: PublicKey, now: number): Told {
  const todo = 'Bring in a key with a later end, or without one: see Keys in operating.md.';
  if (createdAt * 1000 > now)
    return fault(
      repository,
      `Its key was made on ${moment(createdAt * 1000)}, which is ahead of the clock.`,
      'Set the clock of this machine right.',
    );
  if (expiresAt === null) return good(repository, `Its key ${fingerprint} opens and does not expire.`);
  const end = moment(expiresAt * 1000);
  if (expiresAt * 1000 <= now) return fault(repository, `Its key ${fingerprint} expired on ${end}.`, todo);
  if (expiresAt * 1000 - now < warnMs)
    return warning(repository, `Its key ${fingerprint} expires on ${end}.`, todo);
  return good(repository, `Its key ${fingerprint} opens, and expires on ${end}.`);
}

export const signingKeys: Check<ServerContext> = {
  name: 'signing key',
  run: async ({ config, clock, openDb }) => {
    const db = await openDb();
    if (db === null || config.role === 'read') return [];
    const { keysDir, keyPassphrase } = config;
    const ring = new KeyRing({ db, clock, keysDir, passphrase: keyPassphrase });
    const told: Told[] = [];
    for (const { name } of await listRepositories(db)) {
      try {
        const { key } = await ring.signerOf(name);
        const known = await listSigningKeys(db, name);
        told.push(
          known.some(({ fingerprint }) => fingerprint === key.fingerprint)
            ? judge(name, key, clock.now())
            : fault(
                name,
                `Its key file holds ${key.fingerprint}, which the catalog does not know.`,
                `Put the file of ${known[0]?.fingerprint ?? 'its key'} back into ${keysDir}.`,
              ),
        );
      } catch (error) {
        told.push(faultOf(name, error));
      }
    }
    return told;
  },
};
