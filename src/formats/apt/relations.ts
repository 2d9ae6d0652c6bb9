/** Relations between packages: Debian policy 7.1, by the grammar of dpkg's `f_dependency` (lib/dpkg/fields.c). */
import type { Finding, Relation, RelationKind } from '../package.ts';
import { AppError } from '../../errors.ts';
import { fieldFault, type Fields } from './control.ts';
import { versionFault } from './version.ts';

type FieldRule = { readonly field: string; readonly kind: RelationKind; readonly alternatives: boolean };

/** The fields that dpkg and apt act on, in dpkg's order. */
const rules: readonly FieldRule[] = [
  { field: 'Pre-Depends', kind: 'pre-depends', alternatives: true },
  { field: 'Depends', kind: 'depends', alternatives: true },
  { field: 'Recommends', kind: 'recommends', alternatives: true },
  { field: 'Suggests', kind: 'suggests', alternatives: true },
  { field: 'Enhances', kind: 'enhances', alternatives: true },
  { field: 'Conflicts', kind: 'conflicts', alternatives: false },
  { field: 'Breaks', kind: 'breaks', alternatives: false },
  { field: 'Replaces', kind: 'replaces', alternatives: false },
  { field: 'Provides', kind: 'provides', alternatives: false },
];

/** Fields of the same form that no client acts on, and that are therefore listed but not checked. */
const informative = ['Built-Using', 'Static-Built-Using'];

/** One package that a relation names. */
export type Possibility = {
  readonly name: string;
  /** `any`, or an architecture. */
  readonly qualifier: string | null;
  readonly operator: '<<' | '<=' | '=' | '>=' | '>>' | null;
  readonly version: string;
};

/** Alternatives, of which one is enough. */
export type Clause = readonly Possibility[];

type Fault = (what: string) => Error;

/** Packages named in one field. Real fields have up to 2,000; a generated one of 20,000 has been seen. */
const maxPossibilities = 100_000;

/**
 * One possibility, blanks already reduced to single spaces. Build profiles and architecture lists stand in
 * source packages only, and match nothing here.
 */
const possibility = /^([^ :(,|]+)(?::([^ (,|]+))? ?(?:\( ?(<<|<=|<|>>|>=|>|=|) ?([^ ()]+) ?\))?$/;

function parsePossibility(text: string, fault: Fault): Possibility {
  const match = possibility.exec(text);
  const shown = JSON.stringify(text.slice(0, 100));
  if (match === null) throw fault(`has ${shown} where a package name, perhaps with a version, is expected`);
  const [, name = '', qualifier, sign, version = ''] = match;
  if (!/^[A-Za-z0-9][A-Za-z0-9+._-]*$/.test(name)) throw fault(`names ${shown}, which cannot be a package`);
  if (qualifier !== undefined && !/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(qualifier))
    throw fault(`has ${shown} with an architecture that cannot be`);
  if (sign === undefined) return { name, qualifier: qualifier ?? null, operator: null, version: '' };
  const wrong = versionFault(version);
  if (wrong !== null) throw fault(`has ${shown} with a version that ${wrong}`);
  return { name, qualifier: qualifier ?? null, operator: operators[sign] ?? '=', version };
}

/** `<` and `>` have meant `<=` and `>=` since before policy 2; a version alone means `=`. dpkg and apt agree. */
const operators: Readonly<Record<string, Exclude<Possibility['operator'], null>>> = {
  '<': '<=',
  '>': '>=',
  '<<': '<<',
  '<=': '<=',
  '>=': '>=',
  '>>': '>>',
};

/** The clauses of a field's value. Throws what `fault` makes. An empty value has none. */
export function parseRelations(value: string, alternatives: boolean, fault: Fault): Clause[] {
  // dpkg skips blanks behind the colon, but no line end.
  if (value.startsWith('\n')) throw fault('starts on its second line, where dpkg finds no package name');
  // ASCII blanks only: a no-break space is part of a name, to dpkg as well, and makes it invalid.
  const text = value.replace(/[ \t\n]+/g, ' ').replace(/^ | $/g, '');
  if (text === '') return [];
  return text.split(/ ?, ?/).map((clause) => {
    const possibilities = clause.split(/ ?\| ?/).map((part) => parsePossibility(part, fault));
    if (possibilities.length > 1 && !alternatives) throw fault('has alternatives, which it may not');
    return possibilities;
  });
}

export function writeClause(clause: Clause): string {
  return clause
    .map(({ name, qualifier, operator, version }) => {
      const named = qualifier === null ? name : `${name}:${qualifier}`;
      return operator === null ? named : `${named} (${operator} ${version})`;
    })
    .join(' | ');
}

function findings(field: string, clauses: readonly Clause[]): Finding[] {
  const found: Finding[] = [];
  const all = clauses.flat();
  const mixed = all.find(({ name }) => name !== name.toLowerCase());
  if (mixed !== undefined)
    found.push({
      code: 'relation_case',
      message: `${field} names ${mixed.name}: dpkg reads it in lower case, apt as it stands.`,
    });
  const inexact = all.find(({ operator }) => operator !== null && operator !== '=');
  if (field === 'Provides' && inexact !== undefined)
    found.push({
      code: 'provides_inexact',
      message: `Provides names ${inexact.name} with a version that is not exact; apt ignores it.`,
    });
  return found;
}

/** All relations of a control file, and what is odd about them. Throws `control_field`. */
export function readRelations(
  fields: Fields,
  part: string,
): { readonly relations: Relation[]; readonly findings: Finding[] } {
  const relations: Relation[] = [];
  const found: Finding[] = [];
  for (const { field, kind, alternatives } of rules) {
    const value = fields.get(field.toLowerCase()) ?? '';
    if (value.split(/[,|]/, maxPossibilities + 1).length > maxPossibilities)
      throw new AppError('archive_limit', `${field} names more than ${maxPossibilities} packages.`, {
        part,
        field,
      });
    const clauses = parseRelations(value, alternatives, (what) => fieldFault(part, field, what));
    relations.push(...clauses.map((clause) => ({ kind, text: writeClause(clause) })));
    found.push(...findings(field, clauses));
  }
  for (const field of informative)
    for (const text of (fields.get(field.toLowerCase()) ?? '').split(','))
      if (text.trim() !== '') relations.push({ kind: 'built-using', text: text.trim().replace(/\s+/g, ' ') });
  return { relations, findings: found };
}
