import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { table } from './table.ts';
import { count, groupsOfFour } from './words.ts';

export type ChannelSection = {
  readonly name: string;
  readonly format: 'apt' | 'yum';
  readonly description: string;
  readonly generation: number;
  readonly packages: number;
  /** The first of them, by name. */
  readonly shown: readonly PackageLine[];
  /** Commands that set a machine up, with the client that they are for. */
  readonly setup: readonly { readonly client: string; readonly commands: string }[];
};

export type PackageLine = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly summary: string;
  readonly url: string;
  readonly sha256: string;
  /** As the uploader declares it. */
  readonly source: string | null;
  readonly commit: string | null;
};

export type RepositoryView = {
  readonly name: string;
  readonly description: string;
  readonly fingerprints: readonly string[];
  readonly signing: keyof typeof signingSentences;
  /** Fingerprints of the keys of producers. */
  readonly producers: readonly string[];
  readonly channels: readonly ChannelSection[];
};

const signingSentences = {
  always: 'Every rpm package is signed with the key of the repository.',
  'unsigned-only':
    'An rpm package that a producer has signed is served as it was uploaded; others are signed with the key of the repository.',
  require: 'Only rpm packages that a producer has signed go in, and are served as they were uploaded.',
  never: 'Rpm packages are served as they were uploaded; the signed index vouches for them.',
} as const;

/** One repository: what is in its channels, and how a machine gets it. */
export function repositoryPage(view: RepositoryView): Html {
  return html`
    ${pageHead(view.name, view.description)}
    <dl class="facts">
      <dt>Signing key</dt>
      ${view.fingerprints.map((fingerprint) => html`<dd><code>${groupsOfFour(fingerprint)}</code></dd>`)}
      <dd>
        <a href="/keys/${view.name}.asc">${view.name}.asc</a>,
        <a href="/keys/${view.name}.gpg">${view.name}.gpg</a>
      </dd>
      <dt>Signatures in rpm packages</dt>
      <dd>${signingSentences[view.signing]}</dd>
      ${view.producers.length === 0 ? '' : producerKeys(view)}
    </dl>
    ${view.channels.map(channelSection)}
  `;
}

function producerKeys({ name, producers }: RepositoryView): Html {
  return html`
    <dt>Keys of producers</dt>
    ${producers.map((fingerprint) => html`<dd><code>${groupsOfFour(fingerprint)}</code></dd>`)}
    <dd><a href="/keys/producers/${name}.asc">producers/${name}.asc</a></dd>
  `;
}

function channelSection(channel: ChannelSection): Html {
  return html`
    <section id=${channel.name} aria-labelledby=${`${channel.name}-title`}>
      <h2 id=${`${channel.name}-title`}>${channel.name}</h2>
      <p>
        ${channel.format} channel, generation ${channel.generation}, ${count(channel.packages, 'package')}.
        ${' '}${channel.description}
      </p>
      <h3>Set a machine up</h3>
      ${channel.setup.map(
        ({ client, commands }) => html`
          <p class="label">${client}</p>
          <pre tabindex="0"><code>${commands}</code></pre>
        `,
      )}
      <h3>Packages</h3>
      ${channel.shown.length === 0 ? html`<p>Nothing has been published here yet.</p>` : packageTable(channel)}
    </section>
  `;
}

function packageTable({ name, shown, packages }: ChannelSection): Html {
  const all = count(packages, 'package');
  return table(
    `Packages of ${name}: ${shown.length < packages ? `the first ${shown.length} of ${all}` : all}`,
    [
      { title: 'Package' },
      { title: 'Version' },
      { title: 'Architecture' },
      { title: 'Source, as declared by the uploader', wide: true },
      { title: 'SHA-256', wide: true },
    ],
    shown.map((line) => [
      html`<a href=${line.url}>${line.name}</a><br /><small>${line.summary}</small>`,
      line.version,
      line.architecture,
      html`${line.source ?? '—'}${line.commit === null ? '' : html`<br /><code>${line.commit}</code>`}`,
      html`<code>${line.sha256.slice(0, 12)}…</code>`,
    ]),
  );
}
