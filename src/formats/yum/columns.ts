/**
 * Tags that are the columns of one table: rpm reads them side by side and trusts that they are as long as each
 * other. Where one is missing or short it fails in the middle of an installation, or reads another table.
 */
import { AppError } from '../../errors.ts';
import { entryOf, numbersOf, placeOf } from './header.ts';
import type { Header } from './header.ts';
import type { MainTag } from './tags.ts';

type Table = {
  /** All there with one length, or none. */
  readonly columns: readonly MainTag[];
  /** With that length too, where they are there. */
  readonly optional?: readonly MainTag[];
  /** The column that holds numbers of rows of another table, and a column of that one. */
  readonly refers?: readonly [from: MainTag, to: MainTag];
};

const tables: readonly Table[] = [
  {
    columns: ['TRIGGERNAME', 'TRIGGERVERSION', 'TRIGGERFLAGS', 'TRIGGERINDEX'],
    refers: ['TRIGGERINDEX', 'TRIGGERSCRIPTS'],
  },
  { columns: ['TRIGGERSCRIPTS', 'TRIGGERSCRIPTPROG'], optional: ['TRIGGERSCRIPTFLAGS'] },
  {
    columns: ['FILETRIGGERNAME', 'FILETRIGGERVERSION', 'FILETRIGGERFLAGS', 'FILETRIGGERINDEX'],
    refers: ['FILETRIGGERINDEX', 'FILETRIGGERSCRIPTS'],
  },
  {
    columns: ['FILETRIGGERSCRIPTS', 'FILETRIGGERSCRIPTPROG'],
    optional: ['FILETRIGGERSCRIPTFLAGS', 'FILETRIGGERPRIORITIES'],
  },
  {
    columns: [
      'TRANSFILETRIGGERNAME',
      'TRANSFILETRIGGERVERSION',
      'TRANSFILETRIGGERFLAGS',
      'TRANSFILETRIGGERINDEX',
    ],
    refers: ['TRANSFILETRIGGERINDEX', 'TRANSFILETRIGGERSCRIPTS'],
  },
  {
    columns: ['TRANSFILETRIGGERSCRIPTS', 'TRANSFILETRIGGERSCRIPTPROG'],
    optional: ['TRANSFILETRIGGERSCRIPTFLAGS', 'TRANSFILETRIGGERPRIORITIES'],
  },
  { columns: ['ORDERNAME', 'ORDERVERSION', 'ORDERFLAGS'] },
  { columns: ['CHANGELOGTIME', 'CHANGELOGNAME', 'CHANGELOGTEXT'] },
];

/**
 * Tags that rpm adds when it installs. In a package they would tell it of a relocation or of files left out that
 * no index shows: with ORIGBASENAMES rpm looks for other names in the payload (`lib/rpmfi.cc`, `rpmfilesNew`).
 */
const installTime: readonly MainTag[] = [
  'INSTALLTIME',
  'INSTALLCOLOR',
  'INSTALLTID',
  'REMOVETID',
  'INSTPREFIXES',
  'FILESTATES',
  'ORIGDIRINDEXES',
  'ORIGBASENAMES',
  'ORIGDIRNAMES',
];

const invalid = (header: Header<'main'>, tag: MainTag, detail: string): AppError =>
  new AppError('rpm_tag_invalid', detail, placeOf(header, tag));

const countOf = (header: Header<'main'>, tag: MainTag): number => entryOf(header, tag)?.count ?? 0;

/** Throws `rpm_tag_invalid` for tables that are not whole and for tags of installed packages. */
export function checkTables(header: Header<'main'>): void {
  for (const tag of installTime) {
    if (entryOf(header, tag) === undefined) continue;
    throw invalid(header, tag, `${tag} belongs to installed packages, not to a package file.`);
  }
  if (entryOf(header, 'OS') === undefined) {
    throw invalid(
      header,
      'OS',
      'The package does not say for which operating system it is: rpm installs it nowhere.',
    );
  }
  for (const { columns, optional = [], refers } of tables) {
    const rows = Math.max(...[...columns, ...optional].map((tag) => countOf(header, tag)));
    for (const tag of columns) checkColumn(header, tag, rows);
    for (const tag of optional) if (entryOf(header, tag) !== undefined) checkColumn(header, tag, rows);
    if (refers === undefined) continue;
    const [from, to] = refers;
    const most = countOf(header, to);
    if (!(numbersOf(header, from) ?? []).some((number) => number >= most)) continue;
    throw invalid(header, from, `${from} names an entry that ${to} does not have.`);
  }
}

/** A column must have as many values as its table has rows. */
export function checkColumn(header: Header<'main'>, tag: MainTag, rows: number): void {
  const count = countOf(header, tag);
  if (count !== rows)
    throw invalid(header, tag, `There are ${count} values of ${tag} where there must be ${rows}.`);
}
