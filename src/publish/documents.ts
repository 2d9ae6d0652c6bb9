/** The documents of a generation: each is an index whose text was uploaded as it is. */
import { crc32 } from 'node:zlib';
import type { Catalog, PendingDocumentRow } from '../db/catalog.ts';
import { findDocument, type ChannelDocument } from '../db/documents.ts';
import type {
  ChannelForm,
  Chunks,
  ComposedIndex,
  DocumentForm,
  DocumentFormat,
  IndexFile,
} from '../formats/format.ts';
import { composeGzip, deflateRun, type DeflatedText } from '../index/gzip.ts';
import { encodeZstd } from '../index/zstd.ts';
import type { Making } from './build.ts';
import { FileDigester } from './file-digester.ts';

/** What differs from one generation to the next, by kind; null where there is no document. */
export type DocumentMove = {
  readonly kind: string;
  /** SHA-256 of the text. */
  readonly from: string | null;
  readonly to: string | null;
};

type Digests = ReadonlyMap<string, Pick<ChannelDocument, 'sha256'>>;

/** What lies between two sets of documents. */
export function documentMoves(before: Digests, after: Digests): DocumentMove[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .map((kind) => ({
      kind,
      from: before.get(kind)?.sha256 ?? null,
      to: after.get(kind)?.sha256 ?? null,
    }))
    .filter(({ from, to }) => from !== to);
}

/** A set of documents with changes to it, in their order. */
export function withDocuments(
  before: Digests,
  changes: readonly Pick<PendingDocumentRow, 'kind' | 'sha256'>[],
): Map<string, { sha256: string }> {
  const after = new Map<string, { sha256: string }>(before);
  for (const { kind, sha256 } of changes)
    if (sha256 === '') after.delete(kind);
    else after.set(kind, { sha256 });
  return after;
}

export type DocumentSet = {
  readonly formats: ReadonlyMap<string, DocumentFormat>;
  readonly documents: Digests;
  readonly form: ChannelForm;
  /** Those of the head, whose files are in the store. */
  readonly known: readonly ComposedIndex[];
};

/** The documents in every form, in the order of the format; those that the store has without their bytes. */
export async function composeDocuments(
  db: Catalog,
  { formats, documents, form, known }: DocumentSet,
  begin: Making['begin'],
): Promise<ComposedIndex[]> {
  const composed: ComposedIndex[] = [];
  for (const [kind, format] of formats) {
    const sha256 = documents.get(kind)?.sha256;
    if (sha256 === undefined) continue;
    const compressions = format.forms(form.compressions);
    const same = known.find(
      ({ id, raw, forms }) =>
        id === kind &&
        raw.sha256 === sha256 &&
        forms.map(({ compression }) => compression).join() === compressions.join(),
    );
    if (same) {
      composed.push(same);
      continue;
    }
    const body = await findDocument(db, sha256);
    if (body === undefined) throw new Error(`the document ${sha256} is missing from the catalog`);
    composed.push(await composeDocument(kind, body, compressions, begin));
  }
  return composed;
}

/** Of a text that is deflated, and hashed, at a stretch. */
const pieceBytes = 2 ** 20;

function inPieces(text: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < text.length; at += pieceBytes) pieces.push(text.subarray(at, at + pieceBytes));
  return pieces;
}

const writers: Readonly<Record<DocumentForm, (pieces: Chunks) => Promise<Chunks>>> = {
  none: (pieces) => Promise.resolve(pieces),
  gzip: async (pieces) => {
    const deflated: DeflatedText[] = [];
    for (const raw of pieces)
      deflated.push({ rawBytes: raw.byteLength, crc: crc32(raw), deflated: await deflateRun(raw) });
    return composeGzip(deflated);
  },
  zstd: async (pieces) => (await encodeZstd(pieces)).map(({ bytes }) => bytes),
};

async function composeDocument(
  id: string,
  text: Uint8Array,
  compressions: readonly DocumentForm[],
  begin: Making['begin'],
): Promise<ComposedIndex> {
  const pieces = inPieces(text);
  const forms: IndexFile[] = [];
  for (const compression of compressions) {
    const chunks = await writers[compression](pieces);
    begin(chunks);
    forms.push({ compression, ...(await new FileDigester().digest(chunks)), chunks });
  }
  return { id, count: 0, raw: await new FileDigester().digest(pieces), forms };
}
