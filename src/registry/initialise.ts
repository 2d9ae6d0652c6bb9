/** What an empty data directory gets, so that the first upload can follow at once. */
import type { Actor } from '../auth/permissions.ts';
import { createToken, type TokenDeps } from './create-token.ts';
import { putChannel, type PutChannelDeps } from './put-channel.ts';
import { putRepository, type PutRepositoryDeps } from './put-repository.ts';

const repository = 'main';
const aptChannel = 'stable';
const yumChannel = 'stable-rpm';

export type Initialised = {
  readonly repository: string;
  readonly aptChannel: string;
  readonly yumChannel: string;
  readonly fingerprint: string;
};

export type InitialiseDeps = PutRepositoryDeps & PutChannelDeps & TokenDeps;

/** A repository with its key, a channel of each format, and `token` as the admin token. */
export async function initialise(deps: InitialiseDeps, token: string): Promise<Initialised> {
  const actor: Actor = { kind: 'operator', name: 'first start' };

  await putRepository(deps, actor, repository, {});
  await putChannel(deps, actor, repository, aptChannel, { format: 'apt' });
  await putChannel(deps, actor, repository, yumChannel, { format: 'yum' });
  // Last: a start that finds a token has nothing left to make.
  await createToken(deps, actor, { name: 'admin', scope: 'admin', repositories: [], expiresAt: null }, token);
  const { fingerprint } = (await deps.keyRing.signerOf(repository)).key;
  return { repository, aptChannel, yumChannel, fingerprint };
}
