import t from 'tap';
import {
  findRepository,
  insertRepository,
  insertSigningKey,
  listRepositories,
  listSigningKeys,
  updateRepository,
} from '../../src/db/repositories.ts';
import { findTokenBySha256, insertToken, listTokens, revokeToken, touchToken } from '../../src/db/tokens.ts';
import { emptyCatalog, put, rowOf } from './rows.ts';

t.test('repositories are found, listed by name, and changed in what is given', async (t) => {
  const db = await emptyCatalog(t);
  for (const name of ['b', 'a'])
    await insertRepository(
      db,
      await rowOf(db, 'repositories', { name, description: name, visibility: 'public' }),
    );
  t.match(await findRepository(db, 'a'), { name: 'a', description: 'a' });
  t.equal(await findRepository(db, 'c'), undefined);
  t.same(
    (await listRepositories(db)).map(({ name }) => name),
    ['a', 'b'],
  );
  await updateRepository(db, 'a', { visibility: 'private' });
  await updateRepository(db, 'b', {});
  t.match(await listRepositories(db), [
    { name: 'a', description: 'a', visibility: 'private' },
    { name: 'b', description: 'b', visibility: 'public' },
  ]);
  await t.rejects(put(db, 'repositories', { name: 'a' }), /unique/i);
});

t.test('keys by repository, the oldest first; one may serve several', async (t) => {
  const db = await emptyCatalog(t);
  await put(db, 'repositories', { name: 'a' }, { name: 'b' });
  for (const [repository, fingerprint, created_at] of [
    ['a', 'NEW', 2],
    ['a', 'OLD', 1],
    ['b', 'OLD', 1],
  ] as const)
    await insertSigningKey(
      db,
      await rowOf(db, 'signing_keys', { repository, fingerprint, created_at, state: 'active' }),
    );
  t.same(
    (await listSigningKeys(db, 'a')).map(({ fingerprint }) => fingerprint),
    ['OLD', 'NEW'],
  );
  t.match(await listSigningKeys(db, 'b'), [{ fingerprint: 'OLD' }]);
  await t.rejects(put(db, 'signing_keys', { repository: 'a', fingerprint: 'OLD' }), /unique/i);
});

t.test('tokens are found by digest, revoked once, and remember their last use', async (t) => {
  const db = await emptyCatalog(t);
  for (const id of ['1', '2'])
    await insertToken(
      db,
      await rowOf(db, 'tokens', { id, name: `token ${id}`, sha256: `digest ${id}`, scope: 'read' }),
    );
  t.match(await findTokenBySha256(db, 'digest 2'), { id: '2', revoked_at: null });
  t.equal(await findTokenBySha256(db, 'token 2'), undefined);
  t.ok(await revokeToken(db, '2', 77));
  t.notOk(await revokeToken(db, '2', 88));
  t.notOk(await revokeToken(db, '3', 77));
  await touchToken(db, '1', 99);
  t.match(await listTokens(db), [
    { id: '1', last_used_at: 99, revoked_at: null },
    { id: '2', last_used_at: null, revoked_at: 77 },
  ]);
  await t.rejects(put(db, 'tokens', { id: '3', sha256: 'digest 1' }), /unique/i);
});
