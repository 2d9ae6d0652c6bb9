/** Facts, each with who states it and how it stands against the version before. */
import { html, type Html } from './html.ts';

/** Who says so: what the package holds, what the uploader declared, what this server saw or did. */
export type Witness = 'the package' | 'the uploader' | 'this server';

export type FactState =
  | { readonly kind: 'plain' }
  /** `before` is what the version before says. */
  | { readonly kind: 'changed'; readonly since: string; readonly before: string }
  | { readonly kind: 'missing'; readonly since: string | null };

export type Fact = {
  readonly label: string;
  readonly value: Html | string | null;
  readonly by: Witness;
  readonly state: FactState;
};

/** A fact that is there, or is missing, without anything to compare it with. */
export function fact(label: string, value: Html | string | null, by: Witness): Fact {
  return { label, value, by, state: value === null ? { kind: 'missing', since: null } : { kind: 'plain' } };
}

/** A fact beside the same one of the version before; `shown` is how it looks when it is more than text. */
export function comparedFact(
  label: string,
  by: Witness,
  now: string | null,
  before: { readonly version: string; readonly value: string | null } | null,
  shown?: Html,
): Fact {
  if (now === null)
    return {
      label,
      value: null,
      by,
      state: { kind: 'missing', since: before?.value ? before.version : null },
    };
  const value = shown ?? now;
  if (before?.value && before.value !== now)
    return { label, value, by, state: { kind: 'changed', since: before.version, before: before.value } };
  return { label, value, by, state: { kind: 'plain' } };
}

export function factList(facts: readonly Fact[]): Html {
  return html`
    <dl class="facts said">
      ${facts.map(
        ({ label, value, by, state }) => html`
          <dt>${label}</dt>
          <dd>
            ${state.kind === 'missing' ? missing(state.since) : value}
            ${state.kind === 'missing' ? '' : html` <small class="by">says ${by}</small>`}
            ${
              state.kind === 'changed' &&
              html` <span class="tag warn">changed</span> <small>${state.since} has ${state.before}</small>`
            }
          </dd>
        `,
      )}
    </dl>
  `;
}

function missing(since: string | null): Html {
  return html`
    <span class="tag ${since === null ? '' : 'warn'}">missing</span>
    ${since !== null && html` <small class="by">${since} has it</small>`}
  `;
}
