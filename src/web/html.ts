/** HTML by construction: values become text, never markup. */
import htm from 'htm';
import { h, type VNode } from 'preact';
import { render } from 'preact-render-to-string';

export type Html = VNode | VNode[];

/** Tagged template: `html`<p>${text}</p>``. What is put in is escaped, other templates are nested. */
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => Html = (
  htm as unknown as {
    bind: (create: typeof h) => (strings: TemplateStringsArray, ...values: unknown[]) => Html;
  }
).bind(h);

/** A whole document as text. */
export function renderDocument(document: Html): string {
  return `<!doctype html>\n${render(h('html', { lang: 'en' }, document))}\n`;
}
