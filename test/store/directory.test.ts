import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DirectoryStore } from '../../src/store/directory.ts';
import { temporaryDir } from '../server.ts';
import { storeContract } from './contract.ts';

const openAt = (root: string): DirectoryStore =>
  new DirectoryStore(root, (error) => {
    throw error;
  });

storeContract({
  name: 'a directory',
  open: (t) => {
    const root = join(temporaryDir(t), 'tree');
    return Promise.resolve({ store: openAt(root), reopen: () => Promise.resolve(openAt(root)) });
  },
});

t.test('a directory: what a crash left half written is removed', async (t) => {
  const root = join(temporaryDir(t), 'tree');
  const store = openAt(root);
  await store.putPointer('a', Buffer.from('x'), 0);
  writeFileSync(join(root, '.tmp/half'), 'ha');
  await store.clearTemporary(0);
  t.same(readdirSync(join(root, '.tmp')), ['half'], 'which another node may be writing');
  await store.clearTemporary(Infinity);
  t.same(readdirSync(join(root, '.tmp')), []);
  await store.putPointer('a', Buffer.from('y'), 0);
  t.same(readdirSync(join(root, '.tmp')), []);
});

t.test('a directory: a folder goes with the last file in it', async (t) => {
  const root = join(temporaryDir(t), 'tree');
  const store = openAt(root);
  await store.putImmutable('a/b/c/file', [Buffer.from('x')]);
  await store.putImmutable('a/other', [Buffer.from('y')]);
  await store.delete('a/b/c/file');
  t.same(readdirSync(join(root, 'a')), ['other']);
  await store.delete('a/other');
  t.same(readdirSync(root), ['.tmp'], 'the root stays');
});
