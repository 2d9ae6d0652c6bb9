import type { PackageRow } from '../db/catalog.ts';
import { AppError } from '../errors.ts';

/** A package whose file was collected cannot come back under its name (pulpcore#8042). */
export function refuseCollected(
  items: readonly Pick<PackageRow, 'name' | 'version' | 'collected_at'>[],
  what: string,
): void {
  const gone = items.filter((item) => item.collected_at !== null);
  const [first] = gone;
  if (!first) return;
  const others = gone.length > 1 ? ` and ${gone.length - 1} more` : '';
  throw new AppError(
    'package_collected',
    `${what} needs ${first.name} ${first.version}${others}, whose file was collected. Upload it again.`,
  );
}
