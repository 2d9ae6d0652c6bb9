/** A change to a channel as a person reads it: what machines meet, one line each, and what would trouble them. */
import type { ChangeReport } from '../registry/change-channel.ts';
import type { PackageRef } from '../registry/difference.ts';

/** Rows in columns, as wide as the widest cell of each. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  return rows
    .map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd() + '\n')
    .join('');
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export function changeText(report: ChangeReport): string {
  const { channel, generation, status, moves, added, removed, documents, warnings } = report;
  const head = {
    published: `${channel}: published as generation ${generation}`,
    planned: `${channel}: would be published as generation ${generation}`,
    unchanged: `${channel}: nothing to do, generation ${generation} holds just that`,
  }[status];
  const newest = moves.map(({ kind, name, architecture, component, from, to }) => [
    kind,
    name,
    architecture,
    component,
    [from, to].filter((version) => version !== null).join(' -> '),
  ]);
  // Versions beside the newest: no machine that follows the newest meets them.
  const seen = new Set(moves.flatMap((move) => [refKey(move, move.from), refKey(move, move.to)]));
  const others = (kind: string, items: readonly PackageRef[]): string[][] =>
    items
      .filter((item) => !seen.has(refKey(item, item.version)))
      .map(({ name, architecture, component, version }) => [kind, name, architecture, component, version]);
  const rows = [...newest, ...others('added', added), ...others('removed', removed)];
  const total = `${plural(added.length, 'package')} in, ${plural(removed.length, 'package')} out\n`;
  return [
    `${head}\n`,
    columns(rows),
    columns(documents.map(({ kind, from, to }) => ['document', kind, documentText(from, to)])),
    status === 'unchanged' ? '' : total,
    ...warnings.map(({ code, message }) => `warning: ${message} (${code})\n`),
  ].join('');
}

function documentText(from: string | null, to: string | null): string {
  if (from === null) return 'new';
  return to === null ? 'gone' : 'replaced';
}

function refKey(
  { name, architecture, component }: Pick<PackageRef, 'name' | 'architecture' | 'component'>,
  version: string | null,
): string {
  return [name, architecture, component, version].join('\0');
}
