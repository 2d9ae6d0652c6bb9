/** The file that sets a machine up: `.sources` (sources.list(5)) or `.repo` (yum.conf(5)), as a client reads it. */
import { readFileSync } from 'node:fs';
import { fieldsOf, parseStanza } from '../../formats/apt/control.ts';
import { ask, type Asking } from '../ask.ts';

export type AptSource = {
  readonly kind: 'apt';
  /** Of the server, with a slash at its end. */
  readonly root: URL;
  readonly suite: string;
  /** The value of `Signed-By`: armour, or paths of files; empty without one. */
  readonly signedBy: string;
  readonly trusted: boolean;
};

export type YumSource = {
  readonly kind: 'yum';
  readonly id: string;
  readonly metalink: URL | null;
  /** With a slash at its end. */
  readonly base: URL | null;
  readonly keys: readonly string[];
  /** `repo_gpgcheck`: whether the metadata's signature is looked at. */
  readonly checksMetadata: boolean;
};

export type Source = AptSource | YumSource;

const isUrl = (place: string): boolean => /^https?:\/\//.test(place);

/** Reads a set-up file from its path or URL. Throws what reading it throws, or a sentence about what it is not. */
export async function readSetUp(place: string, asking: Asking): Promise<Source[]> {
  const text = isUrl(place) ? await fetched(new URL(place), asking) : readFileSync(place, 'utf8');
  const sources = /^\[[^\]\n]+\]/m.test(text) ? readRepoFile(text) : readSourcesFile(text, place);
  if (sources.length === 0)
    throw new Error('It names no repository: a .sources file has URIs and Suites, a .repo file a [section]');
  return sources;
}

async function fetched(url: URL, asking: Asking): Promise<string> {
  const { status, body } = await ask(url, asking);
  if (status === 401)
    throw new Error('The repository is private: set ENTREPOT_TOKEN to a token that reads it');
  if (status !== 200) throw new Error(`The answer is ${status}`);
  return body.toString();
}

const withSlash = (url: string): URL => new URL(url.replace(/\/*$/, '/'));

function readSourcesFile(text: string, place: string): Source[] {
  const stanzas = text
    .replace(/^#.*\n?/gm, '')
    .split(/\n(?:[ \t]*\n)+/)
    .filter((stanza) => stanza.trim() !== '');
  return stanzas.flatMap((stanza) => {
    const fields = fieldsOf(parseStanza(Buffer.from(`${stanza.trim()}\n`), place));
    const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if (fields.get('enabled')?.toLowerCase() === 'no') return [];
    const signedBy = fields.get('signed-by') ?? '';
    const trusted = fields.get('trusted')?.toLowerCase() === 'yes';
    return words('uris').flatMap((uri) =>
      words('suites').map((suite) => ({
        kind: 'apt' as const,
        root: withSlash(uri),
        suite,
        signedBy: signedBy.replace(/^ \.?/gm, ''),
        trusted,
      })),
    );
  });
}

/** Settings by section; a line that begins with white space goes on with the value before it. */
function sections(text: string): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  let settings = new Map<string, string>();
  let last = '';
  for (const line of text.split('\n')) {
    const section = /^\[([^\]]+)\]/.exec(line)?.[1];
    const setting = /^([\w.-]+)\s*=\s*(.*)$/.exec(line);
    if (section !== undefined) found.set(section, (settings = new Map<string, string>()));
    else if (setting?.[1] !== undefined) settings.set((last = setting[1]), setting[2]?.trim() ?? '');
    else if (/^\s+\S/.test(line)) settings.set(last, `${settings.get(last) ?? ''} ${line.trim()}`);
  }
  return found;
}

function readRepoFile(text: string): Source[] {
  return [...sections(text)].flatMap(([id, settings]): Source[] => {
    const [metalink, base] = [settings.get('metalink'), settings.get('baseurl')?.split(/[\s,]+/)[0]];
    if (settings.get('enabled') === '0' || (metalink === undefined && base === undefined)) return [];
    return [
      {
        kind: 'yum',
        id,
        metalink: metalink === undefined ? null : new URL(metalink),
        base: base === undefined ? null : withSlash(base),
        keys: (settings.get('gpgkey') ?? '').split(/[\s,]+/).filter(Boolean),
        checksMetadata: settings.get('repo_gpgcheck') === '1',
      },
    ];
  });
}
