/** Atom feeds (RFC 4287). */
import { createHash } from 'node:crypto';
import { attributes, textElement } from '../formats/yum/xml.ts';

export type FeedEntry = {
  /** What the entry is about, for ever: two servers, and two things of one, never share it. */
  readonly subject: readonly (string | number)[];
  readonly title: string;
  readonly atMs: number;
  readonly author: string;
  /** An absolute URL. */
  readonly href: string;
  readonly summary: string;
};

export type Feed = {
  readonly subject: readonly (string | number)[];
  readonly title: string;
  /** Of the feed itself, and of the page that shows the same. */
  readonly self: string;
  readonly alternate: string;
  /** When the subject began, for a feed without entries. */
  readonly sinceMs: number;
  /** The newest first. */
  readonly entries: readonly FeedEntry[];
};

/** Stable also when the address of the server changes: readers would show everything as new again. */
function idOf(subject: Feed['subject']): string {
  const hex = createHash('sha256').update(JSON.stringify(subject)).digest('hex');
  const variant = ((parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  // RFC 9562, version 8: made of a digest of our choice.
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Characters that XML 1.0 cannot carry are left out: a feed that does not parse shows nothing at all. */
const plain = (text: string): string =>
  text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '');

const element = (name: string, text: string): string => textElement(name, plain(text));
const link = (rel: string, type: string, href: string): string => `<link${attributes({ rel, type, href })}/>`;
const moment = (ms: number): string => new Date(ms).toISOString();

export function writeFeed(feed: Feed): string {
  const updated = feed.entries[0]?.atMs ?? feed.sinceMs;
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    element('id', idOf(feed.subject)),
    element('title', feed.title),
    element('updated', moment(updated)),
    link('self', 'application/atom+xml', feed.self),
    link('alternate', 'text/html', feed.alternate),
    '<generator>Entrepot</generator>',
    ...feed.entries.map((entry) => writeEntry(entry)),
    '</feed>',
    '',
  ].join('\n');
}

function writeEntry({ subject, title, atMs, author, href, summary }: FeedEntry): string {
  return [
    '<entry>',
    element('id', idOf(subject)),
    element('title', title),
    element('updated', moment(atMs)),
    `<author>${element('name', author === '' ? 'unknown' : author)}</author>`,
    link('alternate', 'text/html', href),
    element('summary', summary),
    '</entry>',
  ].join('\n');
}
