/** The catalog in PostgreSQL behind a pooler that hands each transaction to another connection. */
import t from 'tap';
import { catalogsIn } from '../catalogs.ts';
import { unlessInstalled } from '../clients.ts';
import { startPgbouncer } from '../pgbouncer.ts';
import { startPostgres, unlessPostgres } from '../postgres.ts';

const skip = unlessPostgres() || unlessInstalled('pgbouncer');

if (skip === false) {
  const postgres = await startPostgres(t);
  const pooled = await startPgbouncer(t, postgres);
  catalogsIn(async () => pooled(await postgres.newDatabase()));
  await import('./group-commit.test.ts');
} else t.test('publishing behind PgBouncer', { skip }, () => Promise.resolve());
