import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { channelUrl } from './links.ts';
import { freshness, type ChannelLine } from './home.ts';
import { table } from './table.ts';
import { count, span } from './words.ts';

export type StatusView = {
  readonly now: number;
  readonly version: string;
  /** The database and the store answer. */
  readonly ready: boolean;
  /** How many there are; the first of them are shown. */
  readonly total: number;
  /** How many of all have expired; they come first. */
  readonly expired: number;
  readonly channels: readonly (ChannelLine & { readonly repository: string; readonly pending: number })[];
};

export function hasExpired({ validUntil }: Pick<ChannelLine, 'validUntil'>, now: number): boolean {
  return validUntil !== null && validUntil < now;
}

/** How the server is: whether it can work, and how fresh each channel is. */
export function statusPage({ now, version, ready, total, expired, channels }: StatusView): Html {
  return html`
    ${pageHead('Status', `Entrepot ${version}`)}
    <div class="notice ${ready ? 'ok' : 'bad'}">
      <p>
        ${ready ? 'The catalog and the store can be used.' : 'The catalog or the store cannot be used: uploads fail, and what is published is still served.'}
      </p>
    </div>
    ${expired > 0 && html`<div class="notice bad"><p>${count(expired, 'channel has', 'channels have')} expired: apt refuses them until they are signed again.</p></div>`}
    <h2>Channels</h2>
    ${
      channels.length === 0
        ? html`<div class="empty"><p>There is no channel here that you may see.</p></div>`
        : table(
            total > channels.length
              ? `How fresh the first ${channels.length} of ${count(total, 'channel')} are`
              : 'How fresh each channel is',
            [
              { title: 'Channel' },
              { title: 'Signed' },
              { title: 'Valid for' },
              { title: 'Waiting to be published', number: true, wide: true },
              { title: 'Generation', number: true, wide: true },
            ],
            channels.map((channel) => [
              html`<a href=${channelUrl(channel.repository, channel.name)}>${channel.repository}/${channel.name}</a>`,
              freshness(channel, now),
              channel.validUntil === null ? 'does not run out' : span(channel.validUntil - now),
              channel.pending.toLocaleString('en'),
              String(channel.generation),
            ]),
          )
    }
    <h2>For monitoring</h2>
    <ul>
      <li><a href="/healthz">/healthz</a>: the process answers</li>
      <li><a href="/readyz">/readyz</a>: the catalog and the store can be used</li>
      <li><a href="/metrics">/metrics</a>: figures for Prometheus</li>
    </ul>
  `;
}
