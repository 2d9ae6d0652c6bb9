import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { channelUrl, repositoryUrl } from './links.ts';
import { nextPage } from './paging.ts';
import { table } from './table.ts';
import { ago, count, who } from './words.ts';

export type ChannelLine = {
  readonly name: string;
  readonly format: string;
  readonly distribution: string;
  readonly generation: number;
  readonly packages: number;
  /** Milliseconds since 1970; null before the first generation. */
  readonly signedAt: number | null;
  /** When clients stop believing it; null for what does not run out. */
  readonly validUntil: number | null;
};

export type RepositoryCard = {
  readonly name: string;
  readonly description: string;
  readonly isPrivate: boolean;
  readonly channels: readonly ChannelLine[];
  readonly moreChannels: number;
};

export type Publication = {
  readonly repository: string;
  readonly channel: string;
  readonly generation: number;
  readonly at: number;
  readonly cause: string;
  readonly actor: string;
};

export type HomeView = {
  readonly now: number;
  readonly repositories: readonly RepositoryCard[];
  readonly next: string | null;
  readonly recent: readonly Publication[];
};

/** The first page: the repositories, their channels and how fresh they are, and what was published last. */
export function homePage({ now, repositories, next, recent }: HomeView): Html {
  return html`
    ${pageHead('Repositories', 'Packages for apt and yum machines, signed, with where each came from.')}
    ${repositories.length === 0 && noRepositories()}
    <ul class="cards">
      ${repositories.map((repository) => repositoryCard(repository, now))}
    </ul>
    ${nextPage(next)}
    ${
      recent.length > 0 &&
      html`
        <h2>Published last</h2>
        ${recentTable(recent, now)}
      `
    }
  `;
}

function noRepositories(): Html {
  return html`
    <div class="empty">
      <p>There is no repository here that you may see.</p>
      <p>
        An operator makes one with <code>PUT /api/v1/repositories/NAME</code>; a private one is shown to who has a
        token for it.
      </p>
    </div>
  `;
}

function repositoryCard(
  { name, description, isPrivate, channels, moreChannels }: RepositoryCard,
  now: number,
): Html {
  const url = repositoryUrl(name);
  return html`
    <li>
      <h2>
        <a href=${url}>${name}</a>
        ${isPrivate && html`<span class="tag">private</span>`}
      </h2>
      <p>${description}</p>
      ${channels.length === 0 && html`<p class="soft">No channels yet.</p>`}
      <ul class="plain lines">
        ${channels.map(
          (channel) => html`
            <li>
              <span>
                <a href=${channelUrl(name, channel.name)}>${channel.name}</a>
                ${' '}<small class="by">${channel.format}, ${count(channel.packages, 'package')}</small>
              </span>
              <small>${freshness(channel, now)}</small>
            </li>
          `,
        )}
      </ul>
      ${moreChannels > 0 && html`<p><a href=${url}>${count(moreChannels, 'more channel')} of ${name}</a></p>`}
    </li>
  `;
}

/** `signed 3 h ago, valid 6 d 21 h`. */
export function freshness(
  { signedAt, validUntil }: Pick<ChannelLine, 'signedAt' | 'validUntil'>,
  now: number,
): Html {
  if (signedAt === null) return html`<span>nothing published yet</span>`;
  const left = validUntil === null ? null : validUntil - now;
  return html`
    <span>signed ${ago(signedAt, now)}</span>
    ${left !== null && left < 0 && html` <span class="tag bad">expired</span>`}
  `;
}

function recentTable(recent: readonly Publication[], now: number): Html {
  return table(
    'The last publication of each channel, the newest first',
    [
      { title: 'Channel' },
      { title: 'When' },
      { title: 'Generation', number: true },
      { title: 'Cause' },
      { title: 'By', wide: true },
    ],
    recent.map(({ repository, channel, generation, at, cause, actor }) => [
      html`<a href=${channelUrl(repository, channel)}>${repository}/${channel}</a>`,
      ago(at, now),
      String(generation),
      cause,
      who(actor),
    ]),
  );
}
