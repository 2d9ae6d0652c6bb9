import { html, type Html } from './html.ts';
import { command } from './command.ts';
import { actionList, type Allowed } from './allowed.ts';
import { pageHead, type Tab } from './layout.ts';
import {
  channelFeedUrl,
  channelUrl,
  editChannelUrl,
  fileUrl,
  promoteUrl,
  rollBackUrl,
  setupUrl,
  type VersionPlace,
  versionUrl,
  yankUrl,
} from './links.ts';
import { nextPage } from './paging.ts';
import { expiry } from './repository.ts';
import { table } from './table.ts';
import { timeline, type Bar } from './timeline.ts';
import { ago, count, groupsOfFour, moment, size, span, time, who } from './words.ts';

export type ChannelHeadView = {
  readonly repository: string;
  readonly name: string;
  readonly format: string;
  /** Empty for none. */
  readonly distribution: string;
  readonly description: string;
  readonly generation: number;
};

export type MemberLine = VersionPlace & {
  readonly component: string;
  readonly addedIn: number;
  readonly summary: string;
  readonly sizeBytes: number;
};

/** What a list of packages shows: the head, or an older generation. */
export type Contents = {
  /** Null for the head. */
  readonly generation: number | null;
  readonly publishedAt: number | null;
  readonly packages: number;
  readonly members: readonly MemberLine[];
  readonly prefix: string;
  readonly next: string | null;
};

export type ChannelView = {
  readonly now: number;
  readonly channel: ChannelHeadView;
  readonly contents: Contents;
  readonly signedAt: number | null;
  readonly validUntil: number | null;
  /** Null for a channel that stays. */
  readonly expiresAt: number | null;
  readonly lastCause: string | null;
  readonly lastActor: string | null;
  readonly fingerprints: readonly string[];
  readonly bars: readonly Bar[];
  /** Lines of set-up that pin a machine to the generation shown, and what they go into. */
  readonly pin: { readonly label: string; readonly text: string } | null;
  /** Files of the tree that clients begin with, as keys. */
  readonly pointers: readonly string[];
  readonly publicUrl: string;
  readonly allowed: Allowed;
  /** Those of the head beside its packages: their kinds, and where each is read. */
  readonly documents: readonly { readonly kind: string; readonly href: string; readonly addedIn: number }[];
};

export function channelTabs(
  channel: ChannelHeadView,
  current: 'packages' | 'generations' | 'setup' | null,
): Tab[] {
  const { repository, name } = channel;
  return [
    { text: 'Packages', href: channelUrl(repository, name), current: current === 'packages' },
    {
      text: 'Generations',
      href: `${channelUrl(repository, name)}/generations`,
      current: current === 'generations',
    },
    { text: 'Set a machine up', href: setupUrl(repository, name), current: current === 'setup' },
  ];
}

/** `apt channel for bookworm`. */
export function channelKind({
  format,
  distribution,
}: Pick<ChannelHeadView, 'format' | 'distribution'>): string {
  return `${format} channel${distribution === '' ? '' : ` for ${distribution}`}`;
}

/** A channel: what it holds, now or at another time, and how it got there. */
export function channelPage(view: ChannelView): Html {
  const { channel, contents } = view;
  const lead = `${channelKind(channel)}. ${channel.description}`;
  return html`
    ${pageHead(channel.name, lead, channelTabs(channel, 'packages'))}
    ${contents.generation !== null && pastNotice(view, contents.generation)}
    <div class="split">
      <section aria-labelledby="contents">
        <h2 id="contents">${contents.generation === null ? 'Packages now' : `Packages of generation ${contents.generation}`}</h2>
        ${contents.packages > 0 && memberFilter(view)}
        ${contents.members.length === 0 ? noMembers(view) : memberTable(view)}
        ${nextPage(contents.next)}
      </section>
      <aside>${view.channel.generation > 0 && stateOf(view)} ${timePanel(view)} ${changePanel(view)}</aside>
    </div>
    ${view.bars.length > 0 && history(view)}
  `;
}

function pastNotice({ channel, contents, now, allowed }: ChannelView, generation: number): Html {
  const at = contents.publishedAt;
  const rollBack = {
    text: `Roll back to generation ${generation}`,
    href: rollBackUrl(channel.repository, channel.name, generation),
  };
  return html`
    <div class="notice">
      <p>
        This is generation ${generation}${at !== null && html`, published ${time(at)}, ${ago(at, now)}`}.
        ${' '}<a href=${channelUrl(channel.repository, channel.name)}>What ${channel.name} holds now</a>
        ${' · '}
        <a href=${channelUrl(channel.repository, channel.name, { from: generation, to: channel.generation })}>What has changed since</a>
      </p>
      ${allowed.change && actionList(allowed, { change: [rollBack] }, 'roll back')}
    </div>
  `;
}

function memberFilter({ channel, contents }: ChannelView): Html {
  const url = channelUrl(channel.repository, channel.name);
  return html`
    <form class="line" method="get" action=${url} role="search" aria-label=${`Packages of ${channel.name}`}>
      ${contents.generation !== null && html`<input type="hidden" name="at" value=${contents.generation} />`}
      <label>Names that begin with <input type="search" name="q" value=${contents.prefix} autocomplete="off" /></label>
      <button>Show</button>
      ${contents.prefix !== '' && html`<a href=${channelUrl(channel.repository, channel.name, { at: contents.generation ?? undefined })}>Show all</a>`}
    </form>
  `;
}

function noMembers({ channel, contents, publicUrl }: ChannelView): Html {
  if (contents.prefix !== '')
    return html`<div class="empty"><p>No package here has a name that begins with “${contents.prefix}”.</p></div>`;
  if (contents.generation !== null)
    return html`<div class="empty"><p>This generation holds no packages.</p></div>`;
  const extension = channel.format === 'apt' ? 'deb' : 'rpm';
  return html`
    <div class="empty">
      <p>${channel.generation === 0 ? 'Nothing has been published here yet.' : 'This generation holds no packages.'} An upload publishes at once:</p>
      ${command('upload', 'Upload', `curl -T app.${extension} -H "Authorization: Bearer $TOKEN" \\\n  ${publicUrl}/api/v1/repositories/${channel.repository}/channels/${channel.name}/packages/`)}
    </div>
  `;
}

function memberTable({ channel, contents }: ChannelView): Html {
  const several = new Set(contents.members.map(({ component }) => component)).size > 1;
  const all = count(contents.packages, 'package');
  return table(
    contents.prefix === ''
      ? `${all}, by name`
      : `Of ${all}, those whose names begin with “${contents.prefix}”`,
    [
      { title: 'Package' },
      { title: 'Version' },
      { title: 'Architecture' },
      ...(several ? [{ title: 'Component', wide: true }] : []),
      { title: 'Size', number: true, wide: true },
      { title: 'Since generation', number: true, wide: true },
    ],
    contents.members.map((line) => [
      html`<a href=${versionUrl(line)}>${line.name}</a>${line.summary !== '' && html`<br /><small>${line.summary}</small>`}`,
      html`<span class="mono">${line.version}</span>`,
      line.architecture,
      ...(several ? [line.component] : []),
      size(line.sizeBytes),
      html`<a href=${channelUrl(channel.repository, channel.name, { at: line.addedIn })}>${line.addedIn}</a>`,
    ]),
  );
}

function stateOf(view: ChannelView): Html {
  const { channel, now, signedAt, validUntil, fingerprints, pointers } = view;
  return html`
    <div class="panel">
      <h2>As machines see it</h2>
      <dl class="facts">
        <dt>Generation</dt>
        <dd>${channel.generation}${view.lastCause !== null && html`${', '}${view.lastCause} by ${who(view.lastActor ?? '')}`}</dd>
        ${signedAt !== null && html`<dt>Signed</dt><dd>${ago(signedAt, now)}</dd>`}
        ${
          validUntil !== null &&
          html`<dt>Valid until</dt>
            <dd>
              ${time(validUntil)}
              ${validUntil < now ? html` <span class="tag bad">expired</span>` : html`<br /><small>${span(validUntil - now)} left</small>`}
            </dd>`
        }
        ${
          view.expiresAt !== null &&
          html`<dt>Expires</dt>
            <dd>${expiry(view.expiresAt, now)}<br /><small>unless something is uploaded before</small></dd>`
        }
        <dt>Signing key</dt>
        ${fingerprints.map((fingerprint) => html`<dd><code>${groupsOfFour(fingerprint)}</code></dd>`)}
        <dt>Clients begin with</dt>
        ${pointers.map((key) => html`<dd><a href=${fileUrl(key)}>${key.split('/').at(-1)}</a></dd>`)}
        ${view.documents.length > 0 && html`<dt>Documents</dt>`}
        ${view.documents.map(
          ({ kind, href, addedIn }) =>
            html`<dd><a href=${href}>${kind}</a> <small>since generation ${addedIn}</small></dd>`,
        )}
      </dl>
    </div>
  `;
}

function changePanel({ channel, allowed }: ChannelView): Html | null {
  const { repository, name, generation } = channel;
  const published = [
    { text: `Promote from ${name}`, href: promoteUrl(repository, { from: name }) },
    { text: 'Roll back', href: rollBackUrl(repository, name) },
    { text: 'Yank', href: yankUrl(repository, name) },
  ];
  const actions = actionList(
    allowed,
    {
      change: [
        { text: `Promote into ${name}`, href: promoteUrl(repository, { to: name }) },
        ...(generation > 0 ? published : []),
      ],
      administer: [{ text: 'Edit the channel', href: editChannelUrl(repository, name) }],
    },
    'promote, roll back, yank or edit',
  );
  return actions && html`<div class="panel"><h2>Change it</h2>${actions}</div>`;
}

function timePanel({ channel, contents, pin }: ChannelView): Html | null {
  if (channel.generation === 0) return null;
  const url = channelUrl(channel.repository, channel.name);
  return html`
    <div class="panel">
      <h2>At another time</h2>
      <form class="fields" method="get" action=${url}>
        <label>
          Date and time, UTC, or a generation
          <input name="at" placeholder="2026-11-17 12:00" value=${contents.generation ?? ''} autocomplete="off" />
        </label>
        <div><button>Show what it held then</button></div>
      </form>
      ${
        pin &&
        html`
          <details>
            <summary>Pin a machine to generation ${contents.generation ?? channel.generation}</summary>
            ${command('pin', pin.label, pin.text)}
          </details>
        `
      }
    </div>
  `;
}

function history({ channel, bars }: ChannelView): Html {
  const last = bars.at(-1);
  return html`
    <section aria-labelledby="history">
      <h2 id="history">How it got here</h2>
      ${timeline(channel.name, bars)}
      <p>
        <a href=${`${channelUrl(channel.repository, channel.name)}/generations`}>All generations as a list</a>
        ${last && html` <small class="by">the last one ${moment(last.at)}</small>`}
      </p>
      <p><a href=${channelFeedUrl(channel.repository, channel.name)}>Atom feed of ${channel.name}</a></p>
    </section>
  `;
}
