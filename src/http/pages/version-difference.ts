import { z } from 'zod';
import type { App } from '../../app.ts';
import type { PackageFileRow, PackageRow } from '../../db/catalog.ts';
import { listUploadsOf } from '../../db/events.ts';
import { listPackageFiles, parseFacts } from '../../db/packages.ts';
import type { Script } from '../../formats/package.ts';
import { compareLines } from '../../web/line-difference.ts';
import { versionDifferencePage, type Changed, type VersionDifference } from '../../web/version-difference.ts';
import { size } from '../../web/words.ts';
import type { PageRoutes } from './page-routes.ts';
import { needVersion, versionBase, versionParams, versionQuery, versionTrail } from './version.ts';
import { placeOf } from './version-place.ts';

/** Entries of each version that are compared. */
const maxFiles = 20_000;
/** Lines of scripts on the page. */
const maxScriptLines = 400;

export const versionDifferenceRoutes: PageRoutes = ({ app, identify, page }) => {
  const params = versionParams.extend({ other: z.string().max(300) });
  page(`${versionBase}/diff/:other`, { params, query: versionQuery }, async (request) => {
    const actor = await identify(request);
    const row = await needVersion(app, actor, request);
    const { format, distribution } = row;
    const place = {
      params: { ...request.params, version: request.params.other },
      query: { format, distribution },
    };
    const other = await needVersion(app, actor, place);
    const body = versionDifferencePage(await differenceView(app, other, row));
    return {
      title: `${row.name}: ${other.version} and ${row.version}`,
      section: 'repositories',
      trail: versionTrail(row),
      body,
    };
  });
};

async function differenceView(app: App, from: PackageRow, to: PackageRow): Promise<VersionDifference> {
  const [old, now] = [parseFacts(from), parseFacts(to)];
  const relations = (facts: typeof old): string[] => [
    ...new Set(facts.relations.map(({ kind, text }) => `${kind} ${text}`)),
  ];
  return {
    place: placeOf(to),
    other: from.version,
    fields: await fieldsOf(app, from, to),
    relations: oneSided(relations(old), relations(now)),
    files: await filesOf(app, from, to),
    scripts: scriptsOf(old.scripts, now.scripts),
    sizes: { from: from.size_bytes, to: to.size_bytes },
  };
}

function oneSided(old: readonly string[], now: readonly string[]): { gone: string[]; come: string[] } {
  const [before, after] = [new Set(old), new Set(now)];
  return { gone: old.filter((item) => !after.has(item)), come: now.filter((item) => !before.has(item)) };
}

async function fieldsOf(app: App, from: PackageRow, to: PackageRow): Promise<Changed[]> {
  const [old, now] = await Promise.all(
    [from, to].map(async (row) => {
      const facts = parseFacts(row);
      const [upload] = await listUploadsOf(app.db, [row.id], 1);
      const installed = facts.installedSizeBytes;
      return new Map<string, string | null>([
        ['Summary, says the package', row.summary || null],
        ['Maintainer, says the package', facts.maintainer],
        ['Homepage, says the package', facts.homepage],
        ['License, says the package', facts.license],
        ['Source package, says the package', facts.source?.name ?? null],
        ['Build host, says the package', facts.buildHost],
        ['Installed size, says the package', installed === null ? null : size(installed)],
        ['Source, says the uploader', upload?.source ?? null],
        ['Commit, says the uploader', upload?.commit_id ?? null],
        ['Builder, says the uploader', upload?.builder ?? null],
        ['Token of the upload, says this server', upload?.actor ?? null],
        ['Key of the signature, says this server', row.signed_by],
      ]);
    }),
  );
  return [...(now ?? [])].flatMap(([label, value]) => {
    const earlier = old?.get(label) ?? null;
    return earlier === value ? [] : [{ label, from: earlier, to: value }];
  });
}

async function filesOf(app: App, from: PackageRow, to: PackageRow): Promise<VersionDifference['files']> {
  const page = { from: 0, limit: maxFiles };
  const [old, now] = await Promise.all([from, to].map((row) => listPackageFiles(app.db, row.id, page)));
  if (!old || !now) throw new Error('two lists were asked for');
  const before = new Map(old.map((file) => [file.path, file]));
  const after = new Map(now.map((file) => [file.path, file]));
  return {
    ...oneSided([...before.keys()], [...after.keys()]),
    changed: now.flatMap((file) => {
      const earlier = before.get(file.path);
      return earlier && !alike(earlier, file) ? [file.path] : [];
    }),
    compared: Math.max(old.length, now.length) === maxFiles ? maxFiles : null,
  };
}

const alike = (a: PackageFileRow, b: PackageFileRow): boolean =>
  a.type === b.type &&
  a.mode === b.mode &&
  a.target === b.target &&
  (a.type === 'directory' || a.size_bytes === b.size_bytes);

function scriptsOf(old: readonly Script[], now: readonly Script[]): VersionDifference['scripts'] {
  const before = new Map(old.map((script) => [script.name, whole(script)]));
  const after = new Map(now.map((script) => [script.name, whole(script)]));
  let room = maxScriptLines;
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [a, b] = [before.get(name), after.get(name)];
    if (a === b) return [];
    const lines = compareLines(a ?? '', b ?? '').slice(0, room);
    room -= lines.length;
    return [
      {
        name,
        kind: a === undefined ? ('new' as const) : b === undefined ? ('gone' as const) : ('changed' as const),
        lines,
      },
    ];
  });
}

const whole = ({ interpreter, text }: Script): string =>
  interpreter === undefined || text.startsWith('#!') ? text : `(${interpreter})\n${text}`;
