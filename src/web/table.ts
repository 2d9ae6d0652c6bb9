/** A table with its caption, in a region of its own that can be scrolled where it is too wide. */
import { html, type Html } from './html.ts';

export type Column = {
  readonly title: string;
  /** Right-aligned figures. */
  readonly number?: boolean;
  /** Left out where there is little room. */
  readonly wide?: boolean;
};

/** The first cell of a row is its heading. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly (Html | string | null)[])[],
): Html {
  const classes = columns.map(classOf);
  return html`
    <div class="scroll" role="region" aria-label=${caption} tabindex="0">
      <table>
        <caption>
          ${caption}
        </caption>
        <thead>
          <tr>
            ${columns.map(({ title }, i) => html`<th scope="col" class=${classes[i]}>${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (cells) => html`
              <tr>
                ${cells.map((cell, i) =>
                  i === 0
                    ? html`<th scope="row" class=${classes[i]}>${cell}</th>`
                    : html`<td class=${classes[i]}>${cell}</td>`,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function classOf({ number, wide }: Column): string | undefined {
  const names = [number === true && 'number', wide === true && 'wide'].filter(Boolean);
  return names.length === 0 ? undefined : names.join(' ');
}
