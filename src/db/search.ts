/** Looking for packages by what people know of them. Every answer is bounded; files are in file-names.ts. */
import { sql } from 'kysely';
import type { Catalog, PackageRow, UploadRow } from './catalog.ts';
import { prefixRange } from './prefix.ts';

/** What the lists of the pages say of one package: no facts, which can be large. */
export type PackageBrief = Pick<
  PackageRow,
  | 'id'
  | 'repository'
  | 'format'
  | 'distribution'
  | 'name'
  | 'version'
  | 'architecture'
  | 'summary'
  | 'size_bytes'
  | 'sha256'
  | 'created_at'
>;

const brief = [
  'package.id',
  'package.repository',
  'package.format',
  'package.distribution',
  'package.name',
  'package.version',
  'package.architecture',
  'package.summary',
  'package.size_bytes',
  'package.sha256',
  'package.created_at',
] as const;

export type NamedPackage = { readonly name: string; readonly packages: number; readonly last: string };

/** Names of packages of a repository, each once, by name; those that begin with `prefix` and come after `after`. */
export async function listNames(
  db: Catalog,
  repository: string,
  { prefix = '', after, limit }: { prefix?: string; after?: string; limit: number },
): Promise<NamedPackage[]> {
  const { from, to } = prefixRange(prefix);
  let query = db
    .selectFrom('packages')
    .select((select) => ['name', select.fn.countAll<number>().as('packages'), select.fn.max('id').as('last')])
    .where('repository', '=', repository)
    .where('name', '>=', from)
    .where('name', '<', to)
    .groupBy('name')
    .orderBy('name')
    .limit(limit);
  if (after !== undefined) query = query.where('name', '>', after);
  return await query.execute();
}

/** Names that hold `text` anywhere, whatever the case. Reads every name of the repository. */
export async function listNamesWith(
  db: Catalog,
  repository: string,
  text: string,
  limit: number,
): Promise<NamedPackage[]> {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
  // PostgreSQL has this escape character by itself, SQLite has none.
  const holdsText = sql<boolean>`lower(name) LIKE ${pattern} ESCAPE '\\'`;
  return await db
    .selectFrom('packages')
    .select((select) => ['name', select.fn.countAll<number>().as('packages'), select.fn.max('id').as('last')])
    .where('repository', '=', repository)
    .where(holdsText)
    .groupBy('name')
    .orderBy('name')
    .limit(limit)
    .execute();
}

export async function listBriefs(db: Catalog, ids: readonly string[]): Promise<PackageBrief[]> {
  if (ids.length === 0) return [];
  return await db.selectFrom('packages as package').select(brief).where('id', 'in', ids).execute();
}

/** Every package of a name, the last upload first. */
export async function listOfName(
  db: Catalog,
  repository: string,
  name: string,
  limit: number,
): Promise<PackageBrief[]> {
  return await db
    .selectFrom('packages as package')
    .select(brief)
    .where('repository', '=', repository)
    .where('name', '=', name)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

export type Provider = PackageBrief & { readonly text: string };

/** Packages that provide a name, or one that begins so; by that name, the last upload first. */
export async function findProviders(
  db: Catalog,
  repository: string,
  prefix: string,
  limit: number,
): Promise<Provider[]> {
  const { from, to } = prefixRange(prefix);
  return await db
    .selectFrom('package_relations as relation')
    .innerJoin('packages as package', 'package.id', 'relation.package')
    .select(brief)
    .select('relation.text')
    .where('relation.kind', '=', 'provides')
    .where('relation.name', '>=', from)
    .where('relation.name', '<', to)
    .where('package.repository', '=', repository)
    .orderBy('relation.name')
    .limit(limit)
    .execute();
}

export type UploadOfCommit = PackageBrief & Pick<UploadRow, 'commit_id' | 'source'>;

/** Packages whose uploader named a commit that begins so. */
export async function findByCommit(
  db: Catalog,
  repository: string,
  prefix: string,
  limit: number,
): Promise<UploadOfCommit[]> {
  const { from, to } = prefixRange(prefix);
  return await db
    .selectFrom('uploads as upload')
    .innerJoin('packages as package', 'package.id', 'upload.package')
    .select(brief)
    .select(['upload.commit_id', 'upload.source'])
    .where('upload.commit_id', '>=', from)
    .where('upload.commit_id', '<', to)
    .where('package.repository', '=', repository)
    .orderBy('upload.commit_id')
    .limit(limit)
    .execute();
}

export const digestKinds = { sha256: 'served', uploaded_sha256: 'uploaded', core_sha256: 'core' } as const;
type DigestColumn = keyof typeof digestKinds;

export type FoundDigest = PackageBrief & { readonly kinds: readonly (typeof digestKinds)[DigestColumn][] };

/** Packages of these repositories that a SHA-256 names, whole or by its beginning, and as what. */
export async function findByDigestPrefix(
  db: Catalog,
  repositories: readonly string[],
  prefix: string,
  limit: number,
): Promise<FoundDigest[]> {
  const { from, to } = prefixRange(prefix);
  const found = new Map<string, PackageBrief & { kinds: (typeof digestKinds)[DigestColumn][] }>();
  // One query for each digest: each has its own index.
  for (const [column, kind] of Object.entries(digestKinds) as [DigestColumn, 'served'][]) {
    const rows = await db
      .selectFrom('packages as package')
      .select(brief)
      .where(`package.${column}`, '>=', from)
      .where(`package.${column}`, '<', to)
      .orderBy(`package.${column}`)
      .limit(limit)
      .execute();
    for (const row of rows) {
      if (!repositories.includes(row.repository)) continue;
      const known = found.get(row.id);
      if (known) known.kinds.push(kind);
      else found.set(row.id, { ...row, kinds: [kind] });
    }
  }
  return [...found.values()];
}
