/** What a change does to a channel and to the machines that follow it. */
import { html, type Html } from './html.ts';
import { table } from './table.ts';
import { count } from './words.ts';

/** As registry/difference.ts answers it. */
export type DifferenceView = {
  readonly added: readonly PackageView[];
  readonly removed: readonly PackageView[];
  readonly moves: readonly MoveView[];
  readonly documents: readonly DocumentView[];
};

/** A document beside the packages, by its digests; null for none. */
type DocumentView = { readonly kind: string; readonly from: string | null; readonly to: string | null };

type PackageView = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly component: string;
  readonly sha256: string;
};

type MoveView = {
  readonly name: string;
  readonly architecture: string;
  readonly component: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly kind: 'new' | 'upgrade' | 'downgrade' | 'gone';
};

/** Rows of one table; what is longer is read over the API. */
const maxRows = 150;

const kinds = {
  new: { text: 'new', tag: 'tag ok', effect: 'can be installed' },
  upgrade: { text: 'upgrade', tag: 'tag ok', effect: 'is installed with the next upgrade' },
  downgrade: {
    text: 'downgrade',
    tag: 'tag warn',
    effect: 'stays: machines that have the newer one keep it',
  },
  gone: { text: 'gone', tag: 'tag bad', effect: 'can no longer be installed' },
} as const;

/** The whole difference: in figures, for machines, and package by package. */
export function differenceView({ added, removed, moves, documents }: DifferenceView): Html {
  if (added.length + removed.length + documents.length === 0) return html`<p>Nothing changes.</p>`;
  if (added.length + removed.length === 0) return documentTable(documents);
  const figures = [
    ['coming in', added.length],
    ['going out', removed.length],
    ...Object.entries(kinds).map(([kind, { text }]): [string, number] => [
      text,
      moves.filter((move) => move.kind === kind).length,
    ]),
  ] as const;
  return html`
    <dl class="figures">
      ${figures.map(
        ([text, number]) =>
          html`<div>
            <dt>${text}</dt>
            <dd>${number.toLocaleString('en')}</dd>
          </div>`,
      )}
    </dl>
    ${documents.length > 0 && documentTable(documents)} ${moves.length > 0 && moveTable(moves)}
    ${packageList('Packages that come in', added)}
    ${packageList('Packages that go out', removed)}
  `;
}

function documentTable(documents: readonly DocumentView[]): Html {
  const short = (sha256: string | null): Html | string =>
    sha256 === null ? '—' : html`<code>${sha256.slice(0, 16)}…</code>`;
  return table(
    'Documents beside the packages, by SHA-256',
    [{ title: 'Document' }, { title: 'Now' }, { title: 'Afterwards' }],
    documents.map(({ kind, from, to }) => [kind, short(from), short(to)]),
  );
}

function moveTable(moves: readonly MoveView[]): Html {
  return html`
    <h3>What machines meet</h3>
    ${table(
      captionOf('The newest version that a machine is offered, by name', moves.length),
      [
        { title: 'Package' },
        { title: 'Now' },
        { title: 'Afterwards' },
        { title: 'Kind' },
        { title: 'On a machine', wide: true },
      ],
      moves
        .slice(0, maxRows)
        .map(({ name, architecture, component, from, to, kind }) => [
          html`${name} <small>${architecture}${component === '' ? '' : `, ${component}`}</small>`,
          from ?? '—',
          to ?? '—',
          html`<span class=${kinds[kind].tag}>${kinds[kind].text}</span>`,
          kinds[kind].effect,
        ]),
    )}
  `;
}

function packageList(title: string, packages: readonly PackageView[]): Html | null {
  if (packages.length === 0) return null;
  return html`
    <details>
      <summary>${title}: ${packages.length.toLocaleString('en')}</summary>
      ${table(
        captionOf(title, packages.length),
        [
          { title: 'Package' },
          { title: 'Version' },
          { title: 'Architecture' },
          { title: 'SHA-256', wide: true },
        ],
        packages
          .slice(0, maxRows)
          .map(({ name, version, architecture, sha256 }) => [
            name,
            version,
            architecture,
            html`<code>${sha256.slice(0, 16)}…</code>`,
          ]),
      )}
    </details>
  `;
}

function captionOf(title: string, rows: number): string {
  return rows > maxRows ? `${title}: the first ${maxRows} of ${count(rows, 'row')}` : title;
}
