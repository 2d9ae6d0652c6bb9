import type { Store } from './store.ts';

/** Rises when what a store shows has changed through it, before whoever changed it goes on. */
export type Changes = { count: number };

/** The store itself, which counts what may change an answer that was given before. New names do not. */
export function watched(store: Store, changes: Changes): Store {
  const counted = async <T>(change: Promise<T>): Promise<T> => {
    try {
      return await change;
    } finally {
      changes.count++;
    }
  };
  return {
    putImmutable: store.putImmutable.bind(store),
    putImmutableFile: store.putImmutableFile.bind(store),
    stage: store.stage.bind(store),
    open: store.open.bind(store),
    list: store.list.bind(store),
    putPointer: (...pointer) => counted(store.putPointer(...pointer)),
    stagePointers: (pointers) => {
      const staged = store.stagePointers(pointers);
      return { ...staged, place: () => counted(staged.place()) };
    },
    putAlias: (...alias) => counted(store.putAlias(...alias)),
    delete: (key) => counted(store.delete(key)),
  };
}
