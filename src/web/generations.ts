import { html, type Html } from './html.ts';
import { channelKind, channelTabs, type ChannelHeadView } from './channel.ts';
import { pageHead } from './layout.ts';
import { channelUrl } from './links.ts';
import { nextPage } from './paging.ts';
import { table } from './table.ts';
import { timeline, type Bar } from './timeline.ts';
import { ago, time, who } from './words.ts';

export type GenerationLine = Bar & {
  readonly actor: string;
  readonly packages: number;
  readonly collected: boolean;
};

export type GenerationsView = {
  readonly now: number;
  readonly channel: ChannelHeadView;
  /** The newest first. */
  readonly generations: readonly GenerationLine[];
  readonly next: string | null;
};

/** Every generation of a channel, to look at or to compare. */
export function generationsPage({ now, channel, generations, next }: GenerationsView): Html {
  const { repository, name } = channel;
  const [newest] = generations;
  return html`
    ${pageHead(name, channelKind(channel), channelTabs(channel, 'generations'))}
    ${
      newest === undefined
        ? html`<div class="empty"><p>Nothing has been published here yet, so there is no generation.</p></div>`
        : html`
            ${timeline(name, [...generations].reverse())}
            <h2>Compare two</h2>
            <form class="line" method="get" action=${channelUrl(repository, name)}>
              <label>
                From generation
                <input name="from" inputmode="numeric" pattern="[0-9]+" required value=${Math.max(0, channel.generation - 1)} />
              </label>
              <label>
                To generation
                <input name="to" inputmode="numeric" pattern="[0-9]+" required value=${channel.generation} />
              </label>
              <button>Compare</button>
            </form>
            <h2>Generations</h2>
            ${generationTable(channel, generations, now)} ${nextPage(next, 'Older generations')}
          `
    }
  `;
}

function generationTable(
  channel: ChannelHeadView,
  generations: readonly GenerationLine[],
  now: number,
): Html {
  const { repository, name } = channel;
  return table(
    'The newest first; a number shows what the channel held',
    [
      { title: 'Generation' },
      { title: 'Published' },
      { title: 'Cause' },
      { title: 'By', wide: true },
      { title: 'Change' },
      { title: 'Packages', number: true, wide: true },
    ],
    generations.map((line) => [
      html`
        <a href=${channelUrl(repository, name, { at: line.generation })}>${line.generation}</a>
        ${line.collected && html` <span class="tag" title="Its files are gone; what it held is still known">files collected</span>`}
      `,
      html`${time(line.at)}<br /><small>${ago(line.at, now)}</small>`,
      line.cause,
      who(line.actor),
      html`
        <a href=${channelUrl(repository, name, { from: line.generation - 1, to: line.generation })}>
          +${line.added.toLocaleString('en')} −${line.removed.toLocaleString('en')}
        </a>
      `,
      line.packages.toLocaleString('en'),
    ]),
  );
}
