/** Whether packages fulfil each other's Depends and Pre-Depends: Debian policy 7.1, 7.2 and 7.5. */
import { holds, type RelationFormat, type Wanted } from '../relation.ts';
import { parseRelations, type Possibility } from './relations.ts';
import { compareVersions } from './version.ts';

const operators = { '<<': '<', '<=': '<=', '=': '=', '>=': '>=', '>>': '>' } as const;

function wantedOf({ name, operator, version }: Possibility): Wanted {
  return { name, operator: operator && operators[operator], version };
}

/** The texts were written from parsed clauses when the package came in. */
function clausesOf(text: string): Wanted[][] {
  return parseRelations(text, true, (what) => new RangeError(`a stored relation ${what}`)).map((clause) =>
    clause.map(wantedOf),
  );
}

export const relations: RelationFormat = {
  // Built-Using is listed as it stands, and not parsed.
  names: ({ kind, text }) =>
    kind === 'built-using'
      ? [text.split(' ', 1)[0] ?? '']
      : clausesOf(text)
          .flat()
          .map(({ name }) => name),
  requirements: (all) =>
    all
      .filter(({ kind }) => kind === 'depends' || kind === 'pre-depends')
      .flatMap(({ text }) => clausesOf(text)),
  provisions: (self, all) => [
    self,
    ...all
      .filter(({ kind }) => kind === 'provides')
      .flatMap(({ text }) => clausesOf(text).flat())
      // An inexact version provides nothing to apt.
      .filter(({ operator }) => operator === null || operator === '=')
      .map(({ name, operator, version }) => ({ name, version: operator === null ? null : version })),
  ],
  fulfils: (provision, wanted) => {
    if (provision.name !== wanted.name) return false;
    if (wanted.operator === null) return true;
    // A bare name has no version to compare (policy 7.5).
    return (
      provision.version !== null && holds(compareVersions(provision.version, wanted.version), wanted.operator)
    );
  },
};
