import { html, type Html } from './html.ts';
import { cut } from './cut.ts';
import { pageHead } from './layout.ts';
import { versionUrl, type VersionPlace } from './links.ts';
import { table } from './table.ts';
import { count, size } from './words.ts';

/** A value that is another in the second version; null for none. */
export type Changed = { readonly label: string; readonly from: string | null; readonly to: string | null };

export type VersionDifference = {
  readonly place: VersionPlace;
  readonly other: string;
  readonly fields: readonly Changed[];
  readonly relations: { readonly gone: readonly string[]; readonly come: readonly string[] };
  readonly files: {
    readonly gone: readonly string[];
    readonly come: readonly string[];
    readonly changed: readonly string[];
    readonly compared: number | null;
  };
  readonly scripts: readonly {
    readonly name: string;
    readonly kind: 'new' | 'gone' | 'changed';
    readonly lines: readonly ScriptLine[];
  }[];
  readonly sizes: { readonly from: number; readonly to: number };
};

export type ScriptLine = { readonly sign: '+' | '-' | ' '; readonly text: string };

/** Lines of each list that a page has room for. */
const shown = 150;

/** What is another in one version than in another: what who approves a promotion reads. */
export function versionDifferencePage(view: VersionDifference): Html {
  const { place, other, fields, relations, files, scripts, sizes } = view;
  return html`
    ${pageHead(`${place.name}: from ${other} to ${place.version}`, place.architecture)}
    <p><a href=${versionUrl({ ...place, version: other })}>${other}</a> against <a href=${versionUrl(place)}>${place.version}</a>.</p>
    <dl class="figures">
      <div><dt>size</dt><dd>${size(sizes.from)} → ${size(sizes.to)}</dd></div>
      <div><dt>relations</dt><dd>+${relations.come.length} −${relations.gone.length}</dd></div>
      <div><dt>files</dt><dd>+${files.come.length} −${files.gone.length}</dd></div>
      <div><dt>scripts that differ</dt><dd>${scripts.length}</dd></div>
    </dl>
    <h2>What it says of itself, and where it came from</h2>
    ${fields.length === 0 ? html`<p>The same in both.</p>` : fieldTable(view)}
    <h2>Relations</h2>
    ${twoLists(relations.come, relations.gone)}
    <h2>Scripts that run as root</h2>
    ${scripts.length === 0 && html`<p>The same in both.</p>`}
    ${scripts.map(
      ({ name, kind, lines }) => html`
        <h3>${name} <span class="tag">${kind}</span></h3>
        <pre tabindex="0" aria-label=${`${name}, line by line`}><code>${lines.map(({ sign, text }) => scriptLine(sign, text))}</code></pre>
      `,
    )}
    <h2>Files</h2>
    ${files.compared !== null && html`<p>Only the first ${count(files.compared, 'entry', 'entries')} of each were compared.</p>`}
    ${twoLists(files.come, files.gone)}
    ${files.changed.length > 0 && html`<h3>Of another size, type or mode</h3>${list(files.changed, '')}`}
  `;
}

function fieldTable({ fields, other, place }: VersionDifference): Html {
  return table(
    count(fields.length, 'difference'),
    [{ title: 'Fact' }, { title: other }, { title: place.version }],
    fields.map(({ label, from, to }) => [
      label,
      from === null ? 'missing' : cut(from),
      to === null ? 'missing' : cut(to),
    ]),
  );
}

function scriptLine(sign: ScriptLine['sign'], text: string): Html | string {
  const line = `${sign} ${text}\n`;
  if (sign === ' ') return line;
  return sign === '+' ? html`<ins>${line}</ins>` : html`<del>${line}</del>`;
}

function twoLists(come: readonly string[], gone: readonly string[]): Html {
  if (come.length + gone.length === 0) return html`<p>The same in both.</p>`;
  return html`
    ${come.length > 0 && html`<h3>New</h3>${list(come, '+')}`}
    ${gone.length > 0 && html`<h3>Gone</h3>${list(gone, '−')}`}
  `;
}

function list(items: readonly string[], sign: string): Html {
  return html`
    <ul class="plain mono">
      ${items.slice(0, shown).map((item) => html`<li>${sign} ${cut(item, 300)}</li>`)}
    </ul>
    ${items.length > shown && html`<p class="soft">and ${(items.length - shown).toLocaleString('en')} more</p>`}
  `;
}
