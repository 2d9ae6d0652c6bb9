import { count } from './home.ts';
import { html, type Html } from './html.ts';

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
  readonly channels: readonly ChannelSection[];
};

/** One repository: what is in its channels, and how a machine gets it. */
export function repositoryPage(view: RepositoryView): Html {
  return html`
    <h1>${view.name}</h1>
    <p>${view.description}</p>
    <dl>
      <dt>Signing key</dt>
      ${view.fingerprints.map((fingerprint) => html`<dd><code>${groupsOfFour(fingerprint)}</code></dd>`)}
      <dd>
        <a href="/keys/${view.name}.asc">${view.name}.asc</a>,
        <a href="/keys/${view.name}.gpg">${view.name}.gpg</a>
      </dd>
    </dl>
    ${view.channels.map(channelSection)}
  `;
}

/** A fingerprint as gpg shows it, for comparing by eye. */
export function groupsOfFour(fingerprint: string): string {
  return fingerprint.toUpperCase().replace(/(.{4})(?=.)/g, '$1 ');
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

function packageTable(channel: ChannelSection): Html {
  return html`
    <div class="scroll" role="region" aria-label=${`Packages of ${channel.name}`} tabindex="0">
      <table>
        <caption>
          ${
            channel.shown.length < channel.packages
              ? `The first ${channel.shown.length} of ${count(channel.packages, 'package')}`
              : count(channel.packages, 'package')
          }
        </caption>
        <thead>
          <tr>
            <th scope="col">Package</th>
            <th scope="col">Version</th>
            <th scope="col">Architecture</th>
            <th scope="col">Source, as declared by the uploader</th>
            <th scope="col">SHA-256</th>
          </tr>
        </thead>
        <tbody>
          ${channel.shown.map(
            (line) => html`
              <tr>
                <th scope="row"><a href=${line.url}>${line.name}</a><br /><small>${line.summary}</small></th>
                <td>${line.version}</td>
                <td>${line.architecture}</td>
                <td>
                  ${line.source ?? '—'}${line.commit === null ? '' : html`<br /><code>${line.commit}</code>`}
                </td>
                <td><code>${line.sha256.slice(0, 12)}…</code></td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
