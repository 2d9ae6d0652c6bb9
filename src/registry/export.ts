/**
 * A repository copied to another store, and kept as it is here. In the order of a publication: first everything that
 * never changes, then what clients start from, and only then goes what is no longer named. What clients start from is
 * read at the beginning, so that it names nothing but what is copied, whatever is published meanwhile.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow, GenerationRow } from '../db/catalog.ts';
import { listChannels } from '../db/channels.ts';
import { listPublishedFiles, listStoredGenerations } from '../db/collection.ts';
import { findGeneration } from '../db/generations.ts';
import { listPins } from '../db/pins.ts';
import { AppError } from '../errors.ts';
import { formatNames, formatOf } from '../formats/formats.ts';
import { channelForm } from '../publish/build.ts';
import { expectedOf } from '../publish/expected.ts';
import { parseVisible } from '../publish/visible.ts';
import type { PointerFile, Store, StoredFile } from '../store/store.ts';
import { pinAliases } from './pins.ts';
import { makeSetupFiles } from './setup-files.ts';

export type ExportDeps = {
  readonly db: Catalog;
  readonly store: Store;
  readonly clock: Clock;
  /** Where large files are on their way, on this machine. */
  readonly stagingDir: string;
};

export type ExportRequest = {
  readonly repository: string;
  readonly target: Store;
  /** Whether links to folders are to be copies as well: a bucket has no links that clients could follow. */
  readonly copiesFolders: boolean;
  /** The URL that set-up files of the copy name, without a slash at its end. */
  readonly publicUrl: string;
};

export type ExportReport = { readonly copied: number; readonly unchanged: number; readonly removed: number };

type Wanted = {
  /** From the key there to the key here, and the digest where it is known. */
  readonly files: Map<string, { readonly from: string; readonly sha256: string | null }>;
  readonly aliases: Map<string, string>;
  readonly pointers: PointerFile[];
};

const generationsPerPage = 100;
/** Read into memory; what is larger goes by way of a file. */
const smallBytes = 2 ** 20;
const copiesAtOnce = 8;

/** Throws `not_found` for a file that is named here and is not there, or damaged: run fsck. */
export async function exportRepository(deps: ExportDeps, request: ExportRequest): Promise<ExportReport> {
  const wanted = await collectWanted(deps, request);
  const there = await listTarget(request);
  const folder = await mkdtemp(join(deps.stagingDir, 'export-'));
  let copied = 0;
  try {
    const left = [...wanted.files].filter(([key]) => !there.has(key));
    const copyNext = async (): Promise<void> => {
      for (let next; (next = left.pop());) {
        await copyFile(deps.store, request.target, folder, { key: next[0], ...next[1] });
        copied += 1;
      }
    };
    await Promise.all(Array.from({ length: copiesAtOnce }, copyNext));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const unchanged = wanted.files.size - copied;
  for (const [key, target] of wanted.aliases) await request.target.putAlias(key, target);
  for (const pointer of wanted.pointers) if (await putIfOther(request.target, pointer)) copied += 1;
  const kept = new Set([
    ...wanted.files.keys(),
    ...wanted.aliases.keys(),
    ...wanted.pointers.map(({ key }) => key),
  ]);
  const gone = [...there].filter((key) => !kept.has(key));
  for (const key of gone) await request.target.delete(key);
  return { copied, unchanged, removed: gone.length };
}

async function collectWanted(deps: ExportDeps, request: ExportRequest): Promise<Wanted> {
  const wanted: Wanted = { files: new Map(), aliases: new Map(), pointers: [] };
  const setup = new Map<string, Buffer>();
  const channels = await listChannels(deps.db, request.repository);
  for (const channel of channels) {
    const head = await findGeneration(deps.db, channel.id, channel.head);
    if (head?.collected_at !== null) continue;
    await addHead(deps, wanted, head);
    for await (const row of storedGenerations(deps, channel)) addGeneration(wanted, channel, row);
    for (const pin of await listPins(deps.db, channel.id))
      for (const { key, target } of pinAliases(channel, pin)) wanted.aliases.set(key, target);
    for (const file of await makeSetupFiles(deps.db, channelForm(channel, request.publicUrl), channel.format))
      setup.set(file.key, file.bytes);
  }
  // After the heads: what they hold is in it.
  const packages = await listPublishedFiles(deps.db, request.repository);
  const roots = channels.map((row) =>
    formatOf(row.format).channels.baseKey(channelForm(row, request.publicUrl)),
  );
  if (request.copiesFolders) for (const root of new Set(roots)) addFolders(wanted, root, packages);
  for (const { path, sha256 } of packages) wanted.files.set(path, { from: path, sha256 });
  for (const [key, bytes] of setup) wanted.pointers.unshift({ key, bytes, lastModifiedMs: deps.clock.now() });
  return wanted;
}

async function* storedGenerations(
  { db, clock }: ExportDeps,
  { id }: ChannelRow,
): AsyncGenerator<GenerationRow> {
  for (let after = 0, more = true; more;) {
    const page = { since: clock.now(), after, limit: generationsPerPage };
    const rows = await listStoredGenerations(db, id, page);
    yield* rows;
    after = rows.at(-1)?.number ?? after;
    more = rows.length === generationsPerPage;
  }
}

function addGeneration({ files, aliases }: Wanted, channel: ChannelRow, row: GenerationRow): void {
  const { named, plain, signed, aliases: frozen } = expectedOf(channel, row);
  for (const { key, sha256 } of named) files.set(key, { from: key, sha256 });
  for (const { key } of [...plain, ...signed]) files.set(key, { from: key, sha256: null });
  for (const { key, target } of frozen) aliases.set(key, target);
}

/** What clients start from, as it is now; its own order, the document that names the others last. */
async function addHead({ store, clock }: ExportDeps, wanted: Wanted, head: GenerationRow): Promise<void> {
  const { pointers, aliases } = parseVisible(head.pointers);
  for (const { key, target } of aliases) wanted.aliases.set(key, target);
  for (const { key, from } of pointers) {
    const [file, shown] = await Promise.all([store.open(from), store.open(key)]);
    if (!file) throw missing(from);
    await shown?.close();
    const lastModifiedMs = shown?.lastModifiedMs ?? clock.now();
    wanted.pointers.push({ key, bytes: await file.bytes(), lastModifiedMs });
    wanted.files.set(from, { from, sha256: null });
  }
}

/** The packages once more, below each link of a channel to their folder; frozen generations keep the link alone. */
function addFolders(
  { files, aliases }: Wanted,
  root: string,
  packages: readonly { readonly path: string; readonly sha256: string }[],
): void {
  for (const [key, target] of aliases) {
    if (!key.startsWith(`${root}/`) || key.slice(root.length + 1).includes('/')) continue;
    for (const { path, sha256 } of packages)
      if (path.startsWith(`${target}/`)) files.set(key + path.slice(target.length), { from: path, sha256 });
  }
}

async function listTarget({ target, repository }: ExportRequest): Promise<Set<string>> {
  const there = new Set<string>();
  const roots = formatNames.map((name) => formatOf(name).channels.folders(repository).root);
  for (const root of [...roots, `setup/${repository}`])
    for await (const { key } of target.list(root)) there.add(key);
  return there;
}

type Copy = { readonly key: string; readonly from: string; readonly sha256: string | null };

async function copyFile(
  store: Store,
  target: Store,
  folder: string,
  { key, from, sha256 }: Copy,
): Promise<void> {
  const file = await store.open(from);
  if (!file) throw missing(from);
  const hash = createHash('sha256');
  if (file.sizeBytes <= smallBytes) {
    const bytes = await file.bytes();
    refuseDamaged(from, sha256, hash.update(bytes).digest('hex'));
    await target.putImmutable(key, [bytes]);
    return;
  }
  const path = join(folder, createHash('sha256').update(key).digest('hex'));
  await pipeline(hashed(file, hash), createWriteStream(path, { flags: 'wx' }));
  refuseDamaged(from, sha256, hash.digest('hex'));
  await target.putImmutableFile(key, path);
}

async function* hashed(file: StoredFile, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  const stream: Readable = file.stream();
  for await (const chunk of stream) {
    hash.update(chunk as Buffer);
    yield chunk as Buffer;
  }
}

async function putIfOther(target: Store, { key, bytes, lastModifiedMs }: PointerFile): Promise<boolean> {
  const old = await target.open(key);
  if (old && (await old.bytes()).equals(bytes)) return false;
  await target.putPointer(key, bytes, lastModifiedMs);
  return true;
}

function refuseDamaged(key: string, expected: string | null, found: string): void {
  if (expected !== null && expected !== found)
    throw new AppError(
      'not_found',
      `${key} has the SHA-256 ${found}, and not ${expected}: run "entrepot fsck".`,
    );
}

function missing(key: string): AppError {
  return new AppError('not_found', `${key} is missing from the store: run "entrepot fsck".`);
}
