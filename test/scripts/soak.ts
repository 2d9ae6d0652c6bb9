/** `npm run soak -- --minutes 30`: machines read while channels are published; anything they say is told. */
import process, { stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { soak } from '../soak/soak.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '3' } } });
const undo: (() => unknown)[] = [];
const teardown = (work: () => unknown): void => void undo.unshift(work);
try {
  const report = await soak({ teardown }, Number(values.minutes), (error) => stdout.write(`${error}\n`));
  stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.errors.length > 0 ? 1 : 0;
} finally {
  for (const work of undo) await work();
}
