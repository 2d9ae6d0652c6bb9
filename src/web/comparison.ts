import { html, type Html } from './html.ts';
import { channelTabs, type ChannelHeadView } from './channel.ts';
import { differenceView, type DifferenceView } from './difference.ts';
import { pageHead } from './layout.ts';
import { channelUrl } from './links.ts';

export type ComparisonView = {
  readonly channel: ChannelHeadView;
  readonly title: string;
  readonly difference: DifferenceView;
} & ({ readonly from: number; readonly to: number } | { readonly other: string });

/** Two generations of a channel, or two channels, side by side. */
export function comparisonPage(view: ComparisonView): Html {
  const { channel, title, difference } = view;
  const { repository, name } = channel;
  return html`
    ${pageHead(title, 'other' in view ? `What ${view.other} would gain and lose if it held what ${name} holds.` : null, channelTabs(channel, null))}
    ${
      'other' in view
        ? html`<p><a href=${channelUrl(repository, view.other, { with: name })}>The other way round</a></p>`
        : html`<p><a href=${channelUrl(repository, name, { from: view.to, to: view.from })}>The other way round</a></p>`
    }
    ${differenceView(difference)}
  `;
}
