/** Choosing packages of a channel by what they are. */
import type { ChannelPackage } from '../db/channel-packages.ts';
import { AppError } from '../errors.ts';

/** Every member that is given has to agree; `source` is the name of a source package. */
export type Selector = {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly architecture?: string | undefined;
  readonly source?: string | undefined;
  readonly sourceVersion?: string | undefined;
  /** Of the file as served. */
  readonly sha256?: string | undefined;
};

function agrees(item: ChannelPackage, selector: Selector): boolean {
  const says: [string | undefined, string | null][] = [
    [selector.name, item.name],
    [selector.version, item.version],
    [selector.architecture, item.architecture],
    [selector.source, item.source_name ?? item.name],
    [selector.sourceVersion, item.source_version ?? item.version],
    [selector.sha256, item.sha256],
  ];
  return says.every(([wanted, has]) => wanted === undefined || wanted === has);
}

function writeSelector(selector: Selector): string {
  return Object.entries(selector)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} "${value}"`)
    .join(', ');
}

/** Those that any selector means. Throws `not_found` for a selector that means none: it would be a mistake. */
export function selectPackages(
  items: readonly ChannelPackage[],
  selectors: readonly Selector[],
  channel: string,
): ChannelPackage[] {
  const chosen = new Set<ChannelPackage>();
  for (const selector of selectors) {
    const found = items.filter((item) => agrees(item, selector));
    if (found.length === 0)
      throw new AppError('not_found', `${channel} holds no package with ${writeSelector(selector)}.`);
    for (const item of found) chosen.add(item);
  }
  return [...chosen];
}
