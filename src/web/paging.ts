import { html, type Html } from './html.ts';

/** The way to the next page of a list; nothing on the last one. */
export function nextPage(href: string | null, text = 'Next page'): Html {
  return html`${href !== null && html`<nav class="pages" aria-label="Pages"><a rel="next" href=${href}>${text}</a></nav>`}`;
}
