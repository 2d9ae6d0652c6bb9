import { actionForm, hiddenFields, refusalNotice, textField } from './form.ts';
import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { repositoryTabs } from './repository.ts';
import { table } from './table.ts';
import { moment } from './words.ts';

export type WebhookView = {
  readonly id: string;
  readonly url: string;
  /** Empty for all. */
  readonly kinds: readonly string[];
  readonly createdBy: string;
  readonly deliveries: readonly {
    readonly id: string;
    readonly kind: string;
    readonly createdAtMs: number;
    readonly attempts: number;
    readonly nextAtMs: number | null;
    readonly status: number | null;
    readonly answer: string;
  }[];
};

export type WebhooksView = {
  readonly repository: string;
  readonly action: string;
  readonly form: string;
  readonly refusal: string | null;
  /** Of the webhook that was just set up: shown this once. */
  readonly secret: string | null;
  readonly kinds: readonly string[];
  readonly webhooks: readonly WebhookView[];
};

export function webhooksPage(view: WebhooksView): Html {
  const { repository, action, form, secret, kinds, webhooks } = view;
  return html`
    ${pageHead(repository, 'Who is told of what happens in it.', repositoryTabs(repository, { administer: true }, 'webhooks'))}
    ${refusalNotice(view.refusal)}
    ${
      secret !== null &&
      html`<div class="notice ok" role="status">
        <p>The secret, shown this once: <code>${secret}</code></p>
        <p>Receivers check deliveries with it, as Standard Webhooks says.</p>
      </div>`
    }
    ${
      webhooks.length === 0
        ? html`<div class="empty"><p>Nobody is told of anything yet.</p></div>`
        : webhooks.map((webhook) => webhookSection(webhook, action, form))
    }
    <h2>Set one up</h2>
    ${actionForm(
      action,
      form,
      html`
        ${hiddenFields({ do: 'create' })}
        ${textField({ label: 'URL of the receiver', name: 'url', type: 'url', required: true })}
        ${textField({
          label: 'Kinds of events',
          name: 'kinds',
          hint: `Separated by spaces, empty for all: ${kinds.join(', ')}.`,
        })}
        <p><button class="main-action">Set up</button></p>
      `,
    )}
  `;
}

function webhookSection(
  { id, url, kinds, createdBy, deliveries }: WebhookView,
  action: string,
  form: string,
): Html {
  return html`
    <section aria-labelledby=${id}>
      <h2 id=${id}>${url}</h2>
      <p>${kinds.length === 0 ? 'All events' : kinds.join(', ')}. Set up by ${createdBy}.</p>
      ${
        deliveries.length === 0
          ? html`<p>Nothing was sent yet.</p>`
          : table(
              `Deliveries to ${url}, the newest first`,
              [{ title: 'Event' }, { title: 'When' }, { title: 'State' }, { title: 'Answer' }],
              deliveries.map((delivery) => [
                html`${delivery.kind} <small>${delivery.id}</small>`,
                moment(delivery.createdAtMs),
                stateOf(delivery),
                html`${delivery.status ?? ''} <small>${delivery.answer.slice(0, 200)}</small>`,
              ]),
            )
      }
      <div class="inline">
        ${actionForm(
          action,
          form,
          html`${hiddenFields({ do: 'test', id })}
            <p>
              <button>Send a test<span class="hidden"> to ${url}</span></button>
            </p>`,
        )}
        ${actionForm(
          action,
          form,
          html`${hiddenFields({ do: 'remove', id })}
            <p>
              <button class="danger">Remove<span class="hidden"> ${url}</span></button>
            </p>`,
        )}
      </div>
    </section>
  `;
}

function stateOf({ attempts, nextAtMs, status }: WebhookView['deliveries'][number]): Html {
  if (nextAtMs !== null)
    return attempts === 0
      ? html`<span class="tag">waiting</span>`
      : html`<span class="tag warn">attempt ${attempts} failed</span> next ${moment(nextAtMs)}`;
  return status !== null && status >= 200 && status < 300
    ? html`<span class="tag ok">delivered</span>`
    : html`<span class="tag bad">given up after ${attempts}</span>`;
}
