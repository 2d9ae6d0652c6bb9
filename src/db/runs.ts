/** A statement takes 32,766 parameters (SQLite) or 65,535 (PostgreSQL), and one of thousands is no faster. */
const itemsPerQuery = 500;

/** The answers to a query about any number of items, which is asked for a few hundred at a time. */
export async function inRuns<T, R>(items: readonly T[], query: (run: T[]) => Promise<R[]>): Promise<R[]> {
  const found: R[] = [];
  for (let start = 0; start < items.length; start += itemsPerQuery)
    found.push(...(await query(items.slice(start, start + itemsPerQuery))));
  return found;
}
