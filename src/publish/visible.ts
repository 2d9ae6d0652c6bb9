/** The last step of a publication, and of the recovery from a crash: what clients start from is written. */
import type { Placement } from '../formats/format.ts';
import type { Store } from '../store/store.ts';
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

/** Makes a committed generation visible: plain names first, the pointers that clients start from last. */
export async function showGeneration(
  store: Store,
  visible: Visible,
  { date, before }: { readonly date: number; readonly before: Visible | null },
): Promise<void> {
  await settleAll(visible.aliases.map((alias) => store.putAlias(alias.key, alias.target)));
  const pointers = await Promise.all(visible.pointers.map((pointer) => preparePointer(store, pointer, date)));
  for (const { key, bytes, lastModified } of pointers.filter((pointer) => pointer !== null))
    await store.putPointer(key, bytes, lastModified * 1000);
  // A form that is no longer made: left, its plain name would show an old index for ever.
  const kept = new Set(visible.aliases.map(({ key }) => key));
  const gone = before?.aliases.filter(({ key }) => !kept.has(key)) ?? [];
  await settleAll(gone.map(({ key }) => store.delete(key)));
}

type Pointer = { readonly key: string; readonly bytes: Buffer; readonly lastModified: number };

/**
 * A pointer as it is to be written; null when it stands there already. Its time is `date`, or a second after what
 * stands there when that is no older: apt revalidates by time alone and in whole seconds, so two contents never
 * share one (DESIGN, "What clients see").
 */
async function preparePointer(
  store: Store,
  { key, from }: Visible['pointers'][number],
  date: number,
): Promise<Pointer | null> {
  const [file, old] = await Promise.all([store.open(from), store.open(key)]);
  const [bytes, shown] = await Promise.all([file?.bytes(), old?.bytes()]);
  if (!bytes) throw new Error(`${from} is missing from the store`);
  if (shown?.equals(bytes) === true) return null;
  const after = old ? Math.floor(old.lastModifiedMs / 1000) + 1 : date;
  return { key, bytes, lastModified: Math.max(date, after) };
}
