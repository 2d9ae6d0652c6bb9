/** What a change would break for machines, as far as the channel's own packages tell. */
import type { Catalog } from '../db/catalog.ts';
import { listNamed, listRelated, loadRelations, type ChannelPackage } from '../db/channel-packages.ts';
import type { Provision, RelationFormat, Wanted } from '../formats/relation.ts';
import { placeKey, type Difference } from './difference.ts';

export type Warning = {
  readonly code: 'downgrade' | 'last_version' | 'uninstallable';
  readonly message: string;
};

/** Warnings that are spelled out; more of a kind say no more. */
const maxWarnings = 200;

/** Names whose newest version goes back, or of which nothing is left. */
export function versionWarnings({ moves }: Pick<Difference, 'moves'>): Warning[] {
  return moves.flatMap(({ kind, name, architecture, from, to }): Warning[] => {
    if (kind === 'downgrade')
      return [
        {
          code: 'downgrade',
          message: `${name} (${architecture}) goes back from ${from ?? ''} to ${to ?? ''}: machines that have the newer one keep it.`,
        },
      ];
    if (kind === 'gone')
      return [
        {
          code: 'last_version',
          message: `${name} (${architecture}) ${from ?? ''} is the last version in the channel: new machines cannot install it any more.`,
        },
      ];
    return [];
  });
}

/** A set before and after a change, both at least as far as the change reaches. */
export type Sets = { readonly before: readonly ChannelPackage[]; readonly after: readonly ChannelPackage[] };

/**
 * Packages that could be installed from the channel's own set before the change and no longer can. What the
 * channel never had is the distribution's business and is not asked for here.
 */
export async function installabilityWarnings(
  db: Catalog,
  channel: string,
  relations: RelationFormat,
  sets: Sets,
): Promise<Warning[]> {
  const reader = new RelationReader(db, relations);
  const gone = difference(sets.before, sets.after);
  const come = difference(sets.after, sets.before);
  await reader.load([...gone, ...come]);
  const lost = namesOf(gone.flatMap((item) => reader.provisions(item)));
  const gonePlaces = new Set(gone.map(placeKey));
  const requirers = await listRelated(db, channel, ['depends', 'pre-depends', 'requires'], lost);
  const staying = requirers.filter((item) => !gonePlaces.has(placeKey(item)));
  await reader.load(staying);
  const wanted = namesOf([...come, ...staying].flatMap((item) => reader.requirements(item).flat()));
  const there = await providersOf(db, channel, wanted);
  await reader.load([...there, ...sets.before, ...sets.after]);
  const before = offers([...there, ...sets.before], reader);
  const after = offers([...there.filter((item) => !gonePlaces.has(placeKey(item))), ...sets.after], reader);
  const unmet = (item: ChannelPackage, offered: Offers): (readonly Wanted[])[] =>
    reader.requirements(item).filter((requirement) => !isMet(requirement, item, offered, relations));
  // Known to the channel, now or before: else it is for the distribution to answer.
  const ours = (requirement: readonly Wanted[]): boolean =>
    requirement.some(({ name }) => after.has(name) || before.has(name));
  const broken = [
    ...come.map((item) => ({ item, requirements: unmet(item, after).filter(ours) })),
    ...staying.map((item) => {
      const already = new Set(unmet(item, before));
      return { item, requirements: unmet(item, after).filter((one) => ours(one) && !already.has(one)) };
    }),
  ];
  return broken
    .flatMap(({ item, requirements }) => requirements.map((requirement) => uninstallable(item, requirement)))
    .slice(0, maxWarnings);
}

function uninstallable(
  { name, version, architecture }: ChannelPackage,
  requirement: readonly Wanted[],
): Warning {
  const what = requirement.map(writeWanted).join(' | ');
  return {
    code: 'uninstallable',
    message: `${name} ${version} (${architecture}) would not find ${what} in the channel.`,
  };
}

function namesOf(items: readonly { readonly name: string }[]): string[] {
  return [...new Set(items.map(({ name }) => name))];
}

function difference(a: readonly ChannelPackage[], b: readonly ChannelPackage[]): ChannelPackage[] {
  const other = new Set(b.map(placeKey));
  return a.filter((item) => !other.has(placeKey(item)));
}

/** What packages require and provide, read from the catalog once for each. */
class RelationReader {
  readonly #db: Catalog;
  readonly #relations: RelationFormat;
  readonly #requirements = new Map<string, readonly (readonly Wanted[])[]>();
  readonly #provisions = new Map<string, readonly Provision[]>();

  constructor(db: Catalog, relations: RelationFormat) {
    this.#db = db;
    this.#relations = relations;
  }

  async load(items: readonly ChannelPackage[]): Promise<void> {
    const fresh = new Map(
      items.filter(({ id }) => !this.#requirements.has(id)).map((item) => [item.id, item]),
    );
    for (const [id, found] of await loadRelations(this.#db, [...fresh.keys()])) {
      this.#requirements.set(id, this.#relations.requirements(found));
      const self = fresh.get(id);
      if (self) this.#provisions.set(id, this.#relations.provisions(self, found));
    }
  }

  requirements({ id }: ChannelPackage): readonly (readonly Wanted[])[] {
    return this.#requirements.get(id) ?? [];
  }

  provisions({ id }: ChannelPackage): readonly Provision[] {
    return this.#provisions.get(id) ?? [];
  }
}

async function providersOf(
  db: Catalog,
  channel: string,
  names: readonly string[],
): Promise<ChannelPackage[]> {
  const found = [
    ...(await listNamed(db, channel, names)),
    ...(await listRelated(db, channel, ['provides'], names)),
  ];
  return [...new Map(found.map((item) => [placeKey(item), item])).values()];
}

type Offers = ReadonlyMap<
  string,
  readonly { readonly provision: Provision; readonly architecture: string }[]
>;

function offers(items: readonly ChannelPackage[], reader: RelationReader): Offers {
  const offered = new Map<string, { provision: Provision; architecture: string }[]>();
  for (const item of items)
    for (const provision of reader.provisions(item)) {
      const list = offered.get(provision.name) ?? [];
      list.push({ provision, architecture: item.architecture });
      offered.set(provision.name, list);
    }
  return offered;
}

const everywhere = new Set(['all', 'noarch']);

function isMet(
  requirement: readonly Wanted[],
  { architecture }: ChannelPackage,
  offered: Offers,
  { fulfils }: RelationFormat,
): boolean {
  const fits = (other: string): boolean =>
    other === architecture || everywhere.has(other) || everywhere.has(architecture);
  return requirement.some((wanted) =>
    offered.get(wanted.name)?.some((offer) => fits(offer.architecture) && fulfils(offer.provision, wanted)),
  );
}

function writeWanted({ name, operator, version }: Wanted): string {
  return operator === null ? name : `${name} ${operator} ${version}`;
}
