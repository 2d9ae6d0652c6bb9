import { html, type Html } from './html.ts';
import { digestUrl } from './links.ts';

/** A SHA-256 whole, to be read and copied. */
export function wholeDigest(sha256: string): Html {
  return html`<a class="digest" href=${digestUrl(sha256)} data-copy="">${sha256}</a>`;
}
