/** What relations between packages mean, as far as a channel can answer it from its own packages. */
import type { Relation } from './package.ts';

/** One package, or one thing that packages provide, that would fulfil a requirement. */
export type Wanted = {
  readonly name: string;
  readonly operator: '<' | '<=' | '=' | '>=' | '>' | null;
  /** Empty without an operator. */
  readonly version: string;
};

/** Something that a package answers to; `version` is null when it provides a bare name. */
export type Provision = { readonly name: string; readonly version: string | null };

/** How a format's relations are read. Relations are in the words of `PackageFacts`. */
export interface RelationFormat {
  /** The names that a relation of any kind is about. */
  readonly names: (relation: Relation) => readonly string[];
  /** What must be there when the package is installed: for each requirement the alternatives that fulfil it. */
  readonly requirements: (relations: readonly Relation[]) => readonly (readonly Wanted[])[];
  /** What the package itself answers to, its own name included. */
  readonly provisions: (
    self: { readonly name: string; readonly version: string },
    relations: readonly Relation[],
  ) => readonly Provision[];
  readonly fulfils: (provision: Provision, wanted: Wanted) => boolean;
}

/** Whether an order says yes to a comparison: `order` is below, equal to or above 0 as in sorting. */
export function holds(order: number, operator: NonNullable<Wanted['operator']>): boolean {
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
  }
}
