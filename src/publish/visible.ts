/** The last step of a publication, and of the recovery from a crash: what clients start from is written. */
import type { Placement } from '../formats/format.ts';
import type { Store } from '../store/store.ts';

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
  await Promise.all(visible.aliases.map((alias) => store.putAlias(alias.key, alias.target)));
  for (const pointer of visible.pointers) {
    const file = await store.open(pointer.from);
    if (!file) throw new Error(`${pointer.from} is missing from the store`);
    await showPointer(store, pointer.key, await file.bytes(), date);
  }
  // A form that is no longer made: left, its plain name would show an old index for ever.
  const kept = new Set(visible.aliases.map(({ key }) => key));
  const gone = before?.aliases.filter(({ key }) => !kept.has(key)) ?? [];
  await Promise.all(gone.map(({ key }) => store.delete(key)));
}

/**
 * Writes a pointer. Its time is `date`, or a second after what stands there when that is no older: apt
 * revalidates by time alone and in whole seconds, so two contents never share one (DESIGN, "What clients see").
 */
async function showPointer(store: Store, key: string, bytes: Buffer, date: number): Promise<void> {
  const old = await store.open(key);
  let lastModified = date;
  if (old) {
    const shownSince = Math.floor(old.lastModifiedMs / 1000);
    if ((await old.bytes()).equals(bytes)) return;
    lastModified = Math.max(date, shownSince + 1);
  }
  await store.putPointer(key, bytes, lastModified * 1000);
}
