import { stderr } from 'node:process';

export type Progress = { readonly advance: (bytes: number) => void; readonly stop: () => void };

const barWidth = 24;
const redrawMs = 100;

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

/** A bar on a terminal, one plain line elsewhere; both on standard error. */
export function startProgress(name: string, totalBytes: number): Progress {
  if (!stderr.isTTY) {
    stderr.write(`${name}: sending ${mebibytes(totalBytes)} MiB\n`);
    return { advance: () => undefined, stop: () => undefined };
  }
  let sentBytes = 0;
  const draw = (): void => {
    const share = totalBytes === 0 ? 1 : sentBytes / totalBytes;
    const filled = Math.round(share * barWidth);
    const bar = '#'.repeat(filled).padEnd(barWidth, '.');
    const what =
      share === 1
        ? 'checking, signing and publishing'
        : `${mebibytes(sentBytes)} of ${mebibytes(totalBytes)} MiB`;
    stderr.write(`\r\u001b[K${name} [${bar}] ${what}`);
  };
  draw();
  const timer = setInterval(draw, redrawMs);
  return {
    advance: (bytes) => {
      sentBytes += bytes;
    },
    stop: () => {
      clearInterval(timer);
      stderr.write('\r\u001b[K');
    },
  };
}
