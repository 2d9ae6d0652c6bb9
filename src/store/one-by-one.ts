import type { PointerFile, StagedPointers, Store } from './store.ts';

/** `stagePointers` of a store that can do nothing beforehand. */
export function oneByOne(pointers: readonly PointerFile[], putPointer: Store['putPointer']): StagedPointers {
  return {
    place: async () => {
      for (const { key, bytes, lastModifiedMs } of pointers) await putPointer(key, bytes, lastModifiedMs);
    },
    discard: () => Promise.resolve(),
  };
}
