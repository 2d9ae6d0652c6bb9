/** What packages bring to an index with a line for each path, and what they take with them. */
import { setImmediate } from 'node:timers/promises';
import type { Catalog } from '../db/catalog.ts';
import { loadFacts, pagesOfFiles, parseFacts } from '../db/packages.ts';
import type { FilePlan } from '../formats/format.ts';
import { MentionSorter, toByteString, type MentionBatches } from '../index/lines.ts';

/** Packages whose facts are in memory at once. */
const packagesPerRun = 500;

/** Ids of packages that come into an index, or leave it. */
export type Moves = { readonly added: readonly string[]; readonly removed: readonly string[] };

/** The lines in which these packages stand, as changes of an index. Reads their files and nothing else. */
export async function lineChanges(
  db: Catalog,
  plan: FilePlan,
  { added, removed }: Moves,
): Promise<MentionBatches> {
  const sorter = new MentionSorter();
  for (const [packages, count] of [
    [added, 1],
    [removed, -1],
  ] as const)
    for (let start = 0; start < packages.length; start += packagesPerRun)
      await addLines(db, plan, sorter, packages.slice(start, start + packagesPerRun), count);
  return sorter.sorted();
}

async function addLines(
  db: Catalog,
  plan: FilePlan,
  sorter: MentionSorter,
  packages: readonly string[],
  count: number,
): Promise<void> {
  const names = new Map<string, string>();
  for (const row of await loadFacts(db, packages))
    names.set(row.id, toByteString(plan.nameOf(row.name, parseFacts(row).section)));
  for await (const page of pagesOfFiles(db, packages)) {
    await sorter.add(
      page.flatMap((file) => {
        const key = plan.keyOf(file);
        return key === null
          ? []
          : [{ key: toByteString(key), name: names.get(file.package) ?? file.package, count }];
      }),
    );
    // SQLite answers at once: without this nobody else would have a turn.
    await setImmediate();
  }
}
