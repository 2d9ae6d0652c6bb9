/** One package goes in: from the stream of an upload to the receipt, in seven steps. */
import { createReadStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { authorise, type Actor } from '../auth/permissions.ts';
import type { Clock } from '../clock.ts';
import type { Catalog, ChannelRow, PackageRow } from '../db/catalog.ts';
import { getChannel } from '../db/channels.ts';
import { keepPackage } from '../db/collection.ts';
import { findMembership } from '../db/membership.ts';
import { findRepository } from '../db/repositories.ts';
import {
  findByIdentity,
  findByUploadedSha256,
  hasSettledUpload,
  parseFacts,
  pathIsTaken,
} from '../db/packages.ts';
import { AppError } from '../errors.ts';
import { formatNames, formatOf } from '../formats/formats.ts';
import type { Finding, PackageFacts } from '../formats/package.ts';
import { createId } from '../ids.ts';
import type { Held } from '../leases.ts';
import type { Publisher } from '../publish/publisher.ts';
import { signPacket } from '../signing/documents.ts';
import type { Signer } from '../signing/signer.ts';
import type { Store } from '../store/store.ts';
import { channelForUpload, openEphemeral } from './ephemeral.ts';
import { needRepository } from './find.ts';
import { isStored } from './is-stored.ts';
import { packageLock, type Mutexes } from './mutexes.ts';
import { decideSigning, goesByProducers, producerKeysOf, type SigningPolicy } from './signing-policy.ts';
import type { PackageReader, PackageReaders, ReadResult, SealResult } from './package-readers.ts';
import { receive, type ClaimedDigest, type ReceiveLimits, type Staged } from './receive.ts';
import {
  withdrawUpload,
  type Declared,
  type Destination,
  type NewPackage,
  type UploadRecorder,
} from './record-upload.ts';
import type { SetupFiles } from './setup-files.ts';
import { uploadFindings } from './upload-findings.ts';

export type UploadDeps = {
  readonly db: Catalog;
  readonly store: Store;
  readonly clock: Clock;
  readonly readers: PackageReaders;
  readonly publisher: Publisher;
  readonly recorder: UploadRecorder;
  readonly signerOf: (repository: string) => Promise<Signer>;
  /** One upload at a time from the check of an identity to its record. */
  readonly identities: Mutexes;
  readonly stagingDir: string;
  readonly receiveLimits: ReceiveLimits;
  readonly setupFiles: SetupFiles;
  readonly publicUrl: string;
};

/** What every upload says. */
type Upload = {
  readonly actor: Actor;
  readonly repository: string;
  readonly filename: string;
  readonly body: Readable;
  readonly digests: readonly ClaimedDigest[];
  /** The program that uploads, as it names itself. */
  readonly client: string;
  readonly declared: Declared;
  /** Called once the upload is admitted, before its first byte is read: where `Expect: 100-continue` is answered. */
  readonly beforeBody: () => void;
};

export type UploadRequest = Upload & {
  readonly channel: string;
  /** Null for the channel's first component. */
  readonly component: string | null;
};

/** An upload that is to be published later, with others. `distribution` is empty for none. */
export type StageRequest = Upload & { readonly distribution: string };

export type StageReceipt = {
  readonly package: {
    readonly format: 'apt' | 'yum';
    readonly name: string;
    readonly version: string;
    readonly architecture: string;
    readonly filename: string;
    readonly size: number;
    readonly sha256: string;
    readonly uploadedSha256: string;
  };
  readonly status: 'created' | 'unchanged';
  readonly url: string;
  readonly findings: Finding[];
};

export type Receipt = StageReceipt & { readonly channel: string; readonly generation: number };

/**
 * Uploads one package into a channel and answers once clients see it. Throws AppError; nothing of a refused
 * upload stays, and nothing else is lost.
 */
export async function uploadPackage(deps: UploadDeps, request: UploadRequest): Promise<Receipt> {
  const { target, channel } = await admit(deps, request);
  const recorded = await take(deps, request, target);
  const generation = await publish(deps, target, channel, recorded);
  if (channel.expires_after_ms !== null) await setUp(deps, channel);
  return { ...writeReceipt(deps, recorded), channel: channel.name, generation };
}

/** The set-up files of a channel that an upload may have made: in turn with its expiry, which takes them away. */
async function setUp({ db, identities, setupFiles }: UploadDeps, { id }: ChannelRow): Promise<void> {
  await identities.run(`channel ${id}`, async () => {
    const channel = await getChannel(db, id);
    if (channel.deleted_at === null) await setupFiles.write(channel);
  });
}

/** Uploads one package without publishing it: `publishChanges` puts it into a channel, with others. */
export async function stagePackage(deps: UploadDeps, request: StageRequest): Promise<StageReceipt> {
  const target = await admitStaging(deps, request);
  return writeReceipt(deps, await take(deps, request, target));
}

/** Steps 2 to 7: from the first byte to the record. */
async function take(deps: UploadDeps, request: Upload, target: Target): Promise<Recorded> {
  request.beforeBody();
  const received = await receive(deps.stagingDir, request.body, deps.receiveLimits, request.digests);
  const left = new Set([received.path]);
  const { signing } = formatOf(target.place.format).packages;
  if (signing) left.add(`${received.path}.signed`);
  const staged = { ...received, left };
  try {
    return (
      (await recordKnown(deps, request, target, staged)) ?? (await intake(deps, request, target, staged))
    );
  } finally {
    // Whatever stays is cleared at the next start; an upload that is published by now has not failed for it.
    await Promise.allSettled([...left].map((path) => unlink(path)));
  }
}

/** `left`: files to remove in the end; what has gone into the store is none any more. */
type StagedUpload = Staged & { readonly left: Set<string> };

async function keep(
  { store }: Pick<UploadDeps, 'store'>,
  key: string,
  staged: StagedUpload,
  path: string,
): Promise<void> {
  await store.putImmutableFile(key, path);
  // What is kept as it was staged, or signed in its place, has no second file.
  if (path === staged.path) staged.left.clear();
  else staged.left.delete(path);
}

type Target = {
  /** Where identities are kept apart. */
  readonly place: Pick<PackageRow, 'repository' | 'format' | 'distribution'>;
  /** Where it is published; null when that comes later. */
  readonly destination: Destination | null;
};

/**
 * From the check of an identity to its record one upload at a time, and to its withdrawal: what the check found
 * is then still true.
 */
async function exclusively<T>(
  deps: Pick<UploadDeps, 'identities'>,
  { place: { repository, format } }: Target,
  filename: string,
  work: (held: Held) => Promise<T>,
): Promise<T> {
  return await deps.identities.run(packageLock(repository, format, filename), work);
}

/** Step 1, authorise: who is asking, may they, and where to. (Step 2, receive, is receive.ts.) */
async function admit(
  deps: UploadDeps,
  request: UploadRequest,
): Promise<{ target: Target; channel: ChannelRow }> {
  authorise(request.actor, 'upload', request.repository);
  const channel = await channelForUpload(deps.db, request.actor, request, deps.clock.now());
  const other = formatNames.find(
    (name) => name !== channel.format && request.filename.endsWith(formatOf(name).packages.extension),
  );
  if (other)
    throw new AppError(
      'wrong_format',
      `"${request.filename}" is for ${other}, and ${channel.id} is an ${channel.format} channel.`,
    );
  const component = chooseComponent(channel, request.component);
  const { repository, format, distribution } = channel;
  return {
    target: { place: { repository, format, distribution }, destination: { channel, component } },
    channel,
  };
}

/** The component that is asked for, or the channel's first. Throws `not_found`. */
export function chooseComponent(channel: ChannelRow, wanted: string | null): string {
  const components = channel.components.split(' ');
  const component = wanted ?? components[0] ?? '';
  if (components.includes(component)) return component;
  throw new AppError(
    'not_found',
    `The channel ${channel.id} has no component "${component}"; it has ${components.join(', ')}.`,
  );
}

/** Step 1 of an upload without a channel: its format is that of its name. */
async function admitStaging(deps: UploadDeps, request: StageRequest): Promise<Target> {
  const { actor, repository, distribution, filename } = request;
  authorise(actor, 'upload', repository);
  await needRepository(deps.db, actor, repository);
  const format = formatNames.find((name) => filename.endsWith(formatOf(name).packages.extension));
  if (!format) throw new AppError('wrong_format', `The name "${filename}" ends in none of .deb and .rpm.`);
  return { place: { repository, format, distribution }, destination: null };
}

/** Step 7 alone for bytes that this repository holds already; null when it does not. */
async function recordKnown(
  deps: UploadDeps,
  request: Upload,
  target: Target,
  staged: StagedUpload,
): Promise<Recorded | null> {
  const key = { ...target.place, uploaded_sha256: staged.sha256 };
  const found = await findByUploadedSha256(deps.db, key);
  if (!found) return null;
  return await exclusively(deps, target, found.filename, async () => {
    const row = await findByUploadedSha256(deps.db, key);
    if (!row) return null;
    if (!(await isStored(deps.store, row))) {
      // What is signed before it is served has to be read first.
      if (staged.sha256 !== row.sha256) return null;
      await keep(deps, row.path, staged, staged.path);
    }
    return await record(deps, request, target, { row, fresh: null });
  });
}

/** Steps 3 to 7 for bytes that this repository has not seen. */
async function intake(
  deps: UploadDeps,
  request: Upload,
  target: Target,
  staged: StagedUpload,
): Promise<Recorded> {
  const { policy, producerKeys } = await readPolicy(deps, target);
  const reader = await deps.readers.lease();
  try {
    const { format } = target.place;
    const read = await reader.read({ format, path: staged.path, place: target.place, producerKeys }); // 3 parse
    const { name, version, architecture } = read.facts.identity;
    const identity = { ...target.place, name, version, architecture };
    return await exclusively(deps, target, read.facts.filename, async (held) => {
      const known = await findByIdentity(deps.db, identity); // 4 check
      if (known) {
        refuseOtherBytes(known, staged);
        if (!(await isStored(deps.store, known)))
          await restore(deps, known, staged, () =>
            sign(deps, target, staged, { ...read, sign: true, signedBy: null }, reader, known.path),
          );
        reader.release();
        return await record(deps, request, target, { row: known, fresh: null });
      }
      const names = { sent: request.filename, own: read.facts.filename };
      const found = await uploadFindings(deps.db, identity, names);
      const decision = decideSigning(policy, {
        signatures: read.signatures,
        needsWhole: read.targets?.headerAndPayload ?? false,
      });
      const signed = await sign(deps, target, staged, { ...read, ...decision }, reader); // 5 sign
      // Everything that comes now waits for a disk or a publication: the thread is for the next one.
      reader.release();
      await keep(deps, signed.key, staged, signed.path); // 6 keep
      try {
        return await record(deps, request, target, newPackage(deps, identity, staged, read, signed, found)); // 7 record
      } catch (error) {
        // When the connection broke, the record may hold all the same: the collector sees what nothing names.
        const isUncertain = error instanceof AppError && error.code === 'catalog_unavailable';
        if (!isUncertain && held.isCertain()) await deps.store.delete(signed.key);
        throw error;
      }
    });
  } finally {
    reader.release();
  }
}

/** An identity maps to one content for ever, or a machine could meet two (apt.md 5.4.8). */
function refuseOtherBytes(known: PackageRow, staged: Staged): void {
  if (known.uploaded_sha256 === staged.sha256 || known.sha256 === staged.sha256) return;
  throw new AppError(
    'identity_conflict',
    `${known.name} ${known.version} ${known.architecture} is stored with the SHA-256 ${known.uploaded_sha256}; ` +
      `the upload has ${staged.sha256}.`,
  );
}

/**
 * Puts the file of a package back that was collected, or lost. It gets the bytes that it was served with, or an
 * identity would have two: signing again gives the same ones as long as the key is the same.
 */
async function restore(
  deps: Pick<UploadDeps, 'store'>,
  known: PackageRow,
  staged: StagedUpload,
  signAgain: () => Promise<Signed>,
): Promise<void> {
  const served =
    staged.sha256 === known.sha256 ? { path: staged.path, sha256: staged.sha256 } : await signAgain();
  if (served.sha256 !== known.sha256)
    throw new AppError(
      'served_bytes_needed',
      `${known.name} ${known.version} ${known.architecture} was served with the SHA-256 ${known.sha256}, and ` +
        'signing it again does not give these bytes.',
    );
  await keep(deps, known.path, staged, served.path);
}

/** What the repository does with the signatures of packages; for formats that have none nothing is looked up. */
async function readPolicy(
  { db }: Pick<UploadDeps, 'db'>,
  { place }: Target,
): Promise<{ policy: SigningPolicy; producerKeys: string[] | null }> {
  const row = formatOf(place.format).packages.signing
    ? await findRepository(db, place.repository)
    : undefined;
  if (!row) return { policy: 'always', producerKeys: null };
  return { policy: row.signing, producerKeys: goesByProducers(row.signing) ? producerKeysOf(row) : null };
}

type Signed = SealResult & { readonly key: string; readonly signedBy: string | null };

/** Step 5: signs what the format signs, and renders the index entries over the file as it will be served. */
async function sign(
  deps: UploadDeps,
  target: Target,
  staged: Staged,
  read: ReadResult & Pick<Signed, 'signedBy'> & { readonly sign: boolean },
  reader: PackageReader,
  knownKey?: string,
): Promise<Signed> {
  const { repository, format, distribution } = target.place;
  const { packages } = formatOf(format);
  // Two identities can have one file name: an epoch is no part of it.
  const isTaken = knownKey === undefined && (await pathIsTaken(deps.db, read.key));
  const distinct = isTaken ? staged.sha256.slice(0, 12) : undefined;
  const key =
    knownKey ??
    (distinct === undefined
      ? read.key
      : packages.poolKey({ repository, distribution }, read.facts, distinct));
  const { targets, sealed, signedBy } = read;
  if (sealed && key === read.key) return { ...sealed, key, signedBy };
  if (!targets || !read.sign)
    return { ...(await reader.seal({ key, distinct, signatures: null })), key, signedBy };
  const signer = await deps.signerOf(repository);
  const at = signatureTime(read.facts, signer, deps.clock);
  const whole = targets.headerAndPayload
    ? createReadStream(staged.path, { start: targets.headerOffset })
    : null;
  const signatures = {
    algorithm: signer.key.algorithm,
    header: await signPacket(targets.header, signer, at),
    headerAndPayload: whole && (await signPacket(whole, signer, at)),
  };
  return {
    ...(await reader.seal({ key, distinct, signatures })),
    key,
    signedBy: signer.key.fingerprint,
  };
}

/**
 * The creation time in a package's signature, in seconds: when it was built, if the key was there by then and
 * the builder's clock was not ahead. From the package and the key alone, so that signing the same file again
 * gives the same bytes.
 */
function signatureTime(facts: Pick<PackageFacts, 'buildTime'>, signer: Signer, clock: Clock): number {
  const built = facts.buildTime ?? 0;
  return built > clock.now() / 1000 ? signer.key.createdAt : Math.max(built, signer.key.createdAt);
}

function newPackage(
  deps: UploadDeps,
  identity: Pick<PackageRow, 'repository' | 'format' | 'distribution' | 'name' | 'version' | 'architecture'>,
  staged: Staged,
  read: ReadResult,
  signed: Signed,
  found: readonly Finding[],
): NewPackage {
  const { files } = read;
  const facts = { ...read.facts, findings: [...read.facts.findings, ...found] };
  const row: PackageRow = {
    id: createId(deps.clock.now()),
    ...identity,
    filename: facts.filename,
    path: signed.key,
    size_bytes: signed.sizeBytes,
    sha256: signed.sha256,
    uploaded_size_bytes: staged.sizeBytes,
    uploaded_sha256: staged.sha256,
    core_sha256: read.coreSha256,
    signed_by: signed.signedBy,
    source_name: facts.source?.name ?? null,
    source_version: facts.source?.version ?? null,
    summary: facts.summary,
    facts: JSON.stringify(facts),
    signature_header: signed.originalHead && Buffer.from(signed.originalHead).toString('base64'),
    created_at: deps.clock.now(),
    collected_at: null,
    staged_at: deps.clock.now(),
  };
  return { row, fresh: { files, relations: facts.relations, entries: signed.entries } };
}

/** `event` is null when there was nothing to record: the package is where it was to go. */
type Recorded = { readonly row: PackageRow; readonly event: string | null };

/** Step 7: one transaction for the package, the event and the request to publish; none for what is there. */
async function record(
  deps: UploadDeps,
  request: Upload,
  { place, destination }: Target,
  { row, fresh }: NewPackage,
): Promise<Recorded> {
  const components =
    fresh || !destination ? [] : await findMembership(deps.db, destination.channel.id, row.id);
  const isThere = destination
    ? components.includes(destination.component)
    : // An upload that is being published may be taken back, and its package with it.
      !fresh && row.collected_at === null && (await hasSettledUpload(deps.db, row.id));
  if (isThere) {
    // What no channel holds begins its time to live again.
    if (!destination || row.collected_at !== null) await keepPackage(deps.db, row.id, deps.clock.now());
    if (destination) await openEphemeral(deps.db, destination.channel, request.actor, deps.clock.now());
    return { row, event: null };
  }
  const event = await deps.recorder.record({
    repository: place.repository,
    destination,
    package: { row, fresh },
    actor: request.actor,
    filename: request.filename,
    client: request.client,
    declared: request.declared,
  });
  return { row, event };
}

/**
 * Waits until clients see the package; answers a generation that holds it. When publishing fails, the upload is
 * taken back before it is refused.
 */
async function publish(
  deps: UploadDeps,
  target: Target,
  { id }: ChannelRow,
  { row, event }: Recorded,
): Promise<number> {
  const { publisher } = deps;
  if (event === null) return await publisher.served(id);
  try {
    return await publisher.publish(id);
  } catch (error) {
    const outcome = await exclusively(deps, target, row.filename, async (held) => {
      const withdrawn = await withdrawUpload(deps.db, event, row.id);
      // A store that does not answer may delete it later, when the same file was uploaded again: the collector has it.
      const isAnswering = !(error instanceof AppError && error.code === 'store_unavailable');
      if (withdrawn.package && isAnswering && held.isCertain()) await deps.store.delete(row.path);
      return withdrawn;
    });
    if (outcome.changes) throw error;
    // It was committed all the same, by this round before its last step or by the next one.
    return await publisher.served(id);
  }
}

function writeReceipt(deps: UploadDeps, { row, event }: Recorded): StageReceipt {
  const { format, name, version, architecture, filename, size_bytes, sha256, uploaded_sha256 } = row;
  return {
    package: {
      format,
      name,
      version,
      architecture,
      filename,
      size: size_bytes,
      sha256,
      uploadedSha256: uploaded_sha256,
    },
    status: event === null ? 'unchanged' : 'created',
    url: `${deps.publicUrl}/${row.path}`,
    findings: [...parseFacts(row).findings],
  };
}
