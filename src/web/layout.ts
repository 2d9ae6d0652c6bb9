/** What stands around every page. */
import { html, renderDocument, type Html } from './html.ts';

export type Link = { readonly text: string; readonly href: string };

/** A page below another one, as a tab. */
export type Tab = Link & { readonly current: boolean };

export type Page = {
  readonly title: string;
  readonly body: Html;
  /** The pages above this one, from the first on; empty for the first page itself. */
  readonly trail?: readonly Link[];
  /** The entry of the navigation that this page belongs to. */
  readonly section?: Section;
  /** What was searched for, to stand in the search field. */
  readonly query?: string;
  /** An Atom feed of what the page shows. */
  readonly feed?: Feed;
  /** Who is signed in, and how to change that. */
  readonly account?: Html;
};

export type Feed = { readonly title: string; readonly href: string };

export type Section = 'repositories' | 'setup' | 'keys' | 'status';

const sections: readonly (Link & { readonly name: Section })[] = [
  { name: 'repositories', text: 'Repositories', href: '/' },
  { name: 'setup', text: 'Set-up', href: '/setup' },
  { name: 'keys', text: 'Keys', href: '/keys' },
  { name: 'status', text: 'Status', href: '/status' },
];

/** `version` makes the URLs of style and script change when they do. */
export function renderPage(page: Page, assetVersion: string): string {
  return renderDocument(html`
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${page.title} · Entrepot</title>
      <link rel="stylesheet" href="/assets/${assetVersion}/style.css" />
      <script src="/assets/${assetVersion}/page.js" defer></script>
      ${page.feed && html`<link rel="alternate" type="application/atom+xml" title=${page.feed.title} href=${page.feed.href} />`}
    </head>
    <body>
      <a class="skip" href="#main">Skip to the content</a>
      ${band(page)}
      <main id="main" tabindex="-1">${page.trail && trail(page.trail)}${page.body}</main>
      <footer>
        <span>Entrepot</span>
        <a href="/errors">Errors explained</a>
        <a href="/api">REST API</a>
      </footer>
    </body>
  `);
}

function band({ section, query, account }: Page): Html {
  return html`
    <header class="band">
      <div>
        <a class="brand" href="/">${mark()} Entrepot</a>
        <nav aria-label="Main">
          <ul>
            ${sections.map(
              ({ name, text, href }) => html`
                <li><a href=${href} aria-current=${name === section ? 'true' : undefined}>${text}</a></li>
              `,
            )}
          </ul>
        </nav>
        ${searchField(query)}
        ${account && html`<div class="account">${account}</div>`}
      </div>
    </header>
  `;
}

function searchField(query: string | undefined): Html {
  return html`
    <form class="search" method="get" action="/search" role="search" aria-label="Search">
      <label class="hidden" for="search">Name, file, commit or digest</label>
      <input id="search" type="search" name="q" placeholder="Name, file, commit, digest" value=${query ?? ''} autocomplete="off" />
      <button>Search</button>
    </form>
  `;
}

/** A crate on a quay, as in assets/icon.svg. */
function mark(): Html {
  return html`
    <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path
        d="M4 11 16 5l12 6v11l-12 6-12-6z"
        fill="none"
        stroke="currentColor"
        stroke-width="2.4"
        stroke-linejoin="round"
      />
      <path
        d="m4 11 12 6 12-6M16 17v11"
        fill="none"
        stroke="currentColor"
        stroke-width="2.4"
        stroke-linejoin="round"
      />
    </svg>
  `;
}

function trail(links: readonly Link[]): Html {
  return html`
    <nav class="trail" aria-label="Where you are">
      <ol>
        ${links.map(({ text, href }) => html`<li><a href=${href}>${text}</a></li>`)}
      </ol>
    </nav>
  `;
}

/** The head of a page: its title, a sentence, and its tabs. */
export function pageHead(title: Html | string, lead?: Html | string | null, tabs: readonly Tab[] = []): Html {
  return html`
    <div class="head">
      <h1>${title}</h1>
      ${lead && html`<p class="lead">${lead}</p>`}
    </div>
    ${tabs.length > 0 && tabList(tabs)}
  `;
}

function tabList(tabs: readonly Tab[]): Html {
  return html`
    <nav class="tabs" aria-label="On this subject">
      <ul>
        ${tabs.map(
          ({ text, href, current }) =>
            html`<li><a href=${href} aria-current=${current ? 'page' : undefined}>${text}</a></li>`,
        )}
      </ul>
    </nav>
  `;
}
