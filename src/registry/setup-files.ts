/** What sets a machine up: the keys and the files under `setup/`, published beside the indexes. */
import type { Catalog, ChannelRow } from '../db/catalog.ts';
import { listChannels } from '../db/channels.ts';
import { findRepository, listSigningKeys } from '../db/repositories.ts';
import type { ChannelForm } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import type { FormatName } from '../formats/package.ts';
import { channelForm } from '../publish/build.ts';
import { dearmorPublicKey } from '../signing/keys.ts';
import type { Clock } from '../clock.ts';
import type { Store } from '../store/store.ts';
import { producerKeysOf } from './signing-policy.ts';

export type SetupFilesDeps = {
  readonly db: Catalog;
  readonly store: Store;
  readonly clock: Clock;
  readonly publicUrl: string;
};

/** The public keys of a repository, each in its own armour block, as clients read them. */
export function keyFileKeys(repository: string): { armored: string; binary: string } {
  return { armored: `keys/${repository}.asc`, binary: `keys/${repository}.gpg` };
}

/** Not beside the repositories' own: any of their names could be another repository's. */
const producersFileKey = (repository: string): string => `keys/producers/${repository}.asc`;

/** The key files of a channel's repository, and the channel's own set-up files. */
export async function makeSetupFiles(
  db: Catalog,
  channel: ChannelForm,
  format: FormatName,
): Promise<{ key: string; bytes: Buffer }[]> {
  const keys = await listSigningKeys(db, channel.repository);
  const armored = keys.map((key) => key.public_key).join('');
  const names = keyFileKeys(channel.repository);
  const repository = await findRepository(db, channel.repository);
  const producers = repository ? producerKeysOf(repository).join('') : '';
  const producersKey = producers === '' ? null : producersFileKey(channel.repository);
  const packagesSigned = repository?.signing !== 'never';
  const files = formatOf(format).channels.setupFiles(channel, { armored, producersKey, packagesSigned });
  return [
    ...(producersKey === null ? [] : [{ key: producersKey, bytes: Buffer.from(producers) }]),
    { key: names.armored, bytes: Buffer.from(armored) },
    { key: names.binary, bytes: Buffer.concat(keys.map((key) => dearmorPublicKey(key.public_key))) },
    ...files.map(({ key, text }) => ({ key, bytes: Buffer.from(text) })),
  ];
}

export class SetupFiles {
  readonly #deps: SetupFilesDeps;

  constructor(deps: SetupFilesDeps) {
    this.#deps = deps;
  }

  /** Writes the key files of a channel's repository and the channel's own set-up files. */
  async write(channel: ChannelRow): Promise<void> {
    const { db, publicUrl } = this.#deps;
    for (const file of await makeSetupFiles(db, channelForm(channel, publicUrl), channel.format))
      await this.#put(file.key, file.bytes);
  }

  /** Removes the channel's own set-up files: nobody is to be set up for it any more. */
  async remove(channel: ChannelRow): Promise<void> {
    const { store, publicUrl } = this.#deps;
    const trust = { armored: '', producersKey: null, packagesSigned: true };
    const form = channelForm(channel, publicUrl);
    for (const { key } of formatOf(channel.format).channels.setupFiles(form, trust)) await store.delete(key);
  }

  /** The same for the channels of a repository, when what machines trust has changed. */
  async writeRepository(repository: string): Promise<void> {
    const { db, store } = this.#deps;
    for (const channel of await listChannels(db, repository)) await this.write(channel);
    const row = await findRepository(db, repository);
    if (row && producerKeysOf(row).length === 0) await store.delete(producersFileKey(repository));
  }

  /** The same for every channel: after a start, when the public URL may be another. */
  async writeAll(): Promise<void> {
    for (const channel of await listChannels(this.#deps.db)) await this.write(channel);
  }

  async #put(key: string, bytes: Buffer): Promise<void> {
    const { store, clock } = this.#deps;
    const old = await store.open(key);
    if (old && (await old.bytes()).equals(bytes)) return;
    await store.putPointer(key, bytes, clock.now());
  }
}
