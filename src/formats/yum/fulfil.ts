/** Whether packages fulfil each other's Requires: rpm's overlap of ranges (`lib/rpmds.cc`, rpmdsCompare). */
import { holds, type Provision, type RelationFormat, type Wanted } from '../relation.ts';
import { compareEvr, parseEvr } from './evr.ts';

const form = /^(\S+)(?: (<|<=|=|>=|>) (\S+))?$/;

/** A rich dependency starts with a parenthesis and is left to the client: it asks for more than one package. */
function wantedOf(text: string): Wanted | null {
  const match = text.startsWith('(') ? null : form.exec(text);
  if (!match?.[1]) return null;
  return {
    name: match[1],
    operator: (match[2] as Wanted['operator'] | undefined) ?? null,
    version: match[3] ?? '',
  };
}

export const relations: RelationFormat = {
  names: ({ text }) => [wantedOf(text)?.name ?? text],
  requirements: (all) =>
    all
      // What rpm itself provides, and files, which another package's list may hold.
      .filter(({ kind, text }) => kind === 'requires' && !text.startsWith('rpmlib(') && !text.startsWith('/'))
      .flatMap(({ text }) => wantedOf(text) ?? [])
      .map((wanted) => [wanted]),
  provisions: (self, all) => [
    self,
    ...all
      .filter(({ kind }) => kind === 'provides')
      .flatMap(({ text }) => wantedOf(text) ?? [])
      .map(({ name, operator, version }): Provision => ({
        name,
        version: operator === null ? null : version,
      })),
  ],
  fulfils: (provision, wanted) => {
    if (provision.name !== wanted.name) return false;
    // Without a version on either side any will do.
    if (wanted.operator === null || provision.version === null) return true;
    return holds(compareEvr(parseEvr(provision.version), parseEvr(wanted.version)), wanted.operator);
  },
};
