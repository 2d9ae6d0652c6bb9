/** One package with everything that is known of where it came from and where it went. */
import type { Actor } from '../auth/permissions.ts';
import type { Catalog } from '../db/catalog.ts';
import { listUploads } from '../db/events.ts';
import { listPlaces } from '../db/membership.ts';
import { findByDigest, listPackageFiles, parseFacts } from '../db/packages.ts';
import { AppError } from '../errors.ts';
import { needRepository } from './find.ts';
import type { Declared } from './record-upload.ts';

type DescribeDeps = { readonly db: Catalog; readonly publicUrl: string };

export type UploadFact = {
  readonly at: string;
  readonly actor: string;
  readonly token: string | null;
  readonly client: string;
  readonly channel: string | null;
  readonly filename: string;
  readonly declared: Declared;
};

/** Every upload of a package, the oldest first. */
export async function uploadFacts(db: Catalog, packageId: string): Promise<UploadFact[]> {
  const rows = await listUploads(db, packageId);
  return rows.map(
    ({ at, actor, token, client, channel, filename, source, commit_id, ref, run, builder }) => ({
      at: new Date(at).toISOString(),
      actor,
      token,
      client,
      channel,
      filename,
      declared: { source, commit: commit_id, ref, run, builder },
    }),
  );
}

/** Finds a package by its digest: as served, as uploaded, or of its core. Throws `not_found`. */
export async function describePackage(deps: DescribeDeps, actor: Actor, repository: string, sha256: string) {
  await needRepository(deps.db, actor, repository);
  const [row] = await findByDigest(deps.db, repository, sha256);
  if (!row)
    throw new AppError(
      'not_found',
      `The repository "${repository}" has no package with the digest ${sha256}.`,
    );
  const [files, uploads, places] = await Promise.all([
    listPackageFiles(deps.db, row.id),
    uploadFacts(deps.db, row.id),
    listPlaces(deps.db, row.id),
  ]);
  const { format, name, version, architecture, distribution, filename } = row;
  return {
    format,
    name,
    version,
    architecture,
    distribution: distribution === '' ? null : distribution,
    filename,
    url: `${deps.publicUrl}/${row.path}`,
    size: row.size_bytes,
    sha256: row.sha256,
    uploadedSize: row.uploaded_size_bytes,
    uploadedSha256: row.uploaded_sha256,
    coreSha256: row.core_sha256,
    signedBy: row.signed_by,
    receivedAt: new Date(row.created_at).toISOString(),
    facts: parseFacts(row),
    files: files.map(({ path, type, size_bytes, mode }) => ({ path, type, size: size_bytes, mode })),
    uploads,
    channels: places.map(({ channel, component, added_in, removed_in }) => ({
      channel: channel.slice(repository.length + 1),
      component,
      addedIn: added_in,
      removedIn: removed_in,
    })),
  };
}
