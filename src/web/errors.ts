import { errorTable } from '../errors.ts';
import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';

/** What the `type` of every problem points at: each code with what it means and what to do. */
export function errorsPage(): Html {
  return html`
    ${pageHead('Errors', 'Every code that this server answers with, what it means and what to do.')}
    <dl>
      ${Object.entries(errorTable).map(
        ([code, { status, title, action }]) => html`
          <dt id=${code}><code>${code}</code>, ${status}</dt>
          <dd>${title}. ${action}</dd>
        `,
      )}
    </dl>
  `;
}
