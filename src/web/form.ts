/** Forms: what each carries, and how a refusal stands above one. */
import { html, type Html } from './html.ts';

/** Fields that are sent along unseen; those without a value are left out. */
export function hiddenFields(values: Readonly<Record<string, string | number | undefined>>): Html {
  return html`${Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => html`<input type="hidden" name=${name} value=${String(value)} />`)}`;
}

/** A form that changes something: `token` shows that one of our pages sent it. */
export function actionForm(action: string, token: string, fields: Html): Html {
  return html`
    <form class="fields" method="post" action=${action}>${hiddenFields({ form: token })}${fields}</form>
  `;
}

export type Option = { readonly value: string; readonly text: string };

export function selectField(
  label: string,
  name: string,
  options: readonly Option[],
  chosen: string | undefined,
): Html {
  return html`
    <label>
      ${label}
      <select name=${name}>
        ${options.map(
          ({ value, text }) => html`<option value=${value} selected=${value === chosen}>${text}</option>`,
        )}
      </select>
    </label>
  `;
}

export type TextField = {
  readonly label: string;
  readonly name: string;
  readonly value?: string | undefined;
  readonly hint?: string;
  readonly required?: boolean;
  readonly type?: 'text' | 'password' | 'url';
};

export function textField({ label, name, value, hint, required, type = 'text' }: TextField): Html {
  const hintId = hint === undefined ? undefined : `${name}-hint`;
  return html`
    <label>
      ${label}
      <input
        type=${type}
        name=${name}
        value=${value}
        required=${required}
        aria-describedby=${hintId}
        autocomplete="off"
        spellcheck="false"
      />
    </label>
    ${hint !== undefined && html`<small id=${hintId}>${hint}</small>`}
  `;
}

/** Why something was not done, first in the page and told at once to who cannot see it. */
export function refusalNotice(refusal: string | null): Html | null {
  return refusal === null ? null : html`<div class="notice bad" role="alert"><p>${refusal}</p></div>`;
}
