/** The last step of a publication, and of the recovery from a crash: what clients start from is written. */
import type { Placement } from '../formats/format.ts';
import { settleAll } from '../settle.ts';
import type { PointerFile, Store } from '../store/store.ts';

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
  /** As that of `StagedVisible`. */
  readonly prepared: Promise<void>;
  /** Makes it visible, once it is committed. `before` is what was shown last, where that is known. */
  readonly show: (before: Visible | null) => Promise<void>;
  /** Leaves nothing of it. */
  readonly discard: () => Promise<void>;
};

/** A pointer as it stands in the store. */
type Shown = { readonly bytes: Uint8Array; readonly lastModifiedMs: number };

/**
 * Pointers as they are shown, by key; null for one that is not there. To be begun early: failing is told to whoever
 * waits for it, if anybody comes to that.
 */
export function readShown(
  store: Store,
  pointers: Visible['pointers'],
): Promise<ReadonlyMap<string, Shown | null>> {
  const entries = pointers.map(async ({ key }) => [key, await shownAt(store, key)] as const);
  const shown = Promise.all(entries).then((all) => new Map(all));
  shown.catch(() => undefined);
  return shown;
}

async function shownAt(store: Store, key: string): Promise<Shown | null> {
  const file = await store.open(key);
  return file && { lastModifiedMs: file.lastModifiedMs, bytes: await file.bytes() };
}

/** What is at hand when pointers are prepared. */
type AtHand = {
  /** Seconds since 1970. */
  readonly date: number;
  /** Files that are being written to the store, by key. */
  readonly known: ReadonlyMap<string, Uint8Array>;
  /** As `readShown` answers; what it was not asked for is looked for. */
  readonly shown: ReturnType<typeof readShown>;
};

/** Gets ready what shows a generation, so that after the commit it only has to be put in place. */
export function prepareGeneration(
  store: Store,
  aliases: Visible['aliases'],
  pointers: readonly PointerFile[],
): Unveiling {
  const { prepared, place, discard } = store.stageVisible({ aliases, pointers });
  const show = async (before: Visible | null): Promise<void> => {
    await place();
    // A form that is no longer made: left, its plain name would show an old index for ever.
    const kept = new Set(aliases.map(({ key }) => key));
    const gone = before?.aliases.filter(({ key }) => !kept.has(key)) ?? [];
    await settleAll(gone.map(({ key }) => store.delete(key)));
  };
  return { prepared, show, discard };
}

/** Makes a committed generation visible. */
export async function showGeneration(
  store: Store,
  visible: Visible,
  { date, before }: { readonly date: number; readonly before: Visible | null },
): Promise<void> {
  const shown = readShown(store, visible.pointers);
  const pointers = await preparePointers(store, visible.pointers, { date, known: new Map(), shown });
  await prepareGeneration(store, visible.aliases, pointers).show(before);
}

/** Pointers as they are to be written, without those that stand there already. What is not at hand is read. */
export async function preparePointers(
  store: Store,
  pointers: Visible['pointers'],
  { date, known, shown }: AtHand,
): Promise<(PointerFile & { readonly from: string })[]> {
  const prepared = await Promise.all(
    pointers.map(async ({ key, from }) => {
      const bytes = known.get(from) ?? (await bytesOf(store, from));
      const found = (await shown).get(key);
      const old = found === undefined ? await shownAt(store, key) : found;
      const pointer = preparePointer(key, { bytes, old, date });
      return pointer && { ...pointer, from };
    }),
  );
  return prepared.filter((pointer) => pointer !== null);
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
function preparePointer(
  key: string,
  { bytes, old, date }: { readonly bytes: Uint8Array; readonly old: Shown | null; readonly date: number },
): PointerFile | null {
  if (old && Buffer.compare(old.bytes, bytes) === 0) return null;
  const after = old ? Math.floor(old.lastModifiedMs / 1000) + 1 : date;
  return { key, bytes, lastModifiedMs: Math.max(date, after) * 1000 };
}
