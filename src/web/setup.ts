import { html, type Html } from './html.ts';
import { channelKind, channelTabs, type ChannelHeadView } from './channel.ts';
import { command } from './command.ts';
import { pageHead } from './layout.ts';
import { fileUrl, setupUrl } from './links.ts';
import type { SetupGuide } from './setup-snippets.ts';
import { table } from './table.ts';
import { count, groupsOfFour } from './words.ts';

export type SetupView = {
  readonly channel: ChannelHeadView;
  readonly isPrivate: boolean;
  readonly guides: readonly SetupGuide[];
  readonly current: SetupGuide;
  readonly fingerprints: readonly string[];
  /** The files of the tree that set a machine up, with what is in each. */
  readonly files: readonly { readonly key: string; readonly text: string }[];
};

/** Setting a machine up for one channel, one client or tool at a time. */
export function setupPage(view: SetupView): Html {
  const { channel, guides, current, fingerprints, files } = view;
  const { repository, name } = channel;
  return html`
    ${pageHead(name, channelKind(channel), channelTabs(channel, 'setup'))}
    <nav aria-label="Clients and tools" class="choices">
      <ul class="inline">
        ${guides.map(
          ({ id, title }) => html`
            <li><a class="button" href=${setupUrl(repository, name, id)} aria-current=${id === current.id ? 'page' : undefined}>${title}</a></li>
          `,
        )}
      </ul>
    </nav>
    <div class="split">
      <section aria-labelledby="steps">
        <h2 id="steps">Set a machine up with ${current.title}</h2>
        ${current.steps.map(({ title, text, note }, i) => html`${command(`step-${i}`, title, text)}${note !== undefined && html`<p class="soft">${note}</p>`}`)}
        ${
          current.remove &&
          html`${command('remove', current.remove.title, current.remove.text)}${current.remove.note !== undefined && html`<p class="soft">${current.remove.note}</p>`}`
        }
      </section>
      <aside class="panel" aria-labelledby="fingerprint">
        <h2 id="fingerprint">The key’s fingerprint</h2>
        ${fingerprints.map((fingerprint) => html`<p><code data-copy=${fingerprint}>${groupsOfFour(fingerprint)}</code></p>`)}
        <p class="soft">The machine must show the same. <a href="/keys">All keys</a></p>
      </aside>
    </div>
    <h2>The files</h2>
    ${files.map(({ key, text }) => setupFile(key, text))}
  `;
}

function setupFile(key: string, text: string): Html {
  const filename = key.split('/').at(-1) ?? key;
  return html`
    <details>
      <summary>${filename}</summary>
      <p><a href=${fileUrl(key)}>Download ${filename}</a></p>
      <pre tabindex="0" aria-label=${filename}><code>${text}</code></pre>
    </details>
  `;
}

export type SetupChoice = ChannelHeadView;

/** Which channel? */
export function setupChoicePage(channels: readonly SetupChoice[], total: number): Html {
  return html`
    ${pageHead('Set a machine up', 'Which channel should the machine follow?')}
    ${
      channels.length === 0
        ? html`<div class="empty"><p>There is no channel here that you may see.</p></div>`
        : table(
            total > channels.length
              ? `The first ${channels.length} of ${count(total, 'channel')}`
              : 'Channels',
            [{ title: 'Channel' }, { title: 'For' }, { title: 'Description', wide: true }],
            channels.map((channel) => [
              html`<a href=${setupUrl(channel.repository, channel.name)}>${channel.repository}/${channel.name}</a>`,
              channelKind(channel).replace(' channel', ''),
              channel.description,
            ]),
          )
    }
    ${total > channels.length && html`<p>The page of a <a href="/">repository</a> lists all of its channels, each with the way to set a machine up.</p>`}
  `;
}
