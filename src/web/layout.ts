import { html, renderDocument, type Html } from './html.ts';

/** What stands around every page. `version` makes the URL of the style sheet change when it does. */
export function renderPage(page: { title: string; body: Html; assetVersion: string }): string {
  return renderDocument(html`
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${page.title} · Entrepot</title>
      <link rel="stylesheet" href="/assets/${page.assetVersion}/style.css" />
    </head>
    <body>
      <a class="skip" href="#main">Skip to the content</a>
      <header><a class="brand" href="/">Entrepot</a></header>
      <main id="main">${page.body}</main>
      <footer><a href="/openapi.json">OpenAPI document</a></footer>
    </body>
  `);
}
