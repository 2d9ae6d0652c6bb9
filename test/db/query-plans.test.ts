/** What every upload and every promotion asks for is looked up, however many packages there are. */
import { join } from 'node:path';
import { CompiledQuery, type KyselyPlugin, type RootOperationNode } from 'kysely';
import t from 'tap';
import { migrate, openSqlite } from '../../src/db/catalog.ts';
import { findByDigests, listNamed, listRelated } from '../../src/db/channel-packages.ts';
import { findMembership, listPendingChanges, loadEntries, removeMember } from '../../src/db/membership.ts';
import {
  findByIdentity,
  findByUploadedSha256,
  loadFacts,
  pagesOfFiles,
  pathIsTaken,
} from '../../src/db/packages.ts';
import { temporaryDir } from '../server.ts';

t.test('no query of an upload or a promotion goes through everything', async (t) => {
  const catalog = openSqlite(join(temporaryDir(t), 'catalog.db'));
  await migrate(catalog, 0);
  const asked: RootOperationNode[] = [];
  const listener: KyselyPlugin = {
    transformQuery: ({ node }) => {
      asked.push(node);
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  const db = catalog.withPlugin(listener);
  const place = { repository: 'main', format: 'apt', distribution: '' } as const;
  await findByIdentity(db, { ...place, name: 'a', version: '1', architecture: 'all' });
  await findByUploadedSha256(db, { ...place, uploaded_sha256: 'x' });
  await findByDigests(db, place, ['x']);
  await pathIsTaken(db, 'x');
  await loadEntries(db, 'packages', ['x']);
  await loadFacts(db, ['x']);
  await Array.fromAsync(pagesOfFiles(db, ['x']));
  await findMembership(db, 'main/stable', 'x');
  await removeMember(db, { channel: 'main/stable', package: 'x', component: 'main', removed_in: 2 });
  await listPendingChanges(db, { id: 'main/stable', head: 1 }, 10);
  await listNamed(db, 'main/stable', ['a']);
  await listRelated(db, 'main/stable', ['depends'], ['a']);

  const executor = catalog.getExecutor();
  for (const node of asked) {
    const { sql, parameters } = executor.compileQuery(node, { queryId: 'plan' });
    const { rows } = await catalog.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`EXPLAIN QUERY PLAN ${sql}`, [...parameters]),
    );
    const plan = rows.map(({ detail }) => detail).join('\n');
    t.notMatch(plan, /SCAN/, sql);
    t.notMatch(plan, /packages_by_identity \((?!.*name=)/, sql);
    t.notMatch(plan, /channel_packages_by_removal/, sql);
  }
  t.equal(asked.length, 12);
  await catalog.destroy();
});
