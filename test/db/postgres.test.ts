/** The suites of this folder once more, on PostgreSQL. */
import { createInterface } from 'node:readline';
import t from 'tap';
import { checkCatalog, migrate } from '../../src/db/catalog.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { listRepositories } from '../../src/db/repositories.ts';
import { transact } from '../../src/db/transact.ts';
import { catalogsIn } from '../catalogs.ts';
import { runScript } from '../program.ts';
import { startPostgres, unlessPostgres, type Postgres } from '../postgres.ts';
import { catalogWith, put } from './rows.ts';

const skip = unlessPostgres();

if (skip === false) {
  const postgres = await startPostgres(t);
  catalogsIn(postgres.newDatabase);
  testSeveral(postgres);
  testStandstill(postgres);
  testLoss(postgres);
  for (const suite of ['channels', 'generations', 'membership', 'packages', 'repositories'])
    await import(`./${suite}.test.ts`);
  // Each suite has set what it takes alone.
  t.setTimeout(600_000);
} else t.test('the catalog on PostgreSQL', { skip }, () => Promise.resolve());

/** As several nodes do: each with connections of its own. */
function testSeveral({ newDatabase }: Postgres): void {
  t.test('nodes that open a new catalog at once apply each migration once', async (t) => {
    const url = await newDatabase();
    const nodes = [1, 2, 3].map(() => openPostgres(url));
    t.teardown(() => Promise.all(nodes.map((db) => db.destroy())));
    const applied = await Promise.all(nodes.map((db) => migrate(db, 0)));
    const [db] = nodes;
    const rows = (await db?.selectFrom('schema_migrations').select('name').orderBy('name').execute()) ?? [];
    t.ok(rows.length > 0);
    t.same(
      applied.flat().sort(),
      rows.map(({ name }) => name),
    );
  });

  t.test('of transactions that read and then write the same row, none is lost', async (t) => {
    const url = await newDatabase();
    const nodes = [1, 2, 3].map(() => openPostgres(url));
    t.teardown(() => Promise.all(nodes.map((db) => db.destroy())));
    const [first] = nodes;
    if (!first) throw new Error('no node');
    await migrate(first, 0);
    await put(first, 'repositories', { name: 'acme', description: '0' });
    const count = async (db: typeof first): Promise<void> => {
      for (let i = 0; i < 20; i++)
        await transact(db, async (transaction) => {
          const row = await transaction.selectFrom('repositories').selectAll().executeTakeFirstOrThrow();
          const description = String(Number(row.description) + 1);
          await transaction.updateTable('repositories').set({ description }).execute();
        });
    };
    await Promise.all(nodes.map(count));
    t.match(await listRepositories(first), [{ description: '60' }]);
  });
}

/** What a machine does that is suspended: connections stay, and nothing is said on them. */
function testStandstill({ newDatabase }: Postgres): void {
  t.test('a node that stands still in a transaction does not hold the others up for ever', async (t) => {
    const url = await newDatabase();
    const db = openPostgres(url);
    t.teardown(() => db.destroy());
    await migrate(db, 0);
    await put(db, 'repositories', { name: 'acme', description: 'old' });
    const node = runScript(`const { openPostgres } = await import('./src/db/postgres.ts');
      const db = openPostgres(${JSON.stringify(url)});
      const describe = (db) => db.updateTable('repositories').set({ description: 'late' }).execute();
      const work = db.transaction().execute(async (transaction) => {
        await describe(transaction);
        console.log('it holds the row');
        process.kill(process.pid, 'SIGSTOP');
        await describe(transaction);
      });
      console.log(await work.then(() => 'committed', ({ code }) => code));
      await db.destroy();`);
    t.teardown(() => node.kill('SIGKILL'));
    const lines = createInterface(node.stdout)[Symbol.asyncIterator]();
    t.match(await lines.next(), { value: 'it holds the row' });
    await transact(db, (transaction) =>
      transaction.updateTable('repositories').set({ description: 'new' }).execute(),
    );
    node.kill('SIGCONT');
    t.match(await lines.next(), { value: 'catalog_unavailable' }, 'its own is over');
    t.match(await listRepositories(db), [{ description: 'new' }]);
  });
}

function testLoss({ stop, start }: Postgres): void {
  t.test('a database that is lost and comes back', async (t) => {
    const db = await catalogWith(t);
    await checkCatalog(db);
    const cut = transact(db, async (transaction) => {
      await listRepositories(transaction);
      await stop();
      await put(transaction, 'repositories', { name: 'beta' });
    });
    await t.rejects(cut, { code: 'catalog_unavailable', status: 503 }, 'in the middle of a transaction');
    await t.rejects(listRepositories(db), { code: 'catalog_unavailable' });
    await t.rejects(checkCatalog(db));
    await start();
    t.match(await listRepositories(db), [{ name: 'acme' }], 'nothing of the transaction, and no restart');
    await checkCatalog(db);
  });

  t.test('a URL that nobody answers', async (t) => {
    const db = openPostgres('postgres://entrepot@127.0.0.1:1/none');
    t.teardown(() => db.destroy());
    await t.rejects(migrate(db, 0), { code: 'catalog_unavailable' });
  });
}
