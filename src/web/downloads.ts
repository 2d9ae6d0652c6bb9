/** How often a package was downloaded: day by day as a picture, and the same figures as text. */
import { html, type Html } from './html.ts';
import { table } from './table.ts';
import { count } from './words.ts';

const msPerDay = 86_400_000;

export type DownloadsView = {
  /** The first and the last day that is shown, in days since 1970 (UTC). */
  readonly from: number;
  readonly to: number;
  /** Days with downloads, the oldest first. */
  readonly days: readonly { readonly day: number; readonly count: number }[];
  /** The most downloaded first. */
  readonly versions: readonly {
    readonly version: string;
    readonly architecture: string;
    readonly count: number;
  }[];
};

/** Rows of the table by version. */
const versionsShown = 20;

export function downloadsSection(name: string, view: DownloadsView): Html {
  const { from, to, days, versions } = view;
  const span = to - from + 1;
  return html`
    <section aria-labelledby="downloads">
      <h2 id="downloads">Downloads</h2>
      ${
        days.length === 0
          ? html`<div class="empty"><p>No machine has downloaded it from this server in the last ${span} days.</p></div>`
          : html`
              <dl class="figures">
                <div><dt>in the last ${span} days</dt><dd>${sum(days).toLocaleString('en')}</dd></div>
                <div><dt>in the last 7 days</dt><dd>${sum(days.filter(({ day }) => day > to - 7)).toLocaleString('en')}</dd></div>
              </dl>
              ${chart(name, view)}
              <details>
                <summary>The same day by day</summary>
                ${table(
                  `Downloads of ${name} by day, the newest first; days without any are left out`,
                  [{ title: 'Day' }, { title: 'Downloads', number: true }],
                  days.toReversed().map((item) => [writeDay(item.day), item.count.toLocaleString('en')]),
                )}
              </details>
              <details>
                <summary>By version</summary>
                ${table(
                  versions.length > versionsShown
                    ? `The ${versionsShown} most downloaded of ${count(versions.length, 'package')}`
                    : `Downloads of ${name} by version`,
                  [{ title: 'Version' }, { title: 'For' }, { title: 'Downloads', number: true }],
                  versions
                    .slice(0, versionsShown)
                    .map((item) => [
                      html`<span class="mono">${item.version}</span>`,
                      item.architecture,
                      item.count.toLocaleString('en'),
                    ]),
                )}
              </details>
              <p class="soft">
                Whole files that this server sent, by day in UTC. What a cache or a mirror answered is not among them.
              </p>
            `
      }
    </section>
  `;
}

const sum = (items: readonly { readonly count: number }[]): number =>
  items.reduce((total, item) => total + item.count, 0);

/** `2026-11-22`. */
function writeDay(day: number): string {
  return new Date(day * msPerDay).toISOString().slice(0, 10);
}

const bar = { width: 6, step: 8 };
const height = 90;
/** Room for the scale on the left, and for the days below. */
const left = 48;
const below = 22;

/** One bar for each day from zero up; the tables have the same figures. */
function chart(name: string, { from, to, days }: DownloadsView): Html {
  const most = Math.max(...days.map((item) => item.count));
  const right = left + (to - from + 1) * bar.step;
  const top = 8;
  const bottom = top + height;
  const label = `Downloads of ${name} from ${writeDay(from)} to ${writeDay(to)}, at most ${most.toLocaleString('en')} in a day`;
  return html`
    <div class="scroll" role="region" aria-label=${`Downloads of ${name} as a picture`} tabindex="0">
      <svg class="bars" width=${right + 4} height=${bottom + below} viewBox="0 0 ${right + 4} ${bottom + below}" role="img" aria-label=${label}>
        <line x1=${left} x2=${right} y1=${top} y2=${top} class="grid" />
        <line x1=${left} x2=${right} y1=${bottom + 0.5} y2=${bottom + 0.5} class="axis" />
        <text x=${left - 8} y=${top + 5} text-anchor="end">${short(most)}</text>
        <text x=${left - 8} y=${bottom + 4} text-anchor="end">0</text>
        <text x=${left} y=${bottom + 18}>${writeDay(from)}</text>
        <text x=${right} y=${bottom + 18} text-anchor="end">${writeDay(to)}</text>
        ${days.map((item) => {
          const tall = Math.max(2, Math.round((item.count / most) * height));
          return html`
            <rect x=${left + (item.day - from) * bar.step + 1} y=${bottom - tall} width=${bar.width} height=${tall} rx="1">
              <title>${writeDay(item.day)}: ${item.count.toLocaleString('en')}</title>
            </rect>
          `;
        })}
      </svg>
    </div>
  `;
}

/** A figure for the side of a picture: `980`, `12k`, `3.4M`. */
function short(number: number): string {
  if (number < 10_000) return number.toLocaleString('en');
  return number < 1_000_000 ? `${Math.round(number / 1000)}k` : `${(number / 1_000_000).toFixed(1)}M`;
}
