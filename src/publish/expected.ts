/** What the tree has to hold for a generation, derived again from the catalog: for fsck. */
import type { ChannelRow, GenerationRow } from '../db/catalog.ts';
import type { FileDigest, SignedDocument } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import { parseIndexes, publishedForm } from './build.ts';
import { parseVisible } from './visible.ts';

/** A document that only the signer could write: its text, and whether it stands inside or beside the signature. */
export type SignedText = { readonly key: string; readonly text: string; readonly detached: boolean };

export type Expected = {
  /** Files by their digests. */
  readonly named: readonly (FileDigest & { readonly key: string })[];
  /** Files by their whole text. */
  readonly plain: readonly { readonly key: string; readonly text: string }[];
  readonly signed: readonly SignedText[];
  readonly aliases: readonly { readonly key: string; readonly target: string }[];
};

/** In place of the signatures, which cannot be made again: what stands there says which one belongs there. */
const mark = (index: number, kind: 'clearsigned' | 'detached'): string => `${kind} signature of ${index}`;

export function expectedOf(channel: ChannelRow, row: GenerationRow): Expected {
  const { documents, frozenAliases, place } = formatOf(channel.format).channels.describe({
    channel: publishedForm(channel, row.settings),
    number: row.number,
    date: row.date,
    validUntil: row.date,
    isNew: true,
    indexes: parseIndexes(row.indexes),
  });
  const marked: SignedDocument[] = documents.map((document, index) => ({
    ...document,
    clearsigned: mark(index, 'clearsigned'),
    detached: mark(index, 'detached'),
  }));
  const placement = place(marked);
  // What is named by a digest over its signature stands under another name: the catalog knows it by its pointer.
  const published = new Map(parseVisible(row.pointers).pointers.map(({ key, from }) => [key, from]));
  const names = new Map(placement.pointers.map(({ key, from }) => [from, published.get(key) ?? from]));

  const plain: { key: string; text: string }[] = [];
  const signed: SignedText[] = [];
  for (const { key: derived, chunks } of placement.immutable) {
    const key = names.get(derived) ?? derived;
    const content = Buffer.concat(chunks).toString();
    const clear = marked.find((document) => document.clearsigned === content);
    const beside = marked.find((document) => document.detached === content);
    const document = clear ?? beside;
    if (document) signed.push({ key, text: document.text, detached: document === beside });
    else plain.push({ key, text: content });
  }
  return { named: placement.named, plain, signed, aliases: frozenAliases };
}
