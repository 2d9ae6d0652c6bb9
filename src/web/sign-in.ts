import { actionForm, hiddenFields, refusalNotice, textField } from './form.ts';
import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { table } from './table.ts';

export type SignInView = {
  /** What the form carries to show that it is ours. */
  readonly form: string;
  /** Where to go on afterwards, on this server. */
  readonly next: string;
  readonly refusal: string | null;
};

export function signInPage({ form, next, refusal }: SignInView): Html {
  return html`
    ${pageHead('Sign in', 'With a token of this server: what it may do, you may do here.')}
    ${refusalNotice(refusal)}
    ${actionForm(
      '/sign-in',
      form,
      html`
        ${hiddenFields({ next })}
        ${textField({ label: 'Token', name: 'token', type: 'password', required: true })}
        <p><button class="main-action">Sign in</button></p>
      `,
    )}
    <p>
      An administrator makes a token with <code>entrepot token create --name NAME --scope SCOPE</code>. The
      browser keeps a cookie for 12 hours at most, and not the token.
    </p>
  `;
}

export type AccountView = {
  readonly form: string;
  readonly name: string;
  readonly scope: string;
  /** Null for all. */
  readonly repositories: readonly string[] | null;
  /** The newest first. */
  readonly sessions: readonly {
    readonly client: string;
    readonly since: Html | string;
    readonly lastUsed: Html | string;
    readonly current: boolean;
  }[];
};

const scopeWords: Readonly<Record<string, string>> = {
  admin: 'admin: read, upload, promote, and change repositories and channels',
  upload: 'upload: read, upload, promote, roll back and yank',
  read: 'read: see private repositories',
};

export function accountPage(view: AccountView): Html {
  return html`
    ${pageHead(view.name, 'You are signed in with this token.')}
    <dl class="facts">
      <dt>Scope</dt>
      <dd>${scopeWords[view.scope] ?? view.scope}</dd>
      <dt>Repositories</dt>
      <dd>${view.repositories === null ? 'all' : view.repositories.join(', ')}</dd>
    </dl>
    ${actionForm('/sign-out', view.form, html`<p><button class="main-action">Sign out</button></p>`)}
    <h2>Where this token is signed in</h2>
    ${table(
      'Sessions of the token, the newest first',
      [{ title: 'Browser' }, { title: 'Since' }, { title: 'Last used' }],
      view.sessions.map(({ client, since, lastUsed, current }) => [
        html`${client === '' ? 'unknown' : client} ${current && html`<span class="tag">this one</span>`}`,
        since,
        lastUsed,
      ]),
    )}
    ${actionForm('/sign-out-everywhere', view.form, html`<p><button class="danger">Sign out everywhere</button></p>`)}
  `;
}

/** Who is signed in, for the head of every page. `next` is the page itself. */
export function accountLink(name: string | null, signIn: string): Html {
  return name === null ? html`<a href=${signIn}>Sign in</a>` : html`<a href="/account">${name}</a>`;
}
