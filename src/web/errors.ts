import { errorTable } from '../errors.ts';
import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';

/** What the `type` of every problem points at: each code with what it means and what to do. */
export function errorsPage(): Html {
  return html`
    ${pageHead('Errors', 'Every code that this server answers with, what it means and what to do.')}
    <p>
      The answer to a refused upload carries one of these codes, in <code>code</code> and at the end of <code>type</code>.
      Its <code>detail</code> says what was wrong this time, and its <code>place</code> where in the file. Nothing of a
      refused upload is kept.
    </p>
    <dl class="errors">
      ${Object.entries(errorTable).map(
        ([code, { status, title, action }]) => html`
          <dt id=${code}><a href=${`#${code}`}><code>${code}</code></a> <small>status ${status}</small></dt>
          <dd><strong>${title}.</strong> ${action}</dd>
        `,
      )}
    </dl>
  `;
}
