import { setImmediate } from 'node:timers/promises';
import type {
  Catalog,
  EntryRow,
  PackageFileRow,
  PackageRelationRow,
  PackageRow,
  UploadRow,
} from './catalog.ts';
import { inRuns } from './runs.ts';
import type { PackageFacts } from '../formats/package.ts';
import { enterFileNames, leaveFileNames } from './file-names.ts';

/** A package's identity with where it holds: the columns of the unique index. */
export type IdentityKey = Pick<
  PackageRow,
  'repository' | 'format' | 'distribution' | 'name' | 'version' | 'architecture'
>;

export async function findByIdentity(db: Catalog, key: IdentityKey): Promise<PackageRow | undefined> {
  return await db
    .selectFrom('packages')
    .selectAll()
    .where('repository', '=', key.repository)
    .where('format', '=', key.format)
    .where('distribution', '=', key.distribution)
    .where('name', '=', key.name)
    .where('version', '=', key.version)
    .where('architecture', '=', key.architecture)
    .executeTakeFirst();
}

/** Versions that are stored of one package beside its own, the latest uploads first. */
export async function listVersions(db: Catalog, key: IdentityKey, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('packages')
    .select('version')
    .where('repository', '=', key.repository)
    .where('format', '=', key.format)
    .where('distribution', '=', key.distribution)
    .where('name', '=', key.name)
    .where('architecture', '=', key.architecture)
    .where('version', '!=', key.version)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => row.version);
}

/** The package that was uploaded as these bytes, for one format and distribution of a repository. */
export async function findByUploadedSha256(
  db: Catalog,
  key: Pick<PackageRow, 'repository' | 'format' | 'distribution' | 'uploaded_sha256'>,
): Promise<PackageRow | undefined> {
  return await db
    .selectFrom('packages')
    .selectAll()
    .where('uploaded_sha256', '=', key.uploaded_sha256)
    .where('repository', '=', key.repository)
    .where('format', '=', key.format)
    .where('distribution', '=', key.distribution)
    .executeTakeFirst();
}

/** Every package of a repository that a digest names: as served, as uploaded, or of its core. */
export async function findByDigest(db: Catalog, repository: string, sha256: string): Promise<PackageRow[]> {
  return await db
    .selectFrom('packages')
    .selectAll()
    .where('repository', '=', repository)
    .where((where) =>
      where.or([
        where('sha256', '=', sha256),
        where('uploaded_sha256', '=', sha256),
        where('core_sha256', '=', sha256),
      ]),
    )
    .orderBy('id')
    .execute();
}

export async function pathIsTaken(db: Catalog, path: string): Promise<boolean> {
  const row = await db.selectFrom('packages').select('id').where('path', '=', path).executeTakeFirst();
  return row !== undefined;
}

/** The facts that the catalog keeps as JSON: everything but the file list, which has a table. */
export function parseFacts(row: Pick<PackageRow, 'facts'>): Omit<PackageFacts, 'files'> {
  // Written by newPackage in registry/upload-package.ts.
  return JSON.parse(row.facts) as Omit<PackageFacts, 'files'>;
}

/** SQLite takes 32,766 parameters in a statement: rows of up to 10 columns in runs of this many. */
const rowsPerInsert = 500;

/** What is kept of a package beside its row. */
export type PackageContents = {
  readonly files: Iterable<PackageFileRow>;
  readonly relations: Iterable<PackageRelationRow>;
  readonly entries: readonly EntryRow[];
};

export async function insertPackage(
  db: Catalog,
  row: PackageRow,
  { files, relations, entries }: PackageContents,
): Promise<void> {
  await db.insertInto('packages').values(row).execute();
  await db.insertInto('entries').values(entries).execute();
  await insertInTurns(files, (run) => db.insertInto('package_files').values(run).execute());
  await insertInTurns(relations, (run) => db.insertInto('package_relations').values(run).execute());
  await enterFileNames(db, row.id);
}

/** Lets others have their turn after each run: a package may have hundreds of thousands of files. */
async function insertInTurns<T>(
  rows: Iterable<T>,
  insert: (run: readonly T[]) => Promise<unknown>,
): Promise<void> {
  let run: T[] = [];
  for (const row of rows) {
    run.push(row);
    if (run.length < rowsPerInsert) continue;
    await insert(run);
    await setImmediate();
    run = [];
  }
  if (run.length > 0) await insert(run);
}

/** The files of a package in its order: all of them, or `limit` from position `from` on. */
export async function listPackageFiles(
  db: Catalog,
  id: string,
  page?: { from: number; limit: number },
): Promise<PackageFileRow[]> {
  let query = db.selectFrom('package_files').selectAll().where('package', '=', id).orderBy('position');
  if (page) query = query.where('position', '>=', page.from).limit(page.limit);
  return await query.execute();
}

/** Files that are read at once, and packages that are looked at for how many they have. */
const filesPerPage = 2000;
const packagesPerRun = 200;

/** A file, as far as indexes name it. */
export type NamedFile = Pick<PackageFileRow, 'package' | 'path' | 'type'>;

/** The files of these packages in pages, in no order: some packages have very many. */
export async function* pagesOfFiles(
  db: Catalog,
  packages: readonly string[],
): AsyncGenerator<NamedFile[], void, undefined> {
  const files = db.selectFrom('package_files').select(['package', 'path', 'type']);
  for (let start = 0; start < packages.length; start += packagesPerRun) {
    // Positions count from 0 without gaps.
    const sizes = await db
      .selectFrom('package_files')
      .select((select) => ['package', select.fn.max<number>('position').as('last')])
      .where('package', 'in', packages.slice(start, start + packagesPerRun))
      .groupBy('package')
      .execute();
    let few: string[] = [];
    let size = 0;
    for (const { package: id, last } of sizes) {
      if (last >= filesPerPage) {
        for (let from = 0; from <= last; from += filesPerPage)
          yield await listPackageFiles(db, id, { from, limit: filesPerPage });
        continue;
      }
      if (size + last >= filesPerPage) {
        yield await files.where('package', 'in', few).execute();
        few = [];
        size = 0;
      }
      few.push(id);
      size += last + 1;
    }
    if (few.length > 0) yield await files.where('package', 'in', few).execute();
  }
}

/** The name of each of these packages, and its facts as they are kept. */
export async function loadFacts(
  db: Catalog,
  packages: readonly string[],
): Promise<Pick<PackageRow, 'id' | 'name' | 'facts'>[]> {
  return await inRuns(packages, (run) =>
    db.selectFrom('packages').select(['id', 'name', 'facts']).where('id', 'in', run).execute(),
  );
}

export async function countPackageFiles(db: Catalog, id: string): Promise<number> {
  // Positions count from 0 without gaps.
  const last = await db
    .selectFrom('package_files')
    .select('position')
    .where('package', '=', id)
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ? last.position + 1 : 0;
}

export async function listPackages(db: Catalog): Promise<PackageRow[]> {
  return await db.selectFrom('packages').selectAll().orderBy('id').execute();
}

export async function insertUpload(db: Catalog, row: UploadRow): Promise<void> {
  await db.insertInto('uploads').values(row).execute();
}

/** Whether an upload brought a package that is not taken back any more: nothing that it asked for is pending. */
export async function hasSettledUpload(db: Catalog, packageId: string): Promise<boolean> {
  const upload = await db
    .selectFrom('uploads')
    .leftJoin('pending_changes', 'pending_changes.event', 'uploads.event')
    .select('uploads.event')
    .where('uploads.package', '=', packageId)
    .where('pending_changes.id', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return upload !== undefined;
}

/** What `withdraw` removed. */
export type Withdrawn = { readonly changes: boolean; readonly package: boolean };

/**
 * Takes back what an event asked for: its pending changes and the event itself; nothing when they are no longer
 * pending. `packageId`: removed as well when no upload, no channel and no pending change names it any more, since
 * nobody was ever told that its identity is taken.
 */
export async function withdraw(db: Catalog, event: string, packageId: string | null): Promise<Withdrawn> {
  const changes = await db.deleteFrom('pending_changes').where('event', '=', event).executeTakeFirst();
  const documents = await db.deleteFrom('pending_documents').where('event', '=', event).executeTakeFirst();
  if (changes.numDeletedRows + documents.numDeletedRows === 0n) return { changes: false, package: false };
  await db.deleteFrom('uploads').where('event', '=', event).execute();
  await db.deleteFrom('events').where('id', '=', event).execute();
  if (packageId === null || (await isUsed(db, packageId))) return { changes: true, package: false };
  await leaveFileNames(db, packageId);
  for (const table of ['entries', 'package_files', 'package_relations', 'downloads'] as const)
    await db.deleteFrom(table).where('package', '=', packageId).execute();
  await db.deleteFrom('packages').where('id', '=', packageId).execute();
  return { changes: true, package: true };
}

async function isUsed(db: Catalog, packageId: string): Promise<boolean> {
  for (const table of ['uploads', 'channel_packages', 'pending_changes'] as const) {
    const row = await db
      .selectFrom(table)
      .select('package')
      .where('package', '=', packageId)
      .limit(1)
      .executeTakeFirst();
    if (row) return true;
  }
  return false;
}
