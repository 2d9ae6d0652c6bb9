/**
 * Makes again what fsck found damaged or missing in the tree, as far as it follows from the packages and the
 * catalog: the same packages, settings, times and key give the same bytes. Nothing may publish meanwhile.
 */
import type { ChannelRow, GenerationRow } from '../db/catalog.ts';
import { getChannel, listAllChannels } from '../db/channels.ts';
import { listDocuments } from '../db/documents.ts';
import { findGeneration, listGenerations } from '../db/generations.ts';
import { listRepositories } from '../db/repositories.ts';
import type { ChannelForm, ComposedIndex, NamedFile } from '../formats/format.ts';
import { formatOf } from '../formats/formats.ts';
import {
  channelForm,
  parseIndexes,
  publishedForm,
  signDocuments,
  type PublishDeps,
} from '../publish/build.ts';
import { composeDocuments } from '../publish/documents.ts';
import { expectedOf } from '../publish/expected.ts';
import { IndexCache } from '../publish/index-cache.ts';
import { signAgain } from '../publish/round.ts';
import { parseVisible, showGeneration } from '../publish/visible.ts';
import type { Fault } from './fsck.ts';
import { publicKey, publicMark } from '../publish/public-key.ts';
import { IndexCheck } from './index-check.ts';
import { showPinsOf } from './pins.ts';
import { makeSetupFiles } from './setup-files.ts';

/** What the public URL was is part of what was published. */
type RepairDeps = Omit<PublishDeps, 'publicUrl'>;

/** Generations read at a time. */
const page = 100;

/** Writes again, of what is at fault, all that can be made. What is at fault afterwards fsck has to find out. */
export async function repairEverything(deps: RepairDeps, faults: readonly Fault[]): Promise<void> {
  const broken = new Set(faults.map(({ key }) => key));
  const cache = new IndexCache();
  try {
    for (const { name, visibility } of await listRepositories(deps.db)) {
      // For nodes that only read; every start looks whether it is there.
      if (visibility === 'public') await deps.store.putPointer(publicKey(name), publicMark, deps.clock.now());
      for (const channel of await listAllChannels(deps.db, name))
        await new ChannelRepair(deps, cache, channel, broken).run();
    }
  } finally {
    await cache.close();
  }
}

class ChannelRepair {
  readonly #deps: RepairDeps;
  readonly #cache: IndexCache;
  readonly #channel: ChannelRow;
  readonly #broken: ReadonlySet<string>;
  readonly #indexes: IndexCheck;
  readonly #made = new Set<string>();

  constructor(deps: RepairDeps, cache: IndexCache, channel: ChannelRow, broken: ReadonlySet<string>) {
    this.#deps = deps;
    this.#cache = cache;
    this.#channel = channel;
    this.#broken = broken;
    this.#indexes = new IndexCheck(deps.db, channel);
  }

  async run(): Promise<void> {
    const { db } = this.#deps;
    for (let before = this.#channel.head + 1; before > 1;) {
      const rows = await listGenerations(db, this.#channel.id, { before, limit: page });
      for (const row of rows) if (row.collected_at === null) await this.#generation(row);
      before = rows.at(-1)?.number ?? 1;
    }
    const head = await findGeneration(db, this.#channel.id, this.#channel.head);
    if (head?.collected_at !== null) return;
    await this.#head(head);
    await this.#setupFiles(head);
    await showPinsOf(this.#deps, this.#channel);
  }

  #has(files: readonly { readonly key: string }[]): boolean {
    return files.some(({ key }) => this.#broken.has(key));
  }

  async #generation(row: GenerationRow): Promise<void> {
    const { named, plain, signed, aliases } = expectedOf(this.#channel, row);
    if (this.#has([...named, ...plain, ...signed])) await this.#files(row);
    // All of them: one whose target was missing as well is not known to be broken. What is right stays as it is.
    for (const { key, target } of aliases) await this.#deps.store.putAlias(key, target);
  }

  /** What is named by a digest comes out under its name only when it is the same again. */
  async #files(row: GenerationRow): Promise<void> {
    for (const { key, chunks } of await this.#immutable(row)) {
      if (!this.#broken.has(key)) continue;
      await this.#deps.store.putImmutable(key, chunks);
      this.#made.add(key);
    }
  }

  async #immutable(row: GenerationRow): Promise<NamedFile[]> {
    const { validMs, signerOf } = this.#deps;
    const channel = publishedForm(this.#channel, row.settings);
    const { documents, indexFiles, place } = formatOf(this.#channel.format).channels.describe({
      channel,
      number: row.number,
      date: row.date,
      validUntil: row.date + Math.floor(validMs / 1000),
      isNew: true,
      indexes: await this.#composed(row, channel),
    });
    const signer = await signerOf(this.#channel.repository);
    return [...indexFiles, ...place(await signDocuments(documents, signer, row.date)).immutable];
  }

  /** The indexes as they were published, with the bytes of those forms that come out the same. */
  async #composed(row: GenerationRow, form: ChannelForm): Promise<ComposedIndex[]> {
    const { db } = this.#deps;
    const state = await this.#indexes.stateAt(row);
    const made: ComposedIndex[] = [];
    for (const index of state.indexes)
      made.push(await this.#cache.compose(this.#channel.id, index, () => undefined));
    const { documents: formats } = formatOf(this.#channel.format).channels;
    const documents = await listDocuments(db, this.#channel.id, row.number);
    made.push(...(await composeDocuments(db, { formats, documents, form, known: [] }, () => undefined)));
    const bytes = new Map(
      made.flatMap(({ forms }) => forms.map(({ sha256, chunks }) => [sha256, chunks] as const)),
    );
    return parseIndexes(row.indexes).map((index) => ({
      ...index,
      forms: index.forms.map((file) => ({ ...file, chunks: bytes.get(file.sha256) ?? null })),
    }));
  }

  /** Names and pointers of the head; with a new signature when the old one cannot be made again. */
  async #head(head: GenerationRow): Promise<void> {
    const { store, db } = this.#deps;
    const { aliases, pointers } = parseVisible(head.pointers);
    const sources = pointers.map(({ from }) => ({ key: from }));
    if (!this.#has([...aliases, ...pointers, ...sources])) return;
    const isLost = ({ key }: { key: string }): boolean => this.#broken.has(key) && !this.#made.has(key);
    const { publicUrl } = publishedForm(this.#channel, head.settings);
    if (sources.some(isLost)) await signAgain({ ...this.#deps, publicUrl }, this.#channel.id);
    const now = (await findGeneration(db, this.#channel.id, head.number)) ?? head;
    await showGeneration(store, parseVisible(now.pointers), { date: now.date, before: null });
  }

  async #setupFiles(head: GenerationRow): Promise<void> {
    const { db, store, clock } = this.#deps;
    const { publicUrl } = publishedForm(this.#channel, head.settings);
    const channel = await getChannel(db, this.#channel.id);
    for (const { key, bytes } of await makeSetupFiles(db, channelForm(channel, publicUrl), channel.format))
      if (this.#broken.has(key)) await store.putPointer(key, bytes, clock.now());
  }
}
