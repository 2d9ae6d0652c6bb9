/** Reads packages one after the other and prints what came of each, and what it cost: a process of its own. */
import { createReadStream } from 'node:fs';
import { argv, resourceUsage } from 'node:process';
import { AppError } from '../../../src/errors.ts';
import { parseDeb } from '../../../src/formats/apt/deb.ts';

export type Measured = {
  readonly files: readonly { readonly file: string; readonly outcome: string; readonly ms: number }[];
  /** By how much the largest resident size grew after the first, small package had been read. */
  readonly growthBytes: number;
};

const collect = (globalThis as { gc?: () => void }).gc;
const peakBytes = (): number => resourceUsage().maxRSS * 1024;

async function read(file: string): Promise<string> {
  try {
    await parseDeb(createReadStream(file, { highWaterMark: 2 ** 18 }));
    return 'accepted';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

const files: Measured['files'][number][] = [];
const paths = argv.slice(2);
await read(paths.at(-1) ?? '');
collect?.();
const before = peakBytes();
for (const file of paths) {
  const start = performance.now();
  const outcome = await read(file);
  files.push({ file, outcome, ms: Math.round(performance.now() - start) });
  collect?.();
}
const measured: Measured = { files, growthBytes: peakBytes() - before };
console.log(JSON.stringify(measured));
