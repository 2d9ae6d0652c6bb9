/** The figures of `bench intake` as tables, in docs/performance.md. */
import type { BigRun } from './big-package.ts';
import type { Latencies } from './hostile.ts';
import { median, spread } from './measure.ts';
import { machine, writeSection } from './report.ts';

export type SmallRun = {
  readonly format: 'apt' | 'yum';
  readonly perSecond: number;
  /** CPU time of the server for each package. */
  readonly cpuMs: number;
  readonly generations: number;
  readonly peakKiB: number;
};

export type IntakeFigures = {
  readonly count: number;
  readonly runs: number;
  readonly small: readonly SmallRun[];
  readonly big: {
    readonly sizeBytes: number;
    readonly runs: readonly BigRun[];
    readonly peakKiB: number;
  } | null;
  readonly hostile: {
    readonly bombs: number;
    readonly codes: ReadonlyMap<string, number>;
    readonly quiet: readonly Latencies[];
    readonly attacked: readonly Latencies[];
    readonly peakKiB: number;
  } | null;
};

export async function writeIntakeReport(figures: IntakeFigures): Promise<void> {
  const { runs, small, big, hostile } = figures;
  await writeSection('intake', [
    `${machine()}; ${new Date().toISOString().slice(0, 10)}; medians of ${runs} runs, the quartiles and the best beside them.`,
    ...(small.length > 0 ? ['', ...smallTable(figures)] : []),
    ...(big ? ['', ...bigTable(big)] : []),
    ...(hostile ? ['', ...hostileTable(hostile)] : []),
  ]);
}

const range = (values: readonly number[], digits: number): string =>
  spread(values)
    .map((value) => value.toFixed(digits))
    .join(' to ');

function smallTable({ count, small }: IntakeFigures): string[] {
  const groups = Map.groupBy(small, ({ format }) => format);
  return [
    `**${count.toLocaleString('en')} small packages from 64 uploaders into one channel**`,
    '',
    '| | packages/s | quartiles | best | CPU time of the server, each | generations | peak memory |',
    '| :-- | --: | --: | --: | --: | --: | --: |',
    ...[...groups].map(([format, runs]) => {
      const rates = runs.map(({ perSecond }) => perSecond);
      const cells = [
        format === 'apt' ? '.deb' : '.rpm',
        median(rates).toFixed(0),
        range(rates, 0),
        Math.max(...rates).toFixed(0),
        `${median(runs.map(({ cpuMs }) => cpuMs)).toFixed(2)} ms`,
        median(runs.map(({ generations }) => generations)).toFixed(0),
        `${(Math.max(...runs.map(({ peakKiB }) => peakKiB)) / 1024).toFixed(0)} MiB`,
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

function bigTable({ sizeBytes, runs, peakKiB }: NonNullable<IntakeFigures['big']>): string[] {
  const MiB = sizeBytes / 2 ** 20;
  const row = (name: string, ms: readonly number[], share: string): string =>
    `| ${name} | ${(median(ms) / 1000).toFixed(2)} s | ${range(
      ms.map((value) => value / 1000),
      2,
    )} s | ${((MiB * 1000) / median(ms)).toFixed(1)} MiB/s | ${share} |`;
  const floor = runs.map(({ floorMs }) => floorMs);
  const upload = runs.map(({ uploadMs }) => uploadMs);
  const shares = runs.map(({ floorMs, uploadMs }) => (100 * floorMs) / uploadMs);
  return [
    `**A .deb of ${MiB.toFixed(0)} MiB** (peak memory ${(peakKiB / 1024).toFixed(0)} MiB)`,
    '',
    '| | time | quartiles | speed | of the speed of xz |',
    '| :-- | --: | --: | --: | --: |',
    row('from the request to the answer', upload, `${median(shares).toFixed(0)} %`),
    row('`xz -dc data.tar.xz \\| sha256sum`', floor, ''),
  ];
}

function hostileTable({
  bombs,
  codes,
  quiet,
  attacked,
  peakKiB,
}: NonNullable<IntakeFigures['hostile']>): string[] {
  const rows = [
    ...quiet.map((found) => ['nothing', found] as const),
    ...attacked.map((found) => ['bombs', found] as const),
  ];
  const refusals = [...codes].map(([code, count]) => `${count} × \`${code}\``).join(', ');
  return [
    `**Other requests while ${bombs} bombs are uploaded, four at a time** (answered ${refusals}; peak memory ${(peakKiB / 1024).toFixed(0)} MiB)`,
    '',
    '| request | what is uploaded | requests | median | 99 % | longest |',
    '| :-- | :-- | --: | --: | --: | --: |',
    ...rows.map(([what, { path, ms }]) => {
      const sorted = [...ms].sort((a, b) => a - b);
      const at = (share: number): string =>
        `${(sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(1)} ms`;
      return `| \`${path}\` | ${what} | ${sorted.length.toLocaleString('en')} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`;
    }),
  ];
}
