import { actionList, type Allowed } from './allowed.ts';
import { html, type Html } from './html.ts';
import { channelTabs, type ChannelHeadView } from './channel.ts';
import { differenceView, type DifferenceView } from './difference.ts';
import { pageHead, type Link } from './layout.ts';
import { channelUrl } from './links.ts';

export type ComparisonView = {
  readonly channel: ChannelHeadView;
  readonly title: string;
  readonly difference: DifferenceView;
  /** What would make of the one the other; null when nothing does. */
  readonly action: Link | null;
  readonly allowed: Allowed;
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
    ${view.action && actionList(view.allowed, { change: [view.action] }, 'other' in view ? 'promote' : 'roll back')}
    <h2>What differs</h2>
    ${differenceView(difference)}
  `;
}
