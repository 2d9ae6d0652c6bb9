/** Which package ships a file, by its path and by its name without the folder. */
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Catalog } from './catalog.ts';
import { prefixRange } from './prefix.ts';

/** The folder of `path` with its slash, in SQL: what is left when every other character is taken from the end. */
const folderOf = sql<string>`rtrim(file.path, replace(file.path, '/', ''))`;
const basenameOf: RawBuilder<string> = sql<string>`substr(file.path, length(${folderOf}) + 1)`;

/** Enters the files of a package; where another version is entered with the same path, this one takes its place. */
export async function enterFileNames(db: Catalog, packageId: string): Promise<void> {
  await db
    .insertInto('file_names')
    .columns(['repository', 'folder', 'basename', 'name', 'package'])
    .expression((from) =>
      from
        .selectFrom('package_files as file')
        .innerJoin('packages as package', 'package.id', 'file.package')
        .select(['package.repository', folderOf.as('folder'), basenameOf.as('basename')])
        .select(['package.name', 'package.id'])
        .where('file.package', '=', packageId)
        .where('file.type', '<>', 'directory')
        .distinct(),
    )
    .onConflict((conflict) =>
      conflict
        .columns(['repository', 'folder', 'basename', 'name'])
        .doUpdateSet((row) => ({ package: row.ref('excluded.package') })),
    )
    .execute();
}

/** Takes the files of a package out, and enters those of its other versions again that it stood in front of. */
export async function leaveFileNames(db: Catalog, packageId: string): Promise<void> {
  await db.deleteFrom('file_names').where('package', '=', packageId).execute();
  const others = await db
    .selectFrom('packages as other')
    .innerJoin('packages as self', (join) =>
      join.onRef('self.repository', '=', 'other.repository').onRef('self.name', '=', 'other.name'),
    )
    .select('other.id')
    .where('self.id', '=', packageId)
    .where('other.id', '<>', packageId)
    .orderBy('other.id')
    .execute();
  for (const { id } of others) await enterFileNames(db, id);
}

export type FoundFile = {
  readonly folder: string;
  readonly basename: string;
  /** The package's name. */
  readonly name: string;
  /** The last upload that ships the file. */
  readonly package: string;
};

/**
 * Files of a repository by a path from the root on, whole or its beginning, or by the beginning of a name without
 * its folder. In the order of folder and name, the whole path first.
 */
export async function findFiles(
  db: Catalog,
  repository: string,
  text: string,
  limit: number,
): Promise<FoundFile[]> {
  const query = db
    .selectFrom('file_names')
    .select(['folder', 'basename', 'name', 'package'])
    .where('repository', '=', repository)
    .limit(limit);
  if (!text.startsWith('/')) {
    const { from, to } = prefixRange(text);
    return await query.where('basename', '>=', from).where('basename', '<', to).orderBy('basename').execute();
  }
  const cut = text.lastIndexOf('/') + 1;
  const here = prefixRange(text.slice(cut));
  const below = prefixRange(text);
  const inFolder = await query
    .where('folder', '=', text.slice(0, cut))
    .where('basename', '>=', here.from)
    .where('basename', '<', here.to)
    .orderBy('basename')
    .execute();
  if (inFolder.length === limit) return inFolder;
  const inFolders = await query
    .where('folder', '>', text)
    .where('folder', '<', below.to)
    .orderBy('folder')
    .orderBy('basename')
    .limit(limit - inFolder.length)
    .execute();
  return [...inFolder, ...inFolders];
}
