import type { Allowed } from './allowed.ts';
import { html, type Html } from './html.ts';
import { cut } from './cut.ts';
import { pageHead } from './layout.ts';
import { channelUrl, repositoryUrl, versionUrl, type VersionPlace } from './links.ts';
import { nextPage } from './paging.ts';
import { repositoryTabs } from './repository.ts';
import { table } from './table.ts';
import { ago, time } from './words.ts';

export type EventLine = {
  readonly id: string;
  readonly at: number;
  readonly kind: string;
  readonly actor: string;
  readonly channel: string | null;
  readonly generation: number | null;
  readonly package: VersionPlace | null;
  /** What it was about, as JSON. */
  readonly detail: string;
};

export type EventsView = {
  readonly now: number;
  readonly repository: string;
  readonly events: readonly EventLine[];
  readonly filter: { readonly kind: string; readonly actor: string; readonly channel: string };
  readonly kinds: readonly string[];
  readonly channels: readonly string[];
  readonly next: string | null;
  readonly allowed: Pick<Allowed, 'administer'>;
};

/** Who did what, the newest first. */
export function eventsPage(view: EventsView): Html {
  const { repository, events, filter } = view;
  return html`
    ${pageHead(repository, 'Everything that was done to it, and by whom.', repositoryTabs(repository, view.allowed, 'events'))}
    <form class="line" method="get" action=${`${repositoryUrl(repository)}/events`} aria-label="Which events">
      <label>What ${choice('kind', view.kinds, filter.kind)}</label>
      <label>Channel ${choice('channel', view.channels, filter.channel)}</label>
      <label>By <input name="actor" value=${filter.actor} autocomplete="off" /></label>
      <button>Show</button>
      ${Object.values(filter).some((value) => value !== '') && html`<a href=${`${repositoryUrl(repository)}/events`}>Show all</a>`}
    </form>
    ${
      events.length === 0
        ? html`<div class="empty"><p>No event is like that.</p></div>`
        : table(
            'The newest first',
            [
              { title: 'When' },
              { title: 'What' },
              { title: 'By' },
              { title: 'About' },
              { title: 'Detail', wide: true },
            ],
            events.map((event) => [
              html`${time(event.at)}<br /><small>${ago(event.at, view.now)}</small>`,
              event.kind,
              event.actor,
              about(repository, event),
              detailOf(event.detail),
            ]),
          )
    }
    ${nextPage(view.next, 'Older events')}
  `;
}

function choice(name: string, values: readonly string[], current: string): Html {
  return html`
    <select name=${name}>
      <option value="" selected=${current === ''}>any</option>
      ${values.map((value) => html`<option value=${value} selected=${value === current}>${value}</option>`)}
    </select>
  `;
}

function about(repository: string, { channel, generation, package: item }: EventLine): Html {
  return html`
    ${item && html`<a href=${versionUrl(item)}>${item.name} ${item.version}</a>`}
    ${item && channel !== null && html`<br />`}
    ${channel !== null && html`<a href=${channelUrl(repository, channel, { at: generation ?? undefined })}>${channel}${generation !== null && html` generation ${generation}`}</a>`}
  `;
}

function detailOf(json: string): Html | string {
  return json === '{}' ? '' : html`<code>${cut(json, 200)}</code>`;
}
