/**
 * Random histories against the model: two thousand, always the same ones. `npm run simulate` runs others, and any
 * one of them again by its seed.
 */
import t from 'tap';
import { runSeeds, tell } from './seeds.ts';
import { openGround } from './world.ts';

t.setTimeout(600_000);

const quarter = 500;

for (const from of [1, 501, 1001, 1501])
  t.test(`seeds ${from} to ${from + quarter - 1}`, async (t) => {
    const ground = await openGround();
    t.teardown(ground.close);
    const { seeds, figures, failures } = await runSeeds(ground, { from, count: quarter });
    for (const failure of failures) t.fail(tell(failure));
    t.equal(seeds, quarter);
    // A simulator that does nothing finds nothing.
    for (const [what, count] of Object.entries(figures)) t.ok(count > 50, `${count} ${what}`);
  });
