/** The figures of `bench publish` as tables and a plot, in docs/performance.md. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, spread, type Cost } from './measure.ts';
import { plot } from './plot.ts';
import { docs, machine, writeSection } from './report.ts';

/** One run of one entrant. */
export type Measured = Cost & {
  readonly name: string;
  readonly format: 'apt' | 'yum';
  /** Packages in the channel. */
  readonly size: number;
};

export async function writeReport(measured: readonly Measured[], rounds: number): Promise<void> {
  writeFileSync(join(docs, 'performance-publish.svg'), plotOf(measured));
  await writeSection('publish', sectionOf(measured, rounds));
}

/** Of our server alone, with engines that several nodes can share. */
export async function writeSharedReport(measured: readonly Measured[], rounds: number): Promise<void> {
  await writeSection('publish-shared', [conditionsOf(rounds), ...tablesOf(measured)]);
}

function conditionsOf(rounds: number): string {
  const date = new Date().toISOString().slice(0, 10);
  return `${machine()}; ${date}; medians of ${rounds} interleaved rounds, the quartiles beside them.`;
}

function sectionOf(measured: readonly Measured[], rounds: number): string[] {
  return [
    conditionsOf(rounds),
    '',
    '![Time of one upload against the size of the channel](performance-publish.svg)',
    ...tablesOf(measured),
  ];
}

function tablesOf(measured: readonly Measured[]): string[] {
  const formats = [...new Set(measured.map((one) => one.format))];
  return [
    ...formats.flatMap((format) => [
      '',
      format === 'apt' ? '**One .deb into an apt channel**' : '**One .rpm into a yum channel**',
      '',
      ...tableOf(measured.filter((one) => one.format === format)),
    ]),
  ];
}

type Row = { name: string; size: number; wall: number[]; cpu: number; peakKiB: number };

function rowsOf(measured: readonly Measured[]): Row[] {
  const groups = Map.groupBy(measured, ({ size, name }) => `${size} ${name}`);
  const rows = [...groups.values()].map((runs) => ({
    name: runs[0]?.name ?? '',
    size: runs[0]?.size ?? 0,
    wall: runs.map((one) => one.wallMs),
    cpu: median(runs.map((one) => one.cpuMs)),
    peakKiB: Math.max(...runs.map((one) => one.peakKiB)),
  }));
  // Sizes may come from runs of their own, in any order.
  return rows.sort((a, b) => a.size - b.size);
}

const milliseconds = (value: number): string =>
  value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value < 100 ? 1 : 0)} ms`;

function tableOf(measured: readonly Measured[]): string[] {
  const rows = rowsOf(measured);
  const ours = new Map(rows.filter(({ name }) => name === 'entrepot').map((row) => [row.size, row]));
  // Who runs alone is compared with nobody.
  const [against, line] = ours.size > 0 ? [' against entrepot |', ' --: |'] : ['', ''];
  return [
    `| packages | | wall time | quartiles | CPU time | peak memory |${against} growth per package |`,
    `| --: | :-- | --: | --: | --: | --: |${line} --: |`,
    ...rows.map((row) => {
      const own = ours.get(row.size);
      const times = own ? median(row.wall) / median(own.wall) : NaN;
      const [low, high] = spread(row.wall);
      const cells = [
        row.size.toLocaleString('en'),
        row.name,
        milliseconds(median(row.wall)),
        `${milliseconds(low)} to ${milliseconds(high)}`,
        milliseconds(row.cpu),
        row.peakKiB === 0 ? '' : `${Math.round(row.peakKiB / 1024)} MiB`,
        ...(ours.size === 0 ? [] : [row === own ? '' : `${times.toFixed(times < 10 ? 2 : 0)} ×`]),
        growthOf(row, rows),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

/** From the smallest channel to this one. */
function growthOf(row: Row, rows: readonly Row[]): string {
  const [first] = rows.filter(({ name }) => name === row.name);
  if (!first || first === row) return '';
  const growth = (median(row.wall) - median(first.wall)) / (row.size - first.size);
  return `${(growth * 1000).toFixed(2)} µs`;
}

function plotOf(measured: readonly Measured[]): string {
  const title = { apt: 'One .deb into an apt channel', yum: 'One .rpm into a yum channel' };
  const formats = [...new Set(measured.map((one) => one.format))];
  return plot(
    formats.map((format) => {
      const rows = rowsOf(measured.filter((one) => one.format === format));
      return {
        title: title[format],
        lines: [...Map.groupBy(rows, ({ name }) => name)].map(([name, points]) => ({
          name,
          points: points.map(({ size, wall }) => [size, median(wall)] as const),
        })),
      };
    }),
  );
}
