import t from 'tap';
import { actorName, authorise, maySee, scopes, type Actor, type Scope } from '../../src/auth/permissions.ts';

const token = (scope: Scope, repositories: string[] | null = null): Actor => ({
  kind: 'token',
  id: 'id',
  name: `a ${scope} token`,
  scope,
  repositories,
});
const anonymous: Actor = { kind: 'anonymous' };
const operator: Actor = { kind: 'operator', name: 'command line' };

function may(actor: Actor, scope: Scope, repository: string | null): string {
  try {
    authorise(actor, scope, repository);
    return 'yes';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

t.test('who may do what: the whole table', (t) => {
  const actors: [string, Actor][] = [
    ['anonymous', anonymous],
    ['operator', operator],
    ...scopes.map((scope): [string, Actor] => [scope, token(scope)]),
    ...scopes.map((scope): [string, Actor] => [`${scope} of acme`, token(scope, ['acme', 'other'])]),
    ['admin of nothing', token('admin', [])],
  ];
  const table = Object.fromEntries(
    actors.map(([name, actor]) => [
      name,
      Object.fromEntries(
        scopes.map((scope) => [
          scope,
          ['acme', 'main', null].map((repository) => may(actor, scope, repository)).join(' '),
        ]),
      ),
    ]),
  );
  const always = 'yes yes yes';
  const never = 'forbidden forbidden forbidden';
  const unknown = 'unauthenticated unauthenticated unauthenticated';
  const acme = 'yes forbidden forbidden';
  t.same(table, {
    anonymous: { admin: unknown, upload: unknown, read: unknown },
    operator: { admin: always, upload: always, read: always },
    admin: { admin: always, upload: always, read: always },
    upload: { admin: never, upload: always, read: always },
    read: { admin: never, upload: never, read: always },
    'admin of acme': { admin: acme, upload: acme, read: acme },
    'upload of acme': { admin: never, upload: acme, read: acme },
    'read of acme': { admin: never, upload: never, read: acme },
    'admin of nothing': { admin: never, upload: never, read: never },
  });
  t.end();
});

t.test('a refusal names what is missing', (t) => {
  t.throws(() => authorise(anonymous, 'upload', 'acme'), {
    code: 'unauthenticated',
    message: 'This needs a token with the scope "upload" for the repository acme.',
  });
  t.throws(() => authorise(token('read'), 'admin', null), {
    code: 'forbidden',
    message: 'The token "a read token" has not the scope "admin" for the whole server.',
  });
  t.end();
});

t.test('who may know that a repository is there', (t) => {
  const open = { name: 'acme', visibility: 'public' } as const;
  const closed = { name: 'acme', visibility: 'private' } as const;
  for (const actor of [anonymous, operator, token('read', [])]) t.ok(maySee(actor, open));
  for (const actor of [operator, token('read'), token('read', ['acme']), token('admin', ['acme'])])
    t.ok(maySee(actor, closed));
  for (const actor of [
    anonymous,
    token('admin', ['main']),
    token('read', []),
    token('read', ['acm', 'acmes']),
  ])
    t.notOk(maySee(actor, closed));
  t.end();
});

t.test('events name a token by its name, never by its text', (t) => {
  t.equal(actorName(token('read')), 'a read token');
  t.equal(actorName(anonymous), 'anonymous');
  t.equal(actorName(operator), 'command line');
  t.end();
});
