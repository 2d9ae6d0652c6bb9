import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { digestUrl, errorUrl, packageUrl, searchUrl, versionUrl, type VersionPlace } from './links.ts';
import { cut } from './cut.ts';
import { table } from './table.ts';

export type SearchView = {
  readonly query: string;
  /** Null for every repository. */
  readonly repository: string | null;
  readonly names: readonly { readonly repository: string; readonly name: string; readonly summary: string }[];
  readonly files: readonly { readonly path: string; readonly place: VersionPlace }[];
  readonly provides: readonly { readonly text: string; readonly place: VersionPlace }[];
  readonly commits: readonly {
    readonly commit: string;
    readonly source: string | null;
    readonly place: VersionPlace;
  }[];
  readonly digests: readonly {
    readonly sha256: string;
    readonly kinds: readonly string[];
    readonly place: VersionPlace;
  }[];
  /** The error whose code was looked for. */
  readonly error: { readonly code: string; readonly title: string; readonly action: string } | null;
  /** Lists that are longer than what is shown. */
  readonly more: readonly string[];
};

/** What was found, by what it was found by. */
export function searchPage(view: SearchView): Html {
  const { query, repository } = view;
  const lists = [view.names, view.files, view.provides, view.commits, view.digests];
  const nothing = view.error === null && lists.every((list) => list.length === 0);
  return html`
    ${pageHead(query === '' ? 'Search' : html`Search for “${cut(query, 100)}”`)}
    <form class="line" method="get" action="/search" role="search" aria-label="Search everything">
      <label>Name, file, commit or digest <input type="search" name="q" value=${query} autocomplete="off" /></label>
      ${repository !== null && html`<input type="hidden" name="repository" value=${repository} />`}
      <button class="main-action">Search</button>
    </form>
    ${
      repository !== null &&
      html`<p>In the repository ${repository}. <a href=${searchUrl({ q: query })}>Search every repository</a></p>`
    }
    ${query === '' ? hints() : nothing && html`<div class="empty"><p>Nothing here has “${cut(query, 100)}”.</p></div>`}
    ${query !== '' && nothing && hints()}
    ${view.error && errorFound(view.error)} ${view.names.length > 0 && names(view)} ${view.files.length > 0 && files(view)}
    ${view.provides.length > 0 && provides(view)} ${view.commits.length > 0 && commits(view)}
    ${view.digests.length > 0 && digests(view)}
  `;
}

function hints(): Html {
  return html`
    <h2>What can be found</h2>
    <dl class="facts">
      <dt>A package</dt>
      <dd><code>nginx</code>: names that begin with it, then names that hold it</dd>
      <dt>A file</dt>
      <dd><code>/usr/bin/hello</code>: the whole path or its beginning. <code>libssl.so</code>: the beginning of a file’s name</dd>
      <dt>What is provided</dt>
      <dd><code>mail-transport-agent</code>, <code>libc.so.6</code>: the beginning of what packages provide</dd>
      <dt>A commit</dt>
      <dd><code>1a2b3c4</code>: at least seven characters of a commit that an uploader declared</dd>
      <dt>An error</dt>
      <dd><code>identity_conflict</code>: the code of an answer of this server, as a log of CI shows it</dd>
      <dt>A digest</dt>
      <dd>At least eight digits of a SHA-256: of the file as served or as uploaded, or of its core</dd>
    </dl>
  `;
}

function errorFound({ code, title, action }: NonNullable<SearchView['error']>): Html {
  return html`
    <h2>Errors</h2>
    <p><a href=${errorUrl(code)}>What ${code} means</a>: ${title}. ${action}</p>
  `;
}

const caption = (view: SearchView, list: string, text: string): string =>
  view.more.includes(list) ? `${text}; the first of more: write more of it` : text;

const place = (item: VersionPlace): Html =>
  html`<a href=${versionUrl(item)}>${item.name} <span class="mono">${item.version}</span></a> <small>${item.architecture}, ${item.repository}</small>`;

function names(view: SearchView): Html {
  return html`
    <h2>Packages</h2>
    ${table(
      caption(view, 'names', 'By name'),
      [{ title: 'Package' }, { title: 'Repository' }],
      view.names.map(({ repository, name, summary }) => [
        html`<a href=${packageUrl(repository, name)}>${name}</a>${summary !== '' && html`<br /><small>${cut(summary, 200)}</small>`}`,
        repository,
      ]),
    )}
  `;
}

function files(view: SearchView): Html {
  return html`
    <h2>Files</h2>
    ${table(
      caption(view, 'files', 'Each with the last upload that ships it'),
      [{ title: 'File' }, { title: 'Package' }],
      view.files.map((item) => [html`<span class="mono">${cut(item.path, 400)}</span>`, place(item.place)]),
    )}
  `;
}

function provides(view: SearchView): Html {
  return html`
    <h2>Provided</h2>
    ${table(
      caption(view, 'provides', 'What packages say they provide'),
      [{ title: 'Provides' }, { title: 'Package' }],
      view.provides.map((item) => [
        html`<span class="mono">${cut(item.text, 200)}</span>`,
        place(item.place),
      ]),
    )}
  `;
}

function commits(view: SearchView): Html {
  return html`
    <h2>Commits</h2>
    ${table(
      caption(view, 'commits', 'As declared by the uploader'),
      [{ title: 'Commit' }, { title: 'Package' }, { title: 'Source', wide: true }],
      view.commits.map((item) => [
        html`<span class="mono">${cut(item.commit, 100)}</span>`,
        place(item.place),
        cut(item.source ?? '—', 200),
      ]),
    )}
  `;
}

function digests(view: SearchView): Html {
  return html`
    <h2>Digests</h2>
    ${table(
      caption(view, 'digests', 'SHA-256 of packages'),
      [{ title: 'Digest' }, { title: 'Package' }, { title: 'Of the file' }],
      view.digests.map(({ sha256, kinds, place: item }) => [
        html`<a class="digest" href=${digestUrl(sha256)}>${sha256}</a>`,
        place(item),
        kinds.join(', '),
      ]),
    )}
  `;
}
