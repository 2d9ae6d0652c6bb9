/** What whoever looks at a page may change, so that a page offers that and nothing else. */
import { html, type Html } from './html.ts';
import type { Link } from './layout.ts';

export type Allowed = {
  /** Promote, roll back and yank. */
  readonly change: boolean;
  /** Edit channels and set up webhooks. */
  readonly administer: boolean;
  /** For who is not signed in: the way to it, and back to this page. */
  readonly signIn: string | null;
};

/** The changes that are open to who looks, or the way to sign in for them; nothing for who may not. */
export function actionList(
  allowed: Allowed,
  { change = [], administer = [] }: { change?: readonly Link[]; administer?: readonly Link[] },
  signInFor: string,
): Html | null {
  const links = [...(allowed.change ? change : []), ...(allowed.administer ? administer : [])];
  if (allowed.signIn !== null)
    return html`<p class="actions"><a href=${allowed.signIn}>Sign in to ${signInFor}</a></p>`;
  if (links.length === 0) return null;
  return html`
    <ul class="inline actions">
      ${links.map(({ text, href }) => html`<li><a class="button" href=${href}>${text}</a></li>`)}
    </ul>
  `;
}
