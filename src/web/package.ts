import { html, type Html } from './html.ts';
import { command } from './command.ts';
import { pageHead } from './layout.ts';
import { downloadsSection, type DownloadsView } from './downloads.ts';
import {
  badgeUrl,
  channelUrl,
  packageFeedUrl,
  packageUrl,
  setupUrl,
  versionUrl,
  type VersionPlace,
} from './links.ts';
import { nextPage } from './paging.ts';
import { table } from './table.ts';
import { ago, count } from './words.ts';

/** A version in a channel: there now, or in older generations, or never. */
export type Cell = { readonly since: number; readonly until: number | null } | null;

export type VersionLine = VersionPlace & {
  readonly uploadedAt: number;
  readonly by: string | null;
  /** In the order of the channels. */
  readonly cells: readonly Cell[];
};

export type PackageView = {
  readonly now: number;
  readonly repository: string;
  readonly name: string;
  readonly summary: string;
  /** Channels that hold or held a version. */
  readonly channels: readonly { readonly name: string }[];
  /** The newest first. */
  readonly versions: readonly VersionLine[];
  readonly total: number;
  readonly next: string | null;
  /** Who uploaded versions of it, and how often. */
  readonly uploaders: readonly { readonly name: string; readonly uploads: number; readonly lastAt: number }[];
  readonly install: readonly { readonly client: string; readonly text: string; readonly channel: string }[];
  readonly downloads: DownloadsView;
  /** Channels that hold it now, whose badges can be shown elsewhere. */
  readonly badges: readonly string[];
  readonly publicUrl: string;
};

/** One name: its versions, where each is, who uploads it and how to install it. */
export function packagePage(view: PackageView): Html {
  return html`
    ${pageHead(view.name, view.summary)}
    <section aria-labelledby="versions">
      <h2 id="versions">Versions and channels</h2>
      ${matrix(view)} ${nextPage(view.next, 'Older versions')}
    </section>
    <div class="beside">${installPanel(view)} ${uploaderPanel(view)} ${followPanel(view)}</div>
    ${downloadsSection(view.name, view.downloads)}
  `;
}

function matrix({ repository, name, channels, versions, total, now }: PackageView): Html {
  return table(
    `${count(total, 'package')} of ${name}, the newest version first; a channel says since which generation it holds one`,
    [
      { title: 'Version' },
      { title: 'For' },
      ...channels.map((channel) => ({ title: channel.name })),
      { title: 'Uploaded', wide: true },
      { title: 'By', wide: true },
    ],
    versions.map((line) => [
      html`<a class="mono" href=${versionUrl(line)}>${line.version}</a>`,
      `${line.architecture}${line.distribution === '' ? '' : `, ${line.distribution}`}`,
      ...line.cells.map((cell, i) => cellOf(repository, channels[i]?.name ?? '', cell)),
      ago(line.uploadedAt, now),
      line.by ?? '—',
    ]),
  );
}

function cellOf(repository: string, channel: string, cell: Cell): Html | string {
  if (cell === null) return html`<span class="soft">never</span>`;
  const { since, until } = cell;
  if (until === null)
    return html`<a class="tag ok" href=${channelUrl(repository, channel, { at: since })}>since ${since}</a>`;
  return html`<a href=${channelUrl(repository, channel, { at: since })}>was ${since === until - 1 ? since : `${since}–${until - 1}`}</a>`;
}

function installPanel({ repository, install }: PackageView): Html | null {
  const [first] = install;
  if (!first) return null;
  return html`
    <div class="panel">
      <h2>Install</h2>
      ${install.map(({ client, text }, i) => command(`install-${i}`, client, text))}
      <p><a href=${setupUrl(repository, first.channel)}>Set the machine up first</a></p>
    </div>
  `;
}

/** What shows elsewhere how the package stands: a feed, and badges for a README. */
function followPanel({ repository, name, channels, badges, publicUrl }: PackageView): Html | null {
  if (channels.length === 0) return null;
  return html`
    <div class="panel">
      <h2>Follow it</h2>
      <p><a href=${packageFeedUrl(repository, name)}>Atom feed of ${name}</a></p>
      ${badges.map(
        (channel, i) => html`
          <details>
            <summary>Badge of ${channel}</summary>
            <p><img src=${badgeUrl(repository, channel, name)} alt=${`The version of ${name} in ${channel}`} height="20" /></p>
            ${command(`badge-${i}`, 'Markdown', badgeMarkdown(publicUrl, { repository, channel, name }))}
          </details>
        `,
      )}
    </div>
  `;
}

/** A parenthesis would end the address; encodeURIComponent leaves it as it is. */
function badgeMarkdown(
  publicUrl: string,
  { repository, channel, name }: { repository: string; channel: string; name: string },
): string {
  const address = (path: string): string =>
    `(${publicUrl}${path.replace(/[()]/g, (letter) => (letter === '(' ? '%28' : '%29'))})`;
  const picture = `![${channel}]${address(badgeUrl(repository, channel, name))}`;
  return `[${picture}]${address(packageUrl(repository, name))}`;
}

function uploaderPanel({ uploaders, now }: PackageView): Html | null {
  if (uploaders.length === 0) return null;
  return html`
    <div class="panel">
      <h2>Who uploads it</h2>
      <ul class="plain">
        ${uploaders.map(
          ({ name, uploads, lastAt }) => html`
            <li>
              <strong>${name}</strong> <small class="by">${count(uploads, 'upload')}, last ${ago(lastAt, now)}</small>
            </li>
          `,
        )}
      </ul>
      <p class="soft">Names of tokens, as this server recorded them.</p>
    </div>
  `;
}
