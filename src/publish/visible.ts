/** The last step of a publication, and of the recovery from a crash: what clients start from is written. */
import type { Placement } from '../formats/format.ts';
import { settleAll } from '../settle.ts';
import type { PointerFile, StagedVisible, Store, StoredFile } from '../store/store.ts';

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

/**
 * Gets ready what shows a generation, so that after the commit it only has to be put in place.
 * `known`: files that are being written to the store, by key; the others are read from it.
 */
export function prepareGeneration(
  store: Store,
  visible: Visible,
  { date, known = new Map() }: { readonly date: number; readonly known?: ReadonlyMap<string, Uint8Array> },
): Unveiling {
  const ready = stage(store, visible, { date, known });
  // Told by `show`.
  ready.catch(() => undefined);
  const discard = async (): Promise<void> => {
    await (await ready.catch(() => null))?.discard();
  };
  const show = async (before: Visible | null): Promise<void> => {
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
  await prepareGeneration(store, visible, { date }).show(before);
}

async function stage(
  store: Store,
  { aliases, pointers }: Visible,
  { date, known }: { readonly date: number; readonly known: ReadonlyMap<string, Uint8Array> },
): Promise<StagedVisible> {
  const prepared = await Promise.all(
    pointers.map(async ({ key, from }) => {
      const [bytes, old] = await Promise.all([known.get(from) ?? bytesOf(store, from), store.open(key)]);
      return await preparePointer(key, { bytes, old, date });
    }),
  );
  return store.stageVisible({ aliases, pointers: prepared.filter((pointer) => pointer !== null) });
}

async function bytesOf(store: Store, key: string): Promise<Uint8Array> {
  const file = await store.open(key);
  if (!file) throw new Error(`${key} is missing from the store`);
  return await file.bytes();
}

/**
 * A pointer as it is to be written; null when it stands there already. Its time is `date`, or a second after what
 * stands there when that is no older: apt revalidates by time alone and in whole seconds, so two contents never
 * share one (DESIGN, "What clients see").
 */
async function preparePointer(
  key: string,
  {
    bytes,
    old,
    date,
  }: { readonly bytes: Uint8Array; readonly old: StoredFile | null; readonly date: number },
): Promise<PointerFile | null> {
  const shown = await old?.bytes();
  if (shown?.equals(bytes) === true) return null;
  const after = old ? Math.floor(old.lastModifiedMs / 1000) + 1 : date;
  return { key, bytes, lastModifiedMs: Math.max(date, after) * 1000 };
}
