import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { channelUrl, versionUrl, type VersionPlace } from './links.ts';
import { table } from './table.ts';
import { ago, size, time } from './words.ts';

export type DigestMatch = {
  readonly place: VersionPlace;
  /** As what the digest names it: served, uploaded, core. */
  readonly kinds: readonly string[];
  readonly sizeBytes: number;
  readonly receivedAt: number;
  readonly stays: readonly {
    readonly channel: string;
    readonly addedIn: number;
    readonly addedAt: number | null;
    readonly removedIn: number | null;
    readonly removedAt: number | null;
  }[];
};

const meanings: Readonly<Record<string, string>> = {
  served: 'the file as it is served',
  uploaded: 'the file as it was uploaded',
  core: 'what signing leaves alone: main header and payload, or the whole file',
};

/** What a SHA-256 is, and everywhere it was published. */
export function digestPage(sha256: string, matches: readonly DigestMatch[], now: number): Html {
  return html`
    ${pageHead('A digest', html`<span class="digest" data-copy="">${sha256}</span>`)}
    ${matches.map(
      (match) => html`
        <section class="panel">
          <h2><a href=${versionUrl(match.place)}>${match.place.name} <span class="version">${match.place.version}</span></a></h2>
          <dl class="facts">
            <dt>It is</dt>
            <dd>${match.kinds.map((kind, i) => html`${i > 0 && '; '}${meanings[kind]}`)}</dd>
            <dt>Architecture</dt>
            <dd>${match.place.architecture}</dd>
            <dt>Repository</dt>
            <dd>${match.place.repository}</dd>
            <dt>Size, as served</dt>
            <dd>${size(match.sizeBytes)}</dd>
            <dt>Received</dt>
            <dd>${time(match.receivedAt)}, ${ago(match.receivedAt, now)}</dd>
          </dl>
          <p><a href=${versionUrl(match.place, 'provenance')}>Where ${match.place.name} ${match.place.version} came from</a></p>
          ${match.stays.length === 0 ? html`<p>It was never published in a channel.</p>` : stays(match)}
        </section>
      `,
    )}
  `;
}

function stays({ place, stays: list }: DigestMatch): Html {
  return table(
    `Where ${place.name} ${place.version} ${place.architecture} was published`,
    [{ title: 'Channel' }, { title: 'From' }, { title: 'Until' }],
    list.map(({ channel, addedIn, addedAt, removedIn, removedAt }) => [
      html`<a href=${channelUrl(place.repository, channel)}>${channel}</a>`,
      html`generation ${addedIn}${addedAt !== null && html`<br /><small>${time(addedAt)}</small>`}`,
      removedIn === null
        ? html`<span class="tag ok">there now</span>`
        : html`generation ${removedIn}${removedAt !== null && html`<br /><small>${time(removedAt)}</small>`}`,
    ]),
  );
}
