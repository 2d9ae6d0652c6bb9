import { html, type Html } from './html.ts';
import { command } from './command.ts';
import { pageHead } from './layout.ts';
import { repositoryUrl } from './links.ts';
import { count, groupsOfFour, time } from './words.ts';

export type KeyLine = { readonly fingerprint: string; readonly state: string; readonly createdAt: number };
export type RepositoryKeys = { readonly repository: string; readonly keys: readonly KeyLine[] };

/** Every signing key that a client may need, to be compared. */
export function keysPage(repositories: readonly RepositoryKeys[], total: number, publicUrl: string): Html {
  return html`
    ${pageHead('Signing keys', 'What every index here is signed with. Compare the fingerprint over another way than this page.')}
    ${repositories.length === 0 && html`<div class="empty"><p>There is no repository here that you may see.</p></div>`}
    ${total > repositories.length && html`<p>The keys of the first ${repositories.length} of ${count(total, 'repository', 'repositories')}; the page of each <a href="/">repository</a> has its own.</p>`}
    ${repositories.map(
      ({ repository, keys }, i) => html`
        <section class="panel" aria-labelledby=${`keys-${i}`}>
          <h2 id=${`keys-${i}`}><a href=${repositoryUrl(repository)}>${repository}</a></h2>
          <dl class="facts">
            ${keys.map(
              ({ fingerprint, state, createdAt }) => html`
                <dt><span class="tag ${state === 'active' ? 'ok' : ''}">${state}</span></dt>
                <dd>
                  <code class="digest" data-copy=${fingerprint}>${groupsOfFour(fingerprint)}</code><br />
                  <small>made ${time(createdAt)}</small>
                </dd>
              `,
            )}
          </dl>
          <ul class="inline">
            <li><a href="/keys/${repository}.asc">${repository}.asc, armoured</a></li>
            <li><a href="/keys/${repository}.gpg">${repository}.gpg, binary</a></li>
          </ul>
          ${command(`show-${i}`, 'Read the fingerprint of what you downloaded', `curl -fsS ${publicUrl}/keys/${repository}.asc | gpg --show-keys --with-fingerprint`)}
        </section>
      `,
    )}
  `;
}
