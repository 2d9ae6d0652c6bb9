import { actionList, type Allowed } from './allowed.ts';
import { html, type Html } from './html.ts';
import { freshness, type ChannelLine } from './home.ts';
import { pageHead, type Tab } from './layout.ts';
import { channelUrl, packageUrl, promoteUrl, repositoryUrl, setupUrl, webhooksUrl } from './links.ts';
import { nextPage } from './paging.ts';
import { table } from './table.ts';
import { ago, count, groupsOfFour, span, time } from './words.ts';

/** How two neighbours in a strip differ, in packages. */
export type Drift = { readonly onlyHere: number; readonly onlyNext: number };

/** The channels of one format and distribution, from development to production. */
export type Strip = {
  readonly format: string;
  readonly distribution: string;
  readonly channels: readonly (ChannelLine & { readonly description: string })[];
  /** Between each channel and the one after it. */
  readonly drifts: readonly Drift[];
};

export type NameLine = {
  readonly name: string;
  readonly packages: number;
  readonly summary: string;
  readonly lastVersion: string;
  readonly lastAt: number;
};

export type RepositoryView = {
  readonly now: number;
  readonly name: string;
  readonly description: string;
  readonly fingerprints: readonly string[];
  readonly signing: keyof typeof signingSentences;
  /** Fingerprints of the keys of producers. */
  readonly producers: readonly string[];
  readonly strips: readonly Strip[];
  /** Channels that an upload made, the one that expires first first. */
  readonly ephemeral: readonly (ChannelLine & { readonly expiresAt: number })[];
  readonly names: readonly NameLine[];
  readonly prefix: string;
  readonly next: string | null;
  readonly allowed: Allowed;
};

const signingSentences = {
  always: 'Every rpm package is signed with the key of the repository.',
  'unsigned-only':
    'An rpm package that a producer has signed is served as it was uploaded; others are signed with the key of the repository.',
  require: 'Only rpm packages that a producer has signed go in, and are served as they were uploaded.',
  never: 'Rpm packages are served as they were uploaded; the signed index vouches for them.',
} as const;

export function repositoryTabs(
  repository: string,
  { administer }: Pick<Allowed, 'administer'>,
  current: 'channels' | 'events' | 'webhooks',
): Tab[] {
  const url = repositoryUrl(repository);
  const webhooks = { text: 'Webhooks', href: webhooksUrl(repository), current: current === 'webhooks' };
  return [
    { text: 'Channels and packages', href: url, current: current === 'channels' },
    { text: 'Events', href: `${url}/events`, current: current === 'events' },
    ...(administer ? [webhooks] : []),
  ];
}

/** One repository: its channels from development to production, its packages, its keys. */
export function repositoryPage(view: RepositoryView): Html {
  return html`
    ${pageHead(view.name, view.description, repositoryTabs(view.name, view.allowed, 'channels'))}
    ${view.strips.length + view.ephemeral.length === 0 && noChannels(view.name)}
    ${view.strips.map((strip) => channelStrip(view, strip))}
    ${view.strips.length > 0 && actionList(view.allowed, { change: [{ text: 'Promote packages', href: promoteUrl(view.name) }] }, 'promote')}
    ${view.ephemeral.length > 0 && ephemeralTable(view)}
    <div class="split">
      <section aria-labelledby="packages">
        <h2 id="packages">Packages</h2>
        ${nameFilter(view)} ${view.names.length === 0 ? noPackages(view) : nameTable(view)} ${nextPage(view.next)}
      </section>
      <aside aria-labelledby="key" class="panel">
        <h2 id="key">Signing key</h2>
        ${view.fingerprints.map((fingerprint) => html`<p><code>${groupsOfFour(fingerprint)}</code></p>`)}
        <ul class="inline">
          <li><a href="/keys/${view.name}.asc">Armoured key</a></li>
          <li><a href="/keys/${view.name}.gpg">Binary key</a></li>
        </ul>
        <p>${signingSentences[view.signing]}</p>
        ${view.producers.length > 0 && producerKeys(view)}
        <p class="soft">Compare the fingerprint with what you were told before a machine uses it.</p>
      </aside>
    </div>
  `;
}

function producerKeys({ name, producers }: RepositoryView): Html {
  return html`
    <h3>Keys of producers</h3>
    ${producers.map((fingerprint) => html`<p><code>${groupsOfFour(fingerprint)}</code></p>`)}
    <p><a href="/keys/producers/${name}.asc">producers/${name}.asc</a></p>
  `;
}

function ephemeralTable({ name, now, ephemeral }: RepositoryView): Html {
  return html`
    <section aria-labelledby="ephemeral">
      <h2 id="ephemeral">Ephemeral channels</h2>
      ${table(
        'Made by an upload; each expires unless something is uploaded before',
        [
          { title: 'Channel' },
          { title: 'Format' },
          { title: 'Packages', number: true },
          { title: 'Expires' },
        ],
        ephemeral.map((channel) => [
          html`<a href=${channelUrl(name, channel.name)}>${channel.name}</a>`,
          channel.format,
          channel.packages.toLocaleString('en'),
          expiry(channel.expiresAt, now),
        ]),
      )}
    </section>
  `;
}

/** When an ephemeral channel expires; at a collection, which comes some time after. */
export function expiry(expiresAt: number, now: number): Html {
  return html`${time(expiresAt)}, ${expiresAt <= now ? 'with the next collection' : `in ${span(expiresAt - now)}`}`;
}

function noChannels(name: string): Html {
  return html`
    <div class="empty">
      <p>This repository has no channels yet.</p>
      <p>Make one with <code>PUT /api/v1/repositories/${name}/channels/CHANNEL</code>.</p>
    </div>
  `;
}

function channelStrip(
  { name, now }: RepositoryView,
  { format, distribution, channels, drifts }: Strip,
): Html {
  const title = distribution === '' ? format : `${format}, ${distribution}`;
  return html`
    <section aria-label=${`Channels for ${title}`}>
      <h2 class="strip-title">${title}</h2>
      <ol class="strip">
        ${channels.map(
          (channel, i) => html`
            <li class="panel">
              <h3><a href=${channelUrl(name, channel.name)}>${channel.name}</a></h3>
              <p>
                <strong>${count(channel.packages, 'package')}</strong><br />
                ${channel.generation === 0 ? html`<span class="soft">nothing published yet</span>` : html`generation ${channel.generation}`}
              </p>
              ${channel.generation > 0 && html`<p class="soft">${freshness(channel, now)}</p>`}
              <p><a href=${setupUrl(name, channel.name)}>Set a machine up for ${channel.name}</a></p>
            </li>
            ${driftItem(name, channels, drifts, i)}
          `,
        )}
      </ol>
    </section>
  `;
}

function driftItem(
  repository: string,
  channels: Strip['channels'],
  drifts: readonly Drift[],
  i: number,
): Html | null {
  const [here, next, drift] = [channels[i], channels[i + 1], drifts[i]];
  if (!here || !next || !drift) return null;
  const { onlyHere, onlyNext } = drift;
  const words =
    onlyHere + onlyNext === 0
      ? 'the same'
      : [
          onlyHere > 0 && `${onlyHere.toLocaleString('en')} ahead`,
          onlyNext > 0 && `${onlyNext.toLocaleString('en')} behind`,
        ]
          .filter(Boolean)
          .join(', ');
  const meaning = `${here.name} holds ${count(onlyHere, 'package')} that ${next.name} does not, and lacks ${onlyNext.toLocaleString('en')} of it`;
  return html`
    <li class="drift">
      <a href=${channelUrl(repository, here.name, { with: next.name })} title=${meaning} aria-label="${here.name} against ${next.name}: ${words}">${words}</a>
    </li>
  `;
}

function nameFilter({ name, prefix }: RepositoryView): Html {
  return html`
    <form class="line" method="get" action=${repositoryUrl(name)} role="search" aria-label="Packages of this repository">
      <label>Names that begin with <input type="search" name="q" value=${prefix} autocomplete="off" /></label>
      <button>Show</button>
      ${prefix !== '' && html`<a href=${repositoryUrl(name)}>Show all</a>`}
    </form>
  `;
}

function noPackages({ prefix }: RepositoryView): Html {
  return html`
    <div class="empty">
      <p>${prefix === '' ? 'Nothing has been published here yet.' : `No package has a name that begins with “${prefix}”.`}</p>
    </div>
  `;
}

function nameTable({ name, names, now }: RepositoryView): Html {
  return table(
    'Packages by name',
    [
      { title: 'Package' },
      { title: 'Last version' },
      { title: 'Uploaded', wide: true },
      { title: 'Builds kept', number: true, wide: true },
    ],
    names.map((line) => [
      html`<a href=${packageUrl(name, line.name)}>${line.name}</a>${line.summary !== '' && html`<br /><small>${line.summary}</small>`}`,
      html`<span class="mono">${line.lastVersion}</span>`,
      ago(line.lastAt, now),
      line.packages.toLocaleString('en'),
    ]),
  );
}
