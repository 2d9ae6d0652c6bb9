/** Re-derives what is published from the packages and the catalog, and names every difference by its path. */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Catalog, ChannelRow, GenerationRow, PackageRow } from '../db/catalog.ts';
import { getChannel, listAllChannels, listChannels } from '../db/channels.ts';
import { findGeneration, listGenerations } from '../db/generations.ts';
import { listPins } from '../db/pins.ts';
import { findByIdentity, listPackages } from '../db/packages.ts';
import { listRepositories, listSigningKeys } from '../db/repositories.ts';
import { AppError } from '../errors.ts';
import type { FileDigest } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import { channelForm, publishedForm } from '../publish/build.ts';
import { expectedOf, type Expected, type SignedText } from '../publish/expected.ts';
import { parseVisible } from '../publish/visible.ts';
import { readPublicKey } from '../signing/keys.ts';
import type { PublicKey } from '../signing/public-key.ts';
import { verifyClearsigned, verifyDetached } from '../signing/verify.ts';
import type { Store } from '../store/store.ts';
import { faultyDocuments } from './documents.ts';
import { pinAliases } from './pins.ts';
import { IndexCheck } from './index-check.ts';
import { makeSetupFiles } from './setup-files.ts';

export type FsckDeps = { readonly db: Catalog; readonly store: Store };
export type Fault = { readonly key: string; readonly problem: string };

const notOfPackages = 'the published index is not that of the packages';
const notAsUploaded = 'the published document is not the one that was uploaded';
/** Generations read at a time. */
const page = 100;
/** A head that is being published beside us is whole within this time after its commit, or it is at fault. */
const patienceMs = 5000;
const lookAgainMs = 100;

/** Checks every package file, every generation's files, and every head's indexes, pointers and signatures. */
export async function* checkEverything(deps: FsckDeps, options = { alone: false }): AsyncGenerator<Fault> {
  const packages = (await listPackages(deps.db)).filter((row) => row.collected_at === null);
  for (const row of packages) yield* checkPackage(deps, row);
  for (const { name } of await listRepositories(deps.db))
    for (const channel of await listAllChannels(deps.db, name)) {
      yield* checkGenerations(deps, channel, packages);
      yield* options.alone
        ? await checkHead(deps, channel.id)
        : await checkMoving(deps, channel.id, checkHead);
    }
}

/** The quick part: whether what clients start from shows the head of each channel, of which at most `limit` are named. */
export async function checkPublishedHeads(deps: FsckDeps, limit: number): Promise<Fault[]> {
  const suspects: string[] = [];
  for (const { id } of await listChannels(deps.db))
    if (suspects.length < limit && (await headFaults(deps, id)).length > 0) suspects.push(id);
  return (await Promise.all(suspects.map((id) => checkMoving(deps, id, headFaults)))).flat();
}

async function headFaults(deps: FsckDeps, channelId: string): Promise<Fault[]> {
  const channel = await getChannel(deps.db, channelId);
  const head = await findGeneration(deps.db, channelId, channel.head);
  return head?.collected_at === null ? await checkPointers(deps, channel, head) : [];
}

/** A package whose upload is taken back meanwhile, or that is collected, is at no fault. */
async function* checkPackage({ db, store }: FsckDeps, row: PackageRow): AsyncGenerator<Fault> {
  const problem =
    (await faultOf(store, row.path, { sha256: row.sha256, sizeBytes: row.size_bytes })) ??
    (await faultOfUpload(store, row));
  if (problem === null) return;
  const now = await findByIdentity(db, row);
  if (now?.id === row.id && now.collected_at === null) yield { key: row.path, problem };
}

async function* checkGenerations(
  deps: FsckDeps,
  channel: ChannelRow,
  packages: readonly PackageRow[],
): AsyncGenerator<Fault> {
  const check = new GenerationCheck(deps.store, await keysOf(deps.db, channel), packages);
  const indexes = new IndexCheck(deps.db, channel);
  let expected = channel.head;
  for (let before = channel.head + 1; before > 1;) {
    const rows = await listGenerations(deps.db, channel.id, { before, limit: page });
    for (const row of rows) {
      for (; expected > row.number; expected--) yield missingGeneration(channel, expected);
      expected = row.number - 1;
      // Of what was collected the files may be there or not: only the row has to be.
      if (row.collected_at !== null) continue;
      yield* check.run(expectedOf(channel, row));
      // Those of the head are looked at when it stands still.
      if (row.number === channel.head) continue;
      for (const id of await indexes.run(row))
        yield { key: `${channel.id} generation ${row.number} ${id}`, problem: notOfPackages };
      for (const kind of await faultyDocuments(deps.db, channel, row))
        yield { key: `${channel.id} generation ${row.number} ${kind}`, problem: notAsUploaded };
    }
    before = rows.at(-1)?.number ?? 1;
  }
  for (; expected > 0; expected--) yield missingGeneration(channel, expected);
}

async function keysOf(db: Catalog, { repository }: ChannelRow): Promise<PublicKey[]> {
  return (await listSigningKeys(db, repository)).map((row) => readPublicKey(row.public_key));
}

function missingGeneration(channel: ChannelRow, number: number): Fault {
  return { key: channel.id, problem: `generation ${number} is missing from the catalog` };
}

/** The files of one channel's generations; what several of them share is read once. */
class GenerationCheck {
  readonly #store: Store;
  readonly #keys: readonly PublicKey[];
  readonly #packages: readonly string[];
  readonly #checked = new Set<string>();
  /** A file in each folder that an alias shows. */
  readonly #folders = new Map<string, string>();

  constructor(store: Store, keys: readonly PublicKey[], packages: readonly PackageRow[]) {
    this.#store = store;
    this.#keys = keys;
    this.#packages = packages.map((row) => row.path);
  }

  async *run({ named, plain, signed, aliases }: Expected): AsyncGenerator<Fault> {
    for (const { key, ...digest } of named) yield* this.#once(key, () => faultOf(this.#store, key, digest));
    for (const { key, text } of plain) yield* this.#once(key, () => this.#plain(key, text));
    for (const document of signed)
      yield* this.#once(document.key, () => this.#signed(document, [...plain, ...signed]));
    for (const { key, target } of aliases) yield* this.#once(key, () => this.#alias(key, target));
  }

  async *#once(key: string, check: () => Promise<string | null>): AsyncGenerator<Fault> {
    if (this.#checked.has(key)) return;
    this.#checked.add(key);
    const problem = await check();
    if (problem !== null) yield { key, problem };
  }

  async #plain(key: string, text: string): Promise<string | null> {
    const bytes = await readWhole(this.#store, key);
    if (!bytes) return 'missing';
    return misnamed(key, bytes) ?? (sameButTimes(bytes.toString(), text) ? null : 'not as it was published');
  }

  /** A signature beside its document is over the bytes that are there, whose own check is another one. */
  async #signed(
    { key, text, detached }: SignedText,
    documents: readonly { readonly key: string; readonly text: string }[],
  ): Promise<string | null> {
    const bytes = await readWhole(this.#store, key);
    if (!bytes) return 'missing';
    const beside = documents.find((document) => document.text === text && document.key !== key);
    try {
      if (!detached) {
        const signed = verifyClearsigned(bytes, this.#keys).text;
        return misnamed(key, bytes) ?? (sameButTimes(signed, text) ? null : 'not as it was published');
      }
      const content = beside ? await readWhole(this.#store, beside.key) : null;
      verifyDetached(content ?? Buffer.from(text), bytes.toString(), this.#keys);
      return misnamed(key, bytes);
    } catch (error) {
      return `signature: ${(error as Error).message}`;
    }
  }

  /** An alias of a folder is looked at by any one file that is known to be in it. */
  async #alias(key: string, target: string): Promise<string | null> {
    const isFile = (await sizeOf(this.#store, target)) !== null;
    const below = isFile ? '' : this.#fileBelow(target);
    const [shown, meant] = await Promise.all([
      sizeOf(this.#store, key + below),
      sizeOf(this.#store, target + below),
    ]);
    return shown === meant ? null : `does not show ${target}`;
  }

  #fileBelow(folder: string): string {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const isBelow = (key: string): boolean => key.startsWith(`${folder}/`);
    const file = this.#packages.find(isBelow) ?? [...this.#checked].find(isBelow) ?? folder;
    this.#folders.set(folder, file.slice(folder.length));
    return file.slice(folder.length);
  }
}

async function sizeOf(store: Store, key: string): Promise<number | null> {
  const file = await store.open(key);
  await file?.close();
  return file?.sizeBytes ?? null;
}

/** Texts that are one but for the times of their signing, which the catalog keeps for the last one only. */
function sameButTimes(a: string, b: string): boolean {
  const timeless = (text: string): string => text.replace(/^(Date|Valid-Until): .*\n/gm, '');
  return timeless(a) === timeless(b);
}

/** What a file that is named by its digest should have. */
function misnamed(key: string, bytes: Buffer): string | null {
  const name = /\/SHA256\/([0-9a-f]{64})$/.exec(key)?.[1];
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return name === undefined || name === sha256 ? null : `SHA-256 ${sha256}`;
}

/** Null when the file is there with its size and digest. */
async function faultOf(store: Store, key: string, expected: FileDigest): Promise<string | null> {
  const file = await store.open(key);
  if (!file) return 'missing';
  if (file.sizeBytes !== expected.sizeBytes) {
    await file.close();
    return `${file.sizeBytes} bytes, expected ${expected.sizeBytes}`;
  }
  const hash = createHash('sha256');
  for await (const chunk of file.stream()) hash.update(chunk as Buffer);
  const sha256 = hash.digest('hex');
  return sha256 === expected.sha256 ? null : `SHA-256 ${sha256}, expected ${expected.sha256}`;
}

/** Null when a package that was signed here makes the file again that was uploaded. */
async function faultOfUpload(
  store: Store,
  { path, format, signature_header, uploaded_sha256, core_sha256 }: PackageRow,
): Promise<string | null> {
  const { signing } = formatOf(format).packages;
  if (signing === null || signature_header === null) return null;
  const file = await store.open(path);
  if (!file) return 'missing';
  const uploaded = createHash('sha256').update(Buffer.from(signature_header, 'base64'));
  const core = createHash('sha256');
  try {
    for await (const chunk of signing.core(file.stream())) {
      uploaded.update(chunk);
      core.update(chunk);
    }
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  if (core.digest('hex') !== core_sha256) return `the core is not that with the SHA-256 ${core_sha256}`;
  return uploaded.digest('hex') === uploaded_sha256
    ? null
    : `with the signature header that was kept it does not make the upload ${uploaded_sha256}`;
}

/** The head of a channel that a server may be publishing: what is at fault only in passing is none. */
async function checkMoving(
  deps: FsckDeps,
  channelId: string,
  check: (deps: FsckDeps, channelId: string) => Promise<Fault[]>,
): Promise<Fault[]> {
  let looked = '';
  let since = Date.now();
  for (;;) {
    const faults = await check(deps, channelId);
    const { head } = await getChannel(deps.db, channelId);
    const now = `${head} ${(await findGeneration(deps.db, channelId, head))?.signed_at ?? 0}`;
    if (faults.length === 0 || (now === looked && Date.now() - since > patienceMs)) return faults;
    if (now !== looked) since = Date.now();
    looked = now;
    await wait(lookAgainMs);
  }
}

async function checkHead(deps: FsckDeps, channelId: string): Promise<Fault[]> {
  const channel = await getChannel(deps.db, channelId);
  const head = await findGeneration(deps.db, channelId, channel.head);
  if (head?.collected_at !== null) return [];
  const isGone = channel.deleted_at !== null;
  return [
    ...(await checkIndexes(deps, channel, head)),
    ...(await checkPointers(deps, channel, head)),
    ...(isGone ? [] : await checkSetupFiles(deps, channel, head)),
    ...(await checkPins(deps, channel)),
  ];
}

async function checkIndexes(deps: FsckDeps, channel: ChannelRow, head: GenerationRow): Promise<Fault[]> {
  const wrong = await new IndexCheck(deps.db, channel).run(head);
  const faulty = await faultyDocuments(deps.db, channel, head);
  return [
    ...wrong.map((id) => ({ key: `${channel.id} ${id}`, problem: notOfPackages })),
    ...faulty.map((kind) => ({ key: `${channel.id} ${kind}`, problem: notAsUploaded })),
  ];
}

/**
 * Each pointer and each plain name shows what it should, which is checked with its generation. A pointer may be one
 * file with its document: what is at fault with the document is then at fault with what clients start from.
 */
async function checkPointers(deps: FsckDeps, channel: ChannelRow, head: GenerationRow): Promise<Fault[]> {
  const faults: Fault[] = [];
  const { pointers, aliases } = parseVisible(head.pointers);
  const damaged = await damagedSources(deps, channel, head);
  const shows = [...pointers, ...aliases.map(({ key, target }) => ({ key, from: target }))];
  for (const { key, from } of shows) {
    const [shown, meant] = await Promise.all([readWhole(deps.store, key), readWhole(deps.store, from)]);
    const isOther = meant !== null && shown?.equals(meant) === false;
    const wrong = isOther ? `does not show ${from}` : meant && damaged.get(from);
    const problem = shown ? wrong : 'missing';
    if (problem) faults.push({ key, problem });
  }
  return faults;
}

/** What is at fault with the documents that the head's pointers show, by their keys. */
async function damagedSources(
  { db, store }: FsckDeps,
  channel: ChannelRow,
  head: GenerationRow,
): Promise<Map<string, string>> {
  const sources = new Set(parseVisible(head.pointers).pointers.map(({ from }) => from));
  const isSource = ({ key }: { readonly key: string }): boolean => sources.has(key);
  const { plain, signed } = expectedOf(channel, head);
  const documents = { plain: plain.filter(isSource), signed: signed.filter(isSource) };
  const check = new GenerationCheck(store, await keysOf(db, channel), []);
  const faults = await Array.fromAsync(check.run({ ...documents, named: [], aliases: [] }));
  return new Map(faults.map(({ key, problem }) => [key, problem]));
}

async function checkPins({ db, store }: FsckDeps, channel: ChannelRow): Promise<Fault[]> {
  const faults: Fault[] = [];
  const document = formatOf(channel.format).channels.snapshots.documentBelow;
  for (const pin of await listPins(db, channel.id))
    for (const { key, target } of pinAliases(channel, pin).slice(-1)) {
      const [shown, meant] = await Promise.all(
        [key, target].map((folder) => readWhole(store, `${folder}/${document}`)),
      );
      if (!shown) faults.push({ key, problem: 'missing' });
      else if (!meant?.equals(shown)) faults.push({ key, problem: `does not show ${target}` });
    }
  return faults;
}

async function checkSetupFiles(
  { db, store }: FsckDeps,
  channel: ChannelRow,
  head: GenerationRow,
): Promise<Fault[]> {
  const { publicUrl } = publishedForm(channel, head.settings);
  const faults: Fault[] = [];
  for (const { key, bytes } of await makeSetupFiles(db, channelForm(channel, publicUrl), channel.format)) {
    const found = await readWhole(store, key);
    if (!found?.equals(bytes)) faults.push({ key, problem: found ? 'not as it was published' : 'missing' });
  }
  return faults;
}

async function readWhole(store: Store, key: string): Promise<Buffer | null> {
  const file = await store.open(key);
  return file && (await file.bytes());
}
