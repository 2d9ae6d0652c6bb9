import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { errorUrl } from './links.ts';

export type ProblemView = {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly action: string;
  readonly requestId: string;
  /** Pages that may be what was looked for. */
  readonly near: readonly { readonly text: string; readonly href: string }[];
};

/** An error for people: what is wrong, why, and what to do. Programs get the same as problem+json. */
export function problemPage({ status, code, title, detail, action, requestId, near }: ProblemView): Html {
  return html`
    ${pageHead(title, detail)}
    <p>${action}</p>
    ${
      near.length > 0 &&
      html`
        <h2>Near it</h2>
        <ul>
          ${near.map(({ text, href }) => html`<li><a href=${href}>${text}</a></li>`)}
        </ul>
      `
    }
    ${status === 404 && html`<p><a href="/search">Search for a package, a file, a commit or a digest</a>, or begin with <a href="/">all repositories</a>.</p>`}
    <dl class="facts">
      <dt>Code</dt>
      <dd><a href=${errorUrl(code)}><code>${code}</code></a>, status ${status}</dd>
      <dt>Request</dt>
      <dd><code>${requestId}</code></dd>
    </dl>
  `;
}
