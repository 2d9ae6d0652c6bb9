/** Nodes of different versions on one catalog: what a rolling upgrade rests on. */
import { once } from 'node:events';
import t from 'tap';
import { openPostgres } from '../../src/db/postgres.ts';
import { jsonOf } from '../ask.ts';
import { debSample } from '../packages.ts';
import { startPostgres, unlessPostgres } from '../postgres.ts';
import { openNodes } from './nodes.ts';

t.setTimeout(240_000);

t.test(
  'an older node goes on beside a newer one that only adds to the catalog',
  { skip: unlessPostgres() },
  async (t) => {
    const postgres = await startPostgres(t);
    const nodes = await openNodes(t, postgres);
    const old = await nodes.start('all');
    const db = openPostgres(nodes.database);
    t.teardown(() => db.destroy());
    const upgrade = async (name: string): Promise<void> => {
      await db.insertInto('schema_migrations').values({ name, applied_at: 1 }).execute();
    };
    await upgrade('9998_later.expands.sql');
    const another = await nodes.start('api');
    for (const [i, node] of [old, another].entries()) {
      const { filename, bytes } = debSample(`tool-${i}`);
      await jsonOf(await node.upload('stable', filename, bytes));
    }
    t.equal(await another.stop(), 0);

    await upgrade('9999_later.sql');
    await t.rejects(nodes.start('api'), /9999_later\.sql, which this version .*\(catalog_newer\)/);
    if (old.child.exitCode === null) await once(old.child, 'exit');
    t.equal(old.child.exitCode, 1, 'one that runs ends by itself');
    t.match(old.output(), /changed by a newer version; ending/);
  },
);
