/** The last step of a publication, and of the recovery from a crash: what clients start from is written. */
import type { Placement } from '../formats/format.ts';
import type { PointerFile, StagedPointers, Store } from '../store/store.ts';
import { settleAll } from './settle.ts';

/** What a generation's pointers show; kept in the catalog so that a crash after the commit is rolled forward. */
export type Visible = Pick<Placement, 'aliases' | 'pointers'>;

export function writeVisible(placement: Placement): string {
  return JSON.stringify({ aliases: placement.aliases, pointers: placement.pointers } satisfies Visible);
}

export function parseVisible(text: string): Visible {
  // Written by writeVisible into our own catalog.
  return JSON.parse(text) as Visible;
}

/** A generation that clients do not see yet. One of the two is to be called, once. */
export type Unveiling = {
  /** Makes it visible, once it is committed. `before` is what was shown last, where that is known. */
  readonly show: (before: Visible | null) => Promise<void>;
  /** Leaves nothing of it. */
  readonly discard: () => Promise<void>;
};

/** Gets the pointers ready, so that after the commit they only have to be put in place. */
export function prepareGeneration(store: Store, visible: Visible, date: number): Unveiling {
  const ready = stagePointers(store, visible, date);
  // Told by `show`.
  ready.catch(() => undefined);
  const discard = async (): Promise<void> => {
    await (await ready.catch(() => null))?.discard();
  };
  const show = async (before: Visible | null): Promise<void> => {
    try {
      // Plain names first, the pointers that clients start from last.
      await settleAll(visible.aliases.map((alias) => store.putAlias(alias.key, alias.target)));
    } catch (error) {
      await discard();
      throw error;
    }
    await (await ready).place();
    // A form that is no longer made: left, its plain name would show an old index for ever.
    const kept = new Set(visible.aliases.map(({ key }) => key));
    const gone = before?.aliases.filter(({ key }) => !kept.has(key)) ?? [];
    await settleAll(gone.map(({ key }) => store.delete(key)));
  };
  return { show, discard };
}

/** Makes a committed generation visible. */
export async function showGeneration(
  store: Store,
  visible: Visible,
  { date, before }: { readonly date: number; readonly before: Visible | null },
): Promise<void> {
  await prepareGeneration(store, visible, date).show(before);
}

async function stagePointers(store: Store, { pointers }: Visible, date: number): Promise<StagedPointers> {
  const prepared = await Promise.all(pointers.map((pointer) => preparePointer(store, pointer, date)));
  return store.stagePointers(prepared.filter((pointer) => pointer !== null));
}

/**
 * A pointer as it is to be written; null when it stands there already. Its time is `date`, or a second after what
 * stands there when that is no older: apt revalidates by time alone and in whole seconds, so two contents never
 * share one (DESIGN, "What clients see").
 */
async function preparePointer(
  store: Store,
  { key, from }: Visible['pointers'][number],
  date: number,
): Promise<PointerFile | null> {
  const [file, old] = await Promise.all([store.open(from), store.open(key)]);
  const [bytes, shown] = await Promise.all([file?.bytes(), old?.bytes()]);
  if (!bytes) throw new Error(`${from} is missing from the store`);
  if (shown?.equals(bytes) === true) return null;
  const after = old ? Math.floor(old.lastModifiedMs / 1000) + 1 : date;
  return { key, bytes, lastModifiedMs: Math.max(date, after) * 1000 };
}
