import { settleAll } from '../settle.ts';
import type { StagedVisible, Store, VisibleFiles } from './store.ts';

/** `stageVisible` of a store that can do nothing beforehand. */
export function oneByOne(
  { aliases, pointers }: VisibleFiles,
  { putAlias, putPointer }: Pick<Store, 'putAlias' | 'putPointer'>,
): StagedVisible {
  return {
    place: async () => {
      await settleAll(aliases.map(({ key, target }) => putAlias(key, target)));
      for (const { key, bytes, lastModifiedMs } of pointers) await putPointer(key, bytes, lastModifiedMs);
    },
    discard: () => Promise.resolve(),
  };
}
