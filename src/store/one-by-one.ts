import { settleAll } from '../settle.ts';
import type { NewNames, StagedVisible, Store, VisibleFiles } from './store.ts';

/** `placeAll` of a store that gains nothing by doing several together. */
export async function placeOneByOne(
  { files, aliases }: NewNames,
  { putAlias }: Pick<Store, 'putAlias'>,
): Promise<void> {
  await settleAll(files.map(({ key, file }) => file.place(key)));
  await settleAll(aliases.map(({ key, target }) => putAlias(key, target)));
}

/** `stageVisible` of a store that can do nothing beforehand. */
export function oneByOne(
  { aliases, pointers }: VisibleFiles,
  { putAlias, putPointer }: Pick<Store, 'putAlias' | 'putPointer'>,
): StagedVisible {
  return {
    prepared: Promise.resolve(),
    place: async () => {
      await settleAll(aliases.map(({ key, target }) => putAlias(key, target)));
      for (const { key, bytes, lastModifiedMs } of pointers) await putPointer(key, bytes, lastModifiedMs);
    },
    discard: () => Promise.resolve(),
  };
}
