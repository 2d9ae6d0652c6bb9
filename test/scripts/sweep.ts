/** `npm run sweep`: interrupts every operation at every system call, or at every `--every`th from `--offset` on. */
import { availableParallelism } from 'node:os';
import process, { stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { operationNames } from '../sweep/operations.ts';
import { Sweep, tryAll } from '../sweep/sweep.ts';

const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    offset: { type: 'string', default: '0' },
    /** A part of the operation's name. */
    operation: { type: 'string', default: '' },
    jobs: { type: 'string', default: String(availableParallelism()) },
  },
});
const sweep = new Sweep();
const started = performance.now();
let tried = 0;
let troubled = 0;
try {
  await sweep.prepare();
  for (const operation of operationNames.filter((name) => name.includes(values.operation))) {
    const all = await sweep.points(operation);
    const points = all.filter((_, index) => index % Number(values.every) === Number(values.offset));
    const { ends, troubles } = await tryAll(sweep, points, {
      jobs: Number(values.jobs),
      tell: (trouble) => stdout.write(`${trouble}\n`),
    });
    tried += points.length;
    troubled += troubles.length;
    const figures = Object.entries(ends)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([end, count]) => `${end} ${count}`);
    stdout.write(`${operation}: ${points.length} of ${all.length} points: ${figures.join(', ')}\n`);
  }
} finally {
  await sweep.close();
}
const seconds = Math.round((performance.now() - started) / 1000);
stdout.write(`${tried} points, ${troubled} with a problem, ${seconds} s\n`);
process.exitCode = troubled > 0 ? 1 : 0;
