/** Pages on which a channel is changed: first what would happen, then the button that does just that. */
import {
  channelUrl,
  editChannelUrl,
  errorUrl,
  packageUrl,
  promoteUrl,
  rollBackUrl,
  yankUrl,
} from './links.ts';
import { differenceView, type DifferenceView } from './difference.ts';
import { actionForm, hiddenFields, refusalNotice, selectField, textField, type Option } from './form.ts';
import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { table } from './table.ts';
import { count } from './words.ts';

/** As registry/change-channel.ts answers a dry run. */
export type PlanView = DifferenceView & {
  readonly generation: number;
  readonly status: 'published' | 'unchanged' | 'planned';
  readonly plan: string;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
};

export type ChangeView = {
  readonly repository: string;
  /** What a form of this session carries. */
  readonly form: string;
  readonly refusal: string | null;
  /** Null until enough is chosen. */
  readonly plan: PlanView | null;
};

/** What is known before a change is planned, and what the confirmation repeats. */
type Step = {
  readonly action: string;
  readonly channel: string;
  readonly button: string;
  readonly fields: Readonly<Record<string, string | number | undefined>>;
};

/** What would happen, and the button. */
function confirmation({ form, plan }: ChangeView, step: Step): Html | null {
  if (plan === null) return null;
  if (plan.status === 'unchanged')
    return html`<section aria-labelledby="what">
      <h2 id="what">What would change</h2>
      <p>Nothing: ${step.channel} is that way already.</p>
    </section>`;
  const { warnings } = plan;
  return html`
    <section aria-labelledby="what">
      <h2 id="what">What would change</h2>
      <p>${step.channel} would become generation ${plan.generation}.</p>
      ${warnings.length > 0 && warningNotice(warnings)} ${differenceView(plan)}
      ${actionForm(
        step.action,
        form,
        html`
          ${hiddenFields({ ...step.fields, plan: plan.plan })}
          ${
            warnings.length > 0 &&
            html`<label class="choice">
              <input type="checkbox" name="force" value="yes" required />
              <span>Go on all the same: ${count(warnings.length, 'warning')}</span>
            </label>`
          }
          <p><button class="main-action">${step.button}</button></p>
        `,
      )}
    </section>
  `;
}

function warningNotice(warnings: PlanView['warnings']): Html {
  return html`
    <div class="notice warn">
      <p>
        <strong>${count(warnings.length, 'warning')}</strong>, as far as the packages of the channel tell:
      </p>
      <ul>
        ${warnings.map(({ message }) => html`<li>${message}</li>`)}
      </ul>
    </div>
  `;
}

export type PromoteView = ChangeView & {
  readonly channels: readonly Option[];
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Names, separated by spaces; empty for everything. */
  readonly packages: string;
  readonly exact: boolean;
};

export function promotePage(view: PromoteView): Html {
  const { repository, channels, from, to, packages, exact } = view;
  const action = promoteUrl(repository);
  return html`
    ${pageHead('Promote', 'Put packages of one channel into another, in one generation.')}
    ${refusalNotice(view.refusal)}
    <form class="fields" method="get" action=${action}>
      ${selectField('From', 'from', channels, from)} ${selectField('To', 'to', channels, to)}
      ${textField({
        label: 'Packages',
        name: 'packages',
        value: packages,
        hint: 'Names, separated by spaces. Leave it empty for everything that the first channel holds.',
      })}
      <label class="choice">
        <input type="checkbox" name="exact" value="yes" checked=${exact} />
        <span>Take out what only the second channel has</span>
      </label>
      <p><button>Show what would change</button></p>
    </form>
    ${confirmation(view, {
      action,
      channel: to ?? '',
      button: `Promote to ${to ?? ''}`,
      fields: { from, to, packages, exact: exact ? 'yes' : undefined },
    })}
  `;
}

export type RollBackView = ChangeView & {
  readonly channel: string;
  readonly generation: number | undefined;
  /** The newest first. */
  readonly generations: readonly Option[];
};

export function rollBackPage(view: RollBackView): Html {
  const { repository, channel, generation, generations } = view;
  const action = rollBackUrl(repository, channel);
  return html`
    ${pageHead(
      `Roll ${channel} back`,
      'A new generation whose packages are those of an older one. What was published in between stays in the history.',
    )}
    ${refusalNotice(view.refusal)}
    ${
      generations.length === 0
        ? html`<div class="empty"><p>There is no older generation to go back to.</p></div>`
        : html`
            <form class="fields" method="get" action=${action}>
              ${selectField('Back to', 'generation', generations, generation?.toString())}
              <p><button>Show what would change</button></p>
            </form>
          `
    }
    ${confirmation(view, {
      action,
      channel,
      button: `Roll back to generation ${generation ?? ''}`,
      fields: { generation },
    })}
  `;
}

export type YankView = ChangeView & {
  readonly channel: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
};

export function yankPage(view: YankView): Html {
  const { repository, channel, name, version, architecture } = view;
  const action = yankUrl(repository, channel);
  const lead =
    'Take a package out of the index. Its file stays while a kept generation names it, and its version stays taken.';
  return html`
    ${pageHead(`Yank from ${channel}`, lead)} ${refusalNotice(view.refusal)}
    <form class="fields" method="get" action=${action}>
      ${textField({ label: 'Package', name: 'name', value: name, required: true })}
      ${textField({ label: 'Version', name: 'version', value: version, required: true })}
      ${textField({ label: 'Architecture', name: 'architecture', value: architecture, required: true })}
      <p><button>Show what would change</button></p>
    </form>
    ${confirmation(view, {
      action,
      channel,
      button: `Yank ${name} ${version}`,
      fields: { name, version, architecture },
    })}
  `;
}

export type SettingsView = {
  readonly description: string;
  /** Separated by spaces. */
  readonly components: string;
  readonly architectures: string;
  /** `on` or `off`; empty in a yum channel. */
  readonly contents: string;
};

export type EditChannelView = {
  readonly repository: string;
  readonly channel: string;
  readonly format: 'apt' | 'yum';
  readonly form: string;
  readonly refusal: string | null;
  readonly now: SettingsView;
  readonly wanted: SettingsView;
  /** Names the change; null before it was asked for. */
  readonly plan: string | null;
};

const settingNames = {
  description: 'Description',
  components: 'Components',
  architectures: 'Architectures',
  contents: 'Contents for apt-file',
} as const;

export function editChannelPage(view: EditChannelView): Html {
  const { repository, channel, format, wanted } = view;
  return html`
    ${pageHead(
      `Edit ${channel}`,
      'What machines have been told of a channel can only grow: origin, label and format are fixed.',
    )}
    ${refusalNotice(view.refusal)}
    <form class="fields" method="get" action=${editChannelUrl(repository, channel)}>
      ${textField({ label: 'Description', name: 'description', value: wanted.description })}
      ${
        format === 'apt' &&
        html`
          ${textField({ label: 'Components', name: 'components', value: wanted.components, hint: 'Separated by spaces.' })}
          ${textField({
            label: 'Architectures',
            name: 'architectures',
            value: wanted.architectures,
            hint: 'Separated by spaces; what is uploaded is added by itself.',
          })}
          ${selectField(
            settingNames.contents,
            'contents',
            ['off', 'on'].map((value) => ({ value, text: value })),
            wanted.contents,
          )}
        `
      }
      ${hiddenFields({ show: 'changes' })}
      <p><button>Show what would change</button></p>
    </form>
    ${view.plan !== null && settingsConfirmation(view, view.plan)}
  `;
}

function settingsConfirmation(
  { repository, channel, form, now, wanted }: EditChannelView,
  plan: string,
): Html {
  const changed = (Object.keys(settingNames) as (keyof SettingsView)[]).filter(
    (name) => now[name] !== wanted[name],
  );
  if (changed.length === 0)
    return html`<section aria-labelledby="what">
      <h2 id="what">What would change</h2>
      <p>Nothing.</p>
    </section>`;
  return html`
    <section aria-labelledby="what">
      <h2 id="what">What would change</h2>
      ${table(
        `Settings of ${channel}`,
        [{ title: 'Setting' }, { title: 'Now' }, { title: 'Afterwards' }],
        changed.map((name) => [settingNames[name], now[name] || '—', wanted[name] || '—']),
      )}
      <p>
        The channel is published anew with the same packages. Machines read the new settings with their next
        update.
      </p>
      ${actionForm(
        editChannelUrl(repository, channel),
        form,
        html`${hiddenFields({ ...wanted, plan })}
          <p><button class="main-action">Change ${channel}</button></p>`,
      )}
    </section>
  `;
}

export type PublishedView = {
  readonly repository: string;
  readonly channel: string;
  readonly generation: number;
  readonly head: number;
  readonly difference: DifferenceView;
};

/** The answer to a change that was made. */
export function publishedPage({ repository, channel, generation, head, difference }: PublishedView): Html {
  const [single] = [...new Set([...difference.added, ...difference.removed].map(({ name }) => name))];
  return html`
    ${pageHead(
      `Generation ${generation} of ${channel}`,
      generation === head
        ? 'It is being served: machines meet it with their next update.'
        : `It was published; generation ${head} is being served now.`,
    )}
    <h2>What changed</h2>
    ${differenceView(difference)}
    <ul class="inline">
      <li><a href=${channelUrl(repository, channel)}>The channel ${channel}</a></li>
      ${single !== undefined && html`<li><a href=${packageUrl(repository, single)}>The package ${single}</a></li>`}
      ${
        generation > 1 &&
        html`<li>
          <a href=${rollBackUrl(repository, channel, generation - 1)}
            >Roll back to generation ${generation - 1}</a
          >
        </li>`
      }
    </ul>
  `;
}

/** What somebody may not do, or what is not there, with what would help. */
export function refusalPage(view: {
  readonly title: string;
  readonly detail: string;
  readonly action: string;
  readonly code: string;
}): Html {
  return html`
    ${pageHead(view.title, view.detail)}
    <p>${view.action}</p>
    <p class="soft">
      Code: <a href=${errorUrl(view.code)}><code>${view.code}</code></a>
    </p>
  `;
}
