/**
 * A sample of what `npm run sweep` does: operations are interrupted at single system calls, about every 40th, at
 * others each time. SWEEP_OFFSET repeats a run.
 */
import t from 'tap';
import { unlessInstalled } from '../clients.ts';
import { unlessRoot } from '../clients/roots.ts';
import { operationNames } from './operations.ts';
import { Sweep, tryAll } from './sweep.ts';

const every = 40;
const offset = Number(process.env['SWEEP_OFFSET'] ?? Date.now() % every);

t.setTimeout(600_000);

const skip = unlessInstalled('strace') || unlessRoot;

t.test(`interrupted at every ${every}th call (SWEEP_OFFSET=${offset})`, { skip }, async (t) => {
  const sweep = new Sweep();
  t.teardown(() => sweep.close());
  await sweep.prepare();
  for (const operation of operationNames) {
    const all = await sweep.points(operation);
    t.ok(all.length > 300, `${operation}: ${all.length} points`);
    const { tried, ends, troubles } = await tryAll(
      sweep,
      all.filter((_, index) => index % every === offset),
      { jobs: 2 },
    );
    t.same(troubles, [], `${operation}: ${tried} points`);
    t.ok((ends['SIGKILL killed'] ?? 0) + (ends['EIO refused'] ?? 0) > 0, JSON.stringify(ends));
  }
});
