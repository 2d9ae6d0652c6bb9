import { html, type Html } from './html.ts';
import { chainPicture, type Chain } from './chain.ts';
import { command } from './command.ts';
import { channelUrl, versionUrl } from './links.ts';
import { factList, type Fact } from './said.ts';
import { table } from './table.ts';
import { versionHead, type VersionHead } from './version.ts';
import { count, time, who } from './words.ts';

/** A stay in a channel, with the generations that began and ended it. */
export type StayFact = {
  readonly channel: string;
  readonly component: string;
  readonly addedIn: number;
  readonly addedAt: number | null;
  readonly cause: string | null;
  readonly actor: string | null;
  readonly removedIn: number | null;
  readonly removedAt: number | null;
  readonly removedCause: string | null;
};

export type UploadLine = {
  readonly at: number;
  readonly by: string;
  readonly client: string;
  readonly channel: string | null;
};

export type ProvenanceView = VersionHead & {
  readonly chain: Chain;
  /** The version before, which facts are compared with. */
  readonly previous: string | null;
  readonly build: readonly Fact[];
  readonly source: readonly Fact[];
  readonly integrity: readonly Fact[];
  readonly upload: readonly Fact[];
  readonly uploads: readonly UploadLine[];
  readonly moreUploads: number;
  readonly signature: readonly Fact[];
  readonly stays: readonly StayFact[];
  /** How to check the file, as a command. */
  readonly check: string;
};

/** The order was tested with users by the OpenSSF: build, source, integrity, and then what this server adds. */
export function provenancePage(view: ProvenanceView): Html {
  return html`
    ${versionHead(view, 'provenance')}
    <p>
      Each line names who says it. What the uploader says was recorded as it came, and not checked.
      ${' '}${
        view.previous === null
          ? 'There is no earlier version to compare with.'
          : html`Compared with <a href=${versionUrl({ ...view.place, version: view.previous }, 'provenance')}>${view.previous}</a>, the version before.`
      }
    </p>
    ${section('build', 'Build', factList(view.build))}
    ${section('source', 'Source', factList(view.source))}
    ${section('integrity', 'Integrity', html`${factList(view.integrity)} ${command('check', 'Check a downloaded file', view.check)}`)}
    ${section('upload', 'Upload', html`${factList(view.upload)} ${uploadTable(view)}`)}
    ${section('signature', 'Signature', factList(view.signature))}
    ${section('stays', 'Channels and generations', stayTable(view))}
    ${section('chain', 'The chain', html`${chainPicture(view.chain)} ${chainText(view.chain)}`)}
    ${section('limits', 'What this does not show', limits())}
  `;
}

function section(id: string, title: string, body: Html): Html {
  return html`
    <section aria-labelledby=${id}>
      <h2 id=${id}>${title}</h2>
      ${body}
    </section>
  `;
}

function uploadTable({ uploads, moreUploads }: ProvenanceView): Html | null {
  if (uploads.length + moreUploads < 2) return null;
  return table(
    `Every upload of these bytes${moreUploads === 0 ? '' : `, the first ${uploads.length} of ${uploads.length + moreUploads}`}, says this server`,
    [{ title: 'When' }, { title: 'Token' }, { title: 'Channel' }, { title: 'Client', wide: true }],
    uploads.map(({ at, by, client, channel }) => [
      time(at),
      by,
      channel ?? 'none, to be published later',
      client,
    ]),
  );
}

function stayTable({ place, stays }: ProvenanceView): Html {
  if (stays.length === 0)
    return html`<div class="empty"><p>It is in no channel and never was: it was uploaded to be published later.</p></div>`;
  return table(
    `${count(stays.length, 'stay')}, says this server`,
    [{ title: 'Channel' }, { title: 'Came in' }, { title: 'Went' }, { title: 'Component', wide: true }],
    stays.map((stay) => [
      html`<a href=${channelUrl(place.repository, stay.channel)}>${stay.channel}</a>`,
      html`
        <a href=${channelUrl(place.repository, stay.channel, { at: stay.addedIn })}>generation ${stay.addedIn}</a>
        ${stay.cause !== null && html`${', '}${stay.cause} by ${who(stay.actor ?? '')}`}
        ${stay.addedAt !== null && html`<br /><small>${time(stay.addedAt)}</small>`}
      `,
      stay.removedIn === null
        ? html`<span class="tag ok">there now</span>`
        : html`
            <a href=${channelUrl(place.repository, stay.channel, { at: stay.removedIn })}>generation ${stay.removedIn}</a>
            ${stay.removedCause !== null && html`${', '}${stay.removedCause}`}
            ${stay.removedAt !== null && html`<br /><small>${time(stay.removedAt)}</small>`}
          `,
      stay.component,
    ]),
  );
}

function chainText({ way, channels }: Chain): Html {
  return html`
    <details>
      <summary>The same as a list</summary>
      <ol>
        ${[...way, ...channels].map(
          ({ title, lines, by, href, tie }) => html`
            <li>
              ${href === null ? title : html`<a href=${href}>${title}</a>`}: ${lines.join(', ')}. <small>Says ${by}.</small>
              ${tie && html`<br /><small>Tied to what is before: ${tie.text}.</small>`}
            </li>
          `,
        )}
      </ol>
    </details>
  `;
}

function limits(): Html {
  return html`
    <ul>
      <li>That the package was built from the commit that its uploader names: nothing here binds the two.</li>
      <li>That what the package does is harmless. Read its <em>scripts</em> and its source for that.</li>
      <li>
        What happened before the upload. From the upload on, every step is an event of this server, and what machines
        read is signed.
      </li>
    </ul>
  `;
}
