/** Suites of this folder once more, with the catalog in PostgreSQL. */
import t from 'tap';
import { catalogsIn } from '../catalogs.ts';
import { startPostgres, unlessPostgres } from '../postgres.ts';

const skip = unlessPostgres();

if (skip === false) {
  catalogsIn((await startPostgres(t)).newDatabase);
  for (const suite of ['collect', 'collect-races', 'retain']) await import(`./${suite}.test.ts`);
  // Each suite has set what it takes alone.
  t.setTimeout(600_000);
} else t.test('the collector on PostgreSQL', { skip }, () => Promise.resolve());
