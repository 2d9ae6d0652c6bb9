import { actionList, type Allowed } from './allowed.ts';
import { html, type Html } from './html.ts';
import { command } from './command.ts';
import { cut, firstLines } from './cut.ts';
import { wholeDigest } from './digest.ts';
import { pageHead, type Tab } from './layout.ts';
import {
  channelUrl,
  fileUrl,
  packageUrl,
  promoteUrl,
  searchUrl,
  versionUrl,
  yankUrl,
  type VersionPlace,
} from './links.ts';
import { nextPage } from './paging.ts';
import { table } from './table.ts';
import { ago, count, size, time } from './words.ts';

/** A package in a channel: from a generation on, up to another. */
export type StayLine = {
  readonly channel: string;
  readonly component: string;
  readonly addedIn: number;
  readonly removedIn: number | null;
};

export type VersionHead = {
  readonly place: VersionPlace;
  readonly summary: string;
  readonly fileCount: number;
  readonly scriptCount: number;
  readonly changeCount: number;
};

export type TabName = '' | 'files' | 'scripts' | 'changelog' | 'provenance';

export type VersionView = VersionHead & {
  readonly now: number;
  /** Null once its file was collected. */
  readonly fileKey: string | null;
  readonly sizeBytes: number;
  readonly installedSizeBytes: number | null;
  readonly description: string;
  readonly maintainer: string | null;
  readonly homepage: string | null;
  readonly license: string | null;
  readonly section: string | null;
  readonly source: { readonly name: string; readonly version: string } | null;
  readonly relations: readonly {
    readonly kind: string;
    readonly items: readonly RelationItem[];
    readonly more: number;
  }[];
  readonly findings: readonly string[];
  readonly sha256: string;
  readonly uploadedSha256: string;
  readonly coreSha256: string;
  readonly stays: readonly StayLine[];
  /** Of the last upload: when, by which token, from which source. */
  readonly upload: {
    readonly at: number;
    readonly by: string;
    readonly source: string | null;
    readonly commit: string | null;
  } | null;
  readonly install: readonly { readonly client: string; readonly text: string }[];
  /** Other versions to compare this one with, the nearest first. */
  readonly others: readonly string[];
  readonly allowed: Allowed;
};

export type RelationItem = { readonly text: string; readonly name: string };

export function versionTabs(
  { place, fileCount, scriptCount, changeCount }: VersionHead,
  current: TabName,
): Tab[] {
  const tab = (name: TabName, text: string): Tab => ({
    text,
    href: versionUrl(place, name),
    current: name === current,
  });
  return [
    tab('', 'Package'),
    tab('files', `Files (${fileCount.toLocaleString('en')})`),
    tab('scripts', `Scripts (${scriptCount})`),
    ...(changeCount > 0 ? [tab('changelog', `Changelog (${changeCount})`)] : []),
    tab('provenance', 'Provenance'),
  ];
}

export function versionHead(head: VersionHead, current: TabName): Html {
  const { name, version, architecture, distribution } = head.place;
  const title = html`${name} <span class="version">${version}</span> <span class="tag">${architecture}</span>${distribution !== '' && html` <span class="tag">${distribution}</span>`}`;
  return pageHead(title, cut(head.summary), versionTabs(head, current));
}

/** One package: what it says of itself, what it needs, where it is, and its digests. */
export function versionPage(view: VersionView): Html {
  return html`
    ${versionHead(view, '')}
    ${findingsNotice(view)}
    <div class="split">
      <div>
        <section aria-labelledby="about">
          <h2 id="about">What the package says of itself</h2>
          ${view.description !== '' && html`<div class="text">${firstLines(view.description, 8000).text}</div>`}
          ${metadata(view)}
        </section>
        ${relations(view)} ${checksums(view)} ${compare(view)}
      </div>
      <aside>${provenancePanel(view)} ${installPanel(view)} ${channelPanel(view)}</aside>
    </div>
  `;
}

function findingsNotice({ findings }: VersionView): Html | null {
  if (findings.length === 0) return null;
  return html`
    <div class="notice warn">
      <p><strong>Noticed by this server when it read the package</strong></p>
      <ul>
        ${findings.map((finding) => html`<li>${cut(finding)}</li>`)}
      </ul>
    </div>
  `;
}

function metadata(view: VersionView): Html {
  const { maintainer, homepage, license, section, source, installedSizeBytes } = view;
  const row = (label: string, value: Html | string | null): Html | null =>
    value === null ? null : html`<dt>${label}</dt><dd>${value}</dd>`;
  return html`
    <dl class="facts">
      ${row('Maintainer', maintainer && cut(maintainer))}
      ${row('Homepage', homepage && homepageLink(homepage))}
      ${row('License', license && cut(license))}
      ${row('Section', section && cut(section))}
      ${row('Source package', source && `${cut(source.name)} ${cut(source.version)}`)}
      ${row('Installed size', installedSizeBytes === null ? null : size(installedSizeBytes))}
    </dl>
  `;
}

/** Only http and https lead anywhere: a package may say `javascript:`. */
function homepageLink(text: string): Html {
  return /^https?:\/\/[^\s"'<>]+$/i.test(text)
    ? html`<a href=${text} rel="nofollow noreferrer">${cut(text, 200)}</a>`
    : html`<span>${cut(text, 200)}</span>`;
}

function relations({ place, relations: kinds }: VersionView): Html | null {
  if (kinds.length === 0) return null;
  return html`
    <section aria-labelledby="relations">
      <h2 id="relations">Relations</h2>
      <dl class="facts">
        ${kinds.map(
          ({ kind, items, more }) => html`
            <dt>${kind}</dt>
            <dd>
              <ul class="relations">
                ${items.map(({ text, name }) => html`<li><a href=${relationUrl(place, name)}>${cut(text, 200)}</a></li>`)}
              </ul>
              ${more > 0 && html`<small>and ${count(more, 'more', 'more')}</small>`}
            </dd>
          `,
        )}
      </dl>
    </section>
  `;
}

function relationUrl({ repository }: VersionPlace, name: string): string {
  return searchUrl({ q: name, repository });
}

function checksums({ sha256, uploadedSha256, coreSha256, fileKey, sizeBytes }: VersionView): Html {
  const same = sha256 === uploadedSha256;
  return html`
    <section aria-labelledby="checksums">
      <h2 id="checksums">File and checksums</h2>
      <dl class="facts">
        <dt>File</dt>
        <dd>
          ${
            fileKey === null
              ? html`<span>The file was collected: no kept generation names it. Its digests stay.</span>`
              : html`<a href=${fileUrl(fileKey)}>${fileKey.split('/').at(-1)}</a>`
          }
          ${' '}<small class="by">${size(sizeBytes)}</small>
        </dd>
        <dt>SHA-256${!same && ', as served'}</dt>
        <dd>${wholeDigest(sha256)}</dd>
        ${!same && html`<dt>SHA-256, as uploaded</dt><dd>${wholeDigest(uploadedSha256)}</dd>`}
        ${
          coreSha256 !== sha256 &&
          html`<dt>Core digest</dt>
            <dd>${wholeDigest(coreSha256)}<br /><small>Main header and payload, which signing leaves alone.</small></dd>`
        }
      </dl>
    </section>
  `;
}

function compare({ place, others }: VersionView): Html | null {
  if (others.length === 0) return null;
  return html`
    <section aria-labelledby="compare">
      <h2 id="compare">Compare with another version</h2>
      <ul class="inline">
        ${others.map((other) => html`<li><a href=${versionUrl(place, `diff/${encodeURIComponent(other)}`)}>${other}</a></li>`)}
      </ul>
    </section>
  `;
}

function provenancePanel({ place, upload, now }: VersionView): Html {
  return html`
    <div class="panel">
      <h2>Where it came from</h2>
      ${
        upload === null
          ? html`<p>This server has no record of its upload.</p>`
          : html`
              <dl class="facts">
                <dt>Source, says the uploader</dt>
                <dd>${upload.source === null ? 'not declared' : sourceLink(upload.source)}</dd>
                <dt>Commit, says the uploader</dt>
                <dd>${upload.commit === null ? 'not declared' : html`<code>${cut(upload.commit, 80)}</code>`}</dd>
                <dt>Uploaded, says this server</dt>
                <dd>${ago(upload.at, now)} with the token ${upload.by}</dd>
              </dl>
            `
      }
      <p><a href=${versionUrl(place, 'provenance')}>Provenance in full</a></p>
    </div>
  `;
}

/** A place that an uploader declares: a link when it can be one, text otherwise. */
export function sourceLink(text: string): Html {
  return homepageLink(text);
}

function installPanel({ install }: VersionView): Html | null {
  if (install.length === 0) return null;
  return html`
    <div class="panel">
      <h2>Install this version</h2>
      ${install.map(({ client, text }, i) => command(`install-${i}`, client, text))}
    </div>
  `;
}

function channelPanel({ place, stays, allowed }: VersionView): Html {
  const now = stays.filter(({ removedIn }) => removedIn === null);
  const { repository, name, version, architecture } = place;
  const change = [...new Set(now.map(({ channel }) => channel))].flatMap((channel) => [
    { text: `Promote from ${channel}`, href: promoteUrl(repository, { from: channel, packages: name }) },
    { text: `Yank from ${channel}`, href: yankUrl(repository, channel, { name, version, architecture }) },
  ]);
  return html`
    <div class="panel">
      <h2>In channels now</h2>
      ${now.length === 0 && html`<p>In none. ${stays.length > 0 && html`<a href=${packageUrl(place.repository, place.name)}>Where it was</a>`}</p>`}
      <ul class="plain">
        ${now.map(
          ({ channel, component, addedIn }) => html`
            <li>
              <a href=${channelUrl(place.repository, channel)}>${channel}</a>
              ${' '}<small class="by">${component}, since generation ${addedIn}</small>
            </li>
          `,
        )}
      </ul>
      ${now.length > 0 && actionList(allowed, { change }, 'promote or yank')}
    </div>
  `;
}

export type FileLine = {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly target: string | null;
};

/** The files that a package installs, a page of them. */
export function filesPage(head: VersionHead, files: readonly FileLine[], next: string | null): Html {
  return html`
    ${versionHead(head, 'files')}
    ${
      files.length === 0
        ? html`<div class="empty"><p>The package installs no files.</p></div>`
        : table(
            `${count(head.fileCount, 'entry', 'entries')}, in the order of the package`,
            [{ title: 'Path' }, { title: 'Mode' }, { title: 'Size', number: true }],
            files.map(({ path, type, sizeBytes, mode, target }) => [
              html`<span class="mono">${cut(path, 1000)}</span>${target !== null && html`<span class="mono soft"> → ${cut(target, 300)}</span>`}`,
              html`<span class="mono">${writeMode(type, mode)}</span>`,
              type === 'directory' ? '' : size(sizeBytes),
            ]),
          )
    }
    ${nextPage(next, 'More files')}
  `;
}

const letters: Readonly<Record<string, string>> = {
  directory: 'd',
  symlink: 'l',
  device: 'c',
  fifo: 'p',
  socket: 's',
};

/** As `ls -l` writes it. */
function writeMode(type: string, mode: number): string {
  const bits = ['r', 'w', 'x', 'r', 'w', 'x', 'r', 'w', 'x'].map((letter, i) =>
    mode & (0o400 >> i) ? letter : '-',
  );
  const special = (at: number, bit: number, letter: string): void => {
    if (mode & bit) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase();
  };
  special(2, 0o4000, 's');
  special(5, 0o2000, 's');
  special(8, 0o1000, 't');
  return `${letters[type] ?? '-'}${bits.join('')}`;
}

export type ScriptView = {
  readonly name: string;
  readonly interpreter: string | null;
  readonly text: string;
};

/** Bytes of scripts on one page. */
const scriptBytes = 60_000;

/** What runs as root on the machine that installs, as text. */
export function scriptsPage(head: VersionHead, scripts: readonly ScriptView[]): Html {
  let room = scriptBytes;
  return html`
    ${versionHead(head, 'scripts')}
    ${
      scripts.length === 0
        ? html`<div class="empty"><p>The package has no maintainer scripts: installing it runs nothing of its own.</p></div>`
        : html`<p>These run as root on a machine that installs, upgrades or removes the package.</p>`
    }
    ${scripts.map(({ name, interpreter, text }) => {
      const shown = firstLines(text, room);
      room -= shown.bytes;
      const url = versionUrl(head.place, `scripts/${encodeURIComponent(name)}`);
      return html`
        <section aria-labelledby=${`script-${name}`}>
          <h2 id=${`script-${name}`}>${name}</h2>
          <p class="soft">
            ${interpreter === null ? 'No interpreter named' : html`Run by <code>${cut(interpreter, 200)}</code>`}
            ${', '}${size(text.length)}. <a href=${url}>${name} as plain text</a>
          </p>
          ${shown.text !== '' && html`<pre tabindex="0" aria-label=${name}><code>${shown.text}</code></pre>`}
          ${!shown.whole && html`<p>The beginning only; the whole is behind the link above.</p>`}
        </section>
      `;
    })}
  `;
}

export type ChangeLine = { readonly author: string; readonly time: number; readonly text: string };

export function changelogPage(head: VersionHead, changes: readonly ChangeLine[]): Html {
  let room = 60_000;
  return html`
    ${versionHead(head, 'changelog')}
    ${changes.map(({ author, time: seconds, text }) => {
      const shown = firstLines(text, room);
      room -= shown.bytes;
      return html`
        <h2 class="change">${cut(author, 200)}</h2>
        <p class="soft">${time(Math.min(seconds, 8.64e12) * 1000)}</p>
        <div class="text">${shown.text}</div>
      `;
    })}
  `;
}
