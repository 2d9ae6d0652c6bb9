/** Re-derives what is published from the packages and the catalog, and names every difference by its path. */
import { createHash } from 'node:crypto';
import type { Catalog, ChannelRow, GenerationRow } from '../db/catalog.ts';
import { listChannels } from '../db/channels.ts';
import { listGenerations } from '../db/generations.ts';
import { listPackages } from '../db/packages.ts';
import { listSigningKeys } from '../db/repositories.ts';
import type { FileDigest } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import { channelForm, composeIndex, parseIndexes } from '../publish/build.ts';
import { loadState } from '../publish/channel-state.ts';
import { parseVisible } from '../publish/visible.ts';
import { readPublicKey } from '../signing/keys.ts';
import { verifyClearsigned, verifyDetached } from '../signing/verify.ts';
import type { Store } from '../store/store.ts';

export type FsckDeps = { readonly db: Catalog; readonly store: Store };
export type Fault = { readonly key: string; readonly problem: string };

/** Generations read at a time. */
const page = 100;

/** Checks every package file, every generation's files, and every head's indexes, pointers and signatures. */
export async function* checkEverything(deps: FsckDeps): AsyncGenerator<Fault> {
  for (const row of await listPackages(deps.db))
    yield* checkFile(deps.store, row.path, { sha256: row.sha256, sizeBytes: row.size_bytes });
  for (const channel of await listChannels(deps.db)) yield* checkChannel(deps, channel);
}

async function* checkChannel(deps: FsckDeps, channel: ChannelRow): AsyncGenerator<Fault> {
  const checked = new Set<string>();
  let expected = channel.head;
  for (let before = channel.head + 1; before > 1;) {
    const rows = await listGenerations(deps.db, channel.id, { before, limit: page });
    for (const row of rows) {
      if (row.number !== expected)
        yield { key: channel.id, problem: `generation ${expected} is missing from the catalog` };
      expected = row.number - 1;
      yield* checkGeneration(deps, channel, row, checked);
    }
    before = rows.at(-1)?.number ?? 1;
  }
  if (expected > 0) yield { key: channel.id, problem: `generation ${expected} is missing from the catalog` };
  const [head] = await listGenerations(deps.db, channel.id, { limit: 1 });
  if (head) yield* checkHead(deps, channel, head);
}

/** Every file that a generation names is there with its size and digest. */
async function* checkGeneration(
  deps: FsckDeps,
  channel: ChannelRow,
  row: GenerationRow,
  checked: Set<string>,
): AsyncGenerator<Fault> {
  const form = channelForm(channel, '');
  const indexes = parseIndexes(row.indexes);
  const generation = {
    channel: form,
    number: row.number,
    date: row.date,
    validUntil: row.date,
    isNew: false,
    indexes,
  };
  const { documents, place } = formatOf(channel.format).channels.describe(generation);
  const { named } = place(documents.map((document) => ({ ...document, clearsigned: '', detached: '' })));
  for (const file of named) {
    if (checked.has(file.key)) continue;
    checked.add(file.key);
    yield* checkFile(deps.store, file.key, file);
  }
}

async function* checkFile(store: Store, key: string, expected: FileDigest): AsyncGenerator<Fault> {
  const file = await store.open(key);
  if (!file) {
    yield { key, problem: 'missing' };
    return;
  }
  const hash = createHash('sha256');
  for await (const chunk of file.stream()) hash.update(chunk as Buffer);
  const sha256 = hash.digest('hex');
  if (file.sizeBytes !== expected.sizeBytes)
    yield { key, problem: `${file.sizeBytes} bytes, expected ${expected.sizeBytes}` };
  else if (sha256 !== expected.sha256)
    yield { key, problem: `SHA-256 ${sha256}, expected ${expected.sha256}` };
}

async function* checkHead(deps: FsckDeps, channel: ChannelRow, head: GenerationRow): AsyncGenerator<Fault> {
  const plans = formatOf(channel.format).channels.indexes(channelForm(channel, ''));
  const state = await loadState(deps.db, channel, head.number, plans);
  const derived = await Promise.all(state.indexes.map(composeIndex));
  const published = new Map(parseIndexes(head.indexes).map((index) => [index.id, index]));
  for (const index of derived) {
    const said = published.get(index.id);
    if (said?.raw.sha256 !== index.raw.sha256)
      yield { key: `${channel.id} ${index.id}`, problem: 'the published index is not that of the packages' };
  }
  yield* checkPointers(deps, channel, head);
}

/** Each pointer shows the bytes it should, and signatures are by keys of the repository. */
async function* checkPointers(
  { db, store }: FsckDeps,
  channel: ChannelRow,
  head: GenerationRow,
): AsyncGenerator<Fault> {
  const keys = (await listSigningKeys(db, channel.repository)).map((row) => readPublicKey(row.public_key));
  const shown = new Map<string, Buffer>();
  for (const { key, from } of parseVisible(head.pointers).pointers) {
    const [pointer, source] = await Promise.all([readWhole(store, key), readWhole(store, from)]);
    if (!pointer || !source) yield { key: pointer ? from : key, problem: 'missing' };
    else if (!pointer.equals(source)) yield { key, problem: `does not show ${from}` };
    else shown.set(key, pointer);
  }
  for (const [key, bytes] of shown)
    try {
      const signed = shown.get(key.replace(/\.(gpg|asc)$/, ''));
      if (key.endsWith('/InRelease')) verifyClearsigned(bytes, keys);
      else if (/\.(gpg|asc)$/.test(key) && signed) verifyDetached(signed, bytes.toString('utf8'), keys);
    } catch (error) {
      yield { key, problem: `signature: ${(error as Error).message}` };
    }
}

async function readWhole(store: Store, key: string): Promise<Buffer | null> {
  const file = await store.open(key);
  return file && (await file.bytes());
}
