/**
 * What every store promises (src/store/store.ts), run against each: an empty one comes from `open`, and what one
 * object of it has written another one finds.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import type { Store, StoredKey } from '../../src/store/store.ts';
import { temporaryDir } from '../server.ts';

export type StoreUnderTest = {
  readonly name: string;
  /** A store of its own for a test, and the same one opened once more, as after a restart. */
  readonly open: (t: Test) => Promise<{ readonly store: Store; readonly reopen: () => Promise<Store> }>;
};

const bytesOf = (text: string): Buffer => Buffer.from(text);

async function readAll(store: Store, key: string): Promise<string | null> {
  const file = await store.open(key);
  return file && (await file.bytes()).toString();
}

async function drain(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function listed(store: Store, prefix: string): Promise<StoredKey[]> {
  const found: StoredKey[] = [];
  for await (const entry of store.list(prefix)) found.push(entry);
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function storeContract({ name, open }: StoreUnderTest): void {
  t.test(`${name}: what is put is found, also by the next process`, async (t) => {
    const { store, reopen } = await open(t);
    const source = join(temporaryDir(t), 'staged');
    writeFileSync(source, 'from a file');
    await store.putImmutable('a/immutable', [bytesOf('in '), bytesOf('pieces')]);
    await store.putImmutableFile('a/b/file', source);
    await store.putPointer('a/pointer', bytesOf('first'), 1_700_000_000_000);
    await store.putAlias('a/alias', 'a/immutable');
    await store.putImmutable('a/empty', []);
    t.notOk(existsSync(source), 'a file that is put is gone from where it was');
    for (const each of [store, await reopen()]) {
      t.equal(await readAll(each, 'a/immutable'), 'in pieces');
      t.equal(await readAll(each, 'a/b/file'), 'from a file');
      t.equal(await readAll(each, 'a/pointer'), 'first');
      t.equal(await readAll(each, 'a/alias'), 'in pieces');
      t.equal(await readAll(each, 'a/empty'), '');
    }
  });

  t.test(`${name}: sizes and times`, async (t) => {
    const { store } = await open(t);
    const before = Date.now();
    await store.putImmutable('sized', [bytesOf('12345')]);
    await store.putPointer('pointer', bytesOf('123'), 1_700_000_000_000);
    const file = await store.open('sized');
    t.equal(file?.sizeBytes, 5);
    t.ok(Math.abs((file?.lastModifiedMs ?? 0) - before) < 60_000);
    await file?.close();
    const pointer = await store.open('pointer');
    t.match(pointer, { sizeBytes: 3, lastModifiedMs: 1_700_000_000_000 });
    await pointer?.close();
  });

  t.test(`${name}: what is not there is null`, async (t) => {
    const { store } = await open(t);
    await store.putImmutable('folder/file', [bytesOf('x')]);
    await store.putAlias('dangling', 'nowhere');
    for (const key of [
      'nothing',
      'folder',
      'folder/',
      'folder/nothing',
      'folder/file/below',
      'dangling',
      'folder/FILE',
      `folder/${'x'.repeat(2000)}`,
      'folder/file.gz',
    ])
      t.equal(await store.open(key), null, key.slice(0, 40));
    t.same(await listed(store, 'nothing'), []);
    await store.delete('nothing');
    await store.delete('folder/nothing/at/all');
  });

  t.test(`${name}: an immutable file is put twice`, async (t) => {
    const { store } = await open(t);
    await store.putImmutable('same', [bytesOf('12345')]);
    await store.putImmutable('same', [bytesOf('123'), bytesOf('45')]);
    t.equal(await readAll(store, 'same'), '12345');
    await store.putImmutable('same', [bytesOf('54321')]);
    t.equal(await readAll(store, 'same'), '54321', 'what an attempt that ended early left is replaced');
    await store.putImmutable('same', [bytesOf('123')]);
    t.equal(await readAll(store, 'same'), '123');

    const source = join(temporaryDir(t), 'staged');
    for (const text of ['first', 'other', 'last one']) {
      writeFileSync(source, text);
      await store.putImmutableFile('file', source);
      t.equal(await readAll(store, 'file'), text);
    }
  });

  t.test(`${name}: a file that gets its key later, or never`, async (t) => {
    const { store, reopen } = await open(t);
    const kept = store.stage([bytesOf('in '), bytesOf('pieces')]);
    const dropped = store.stage([bytesOf('never seen')]);
    const replaced = store.stage([bytesOf('whole')]);
    t.same(await listed(store, ''), [], 'nothing is seen before');
    await store.putImmutable('b', [bytesOf('half')]);
    await Promise.all([kept.place('a/file'), dropped.discard(), replaced.place('b')]);
    for (const each of [store, await reopen()]) {
      t.same(
        (await listed(each, '')).map(({ key }) => key),
        ['a/file', 'b'],
      );
      t.equal(await readAll(each, 'a/file'), 'in pieces');
      t.equal(await readAll(each, 'b'), 'whole');
    }
  });

  t.test(`${name}: a reader keeps the content that it opened`, async (t) => {
    const { store } = await open(t);
    await store.putPointer('pointer', bytesOf('old'), 1000);
    const [first, second] = await Promise.all([store.open('pointer'), store.open('pointer')]);
    await store.putPointer('pointer', bytesOf('new content'), 2000);
    t.equal((await first?.bytes())?.toString(), 'old');
    if (second) t.equal((await drain(second.stream())).toString(), 'old');
    t.equal(await readAll(store, 'pointer'), 'new content');
  });

  t.test(`${name}: whoever reads a pointer while it changes sees one content or the other`, async (t) => {
    const { store, reopen } = await open(t);
    const contentOf = (i: number): Buffer => Buffer.alloc(20_000 + i, String(i % 10));
    await store.putPointer('pointer', contentOf(0), 0);
    let written = 0;
    let done = false;
    const read = async (reader: Store): Promise<number> => {
      let reads = 0;
      let last = 0;
      while (!done) {
        const least = written;
        const file = await reader.open('pointer');
        const content = await file?.bytes();
        const number = (content?.length ?? 0) - 20_000;
        if (!content?.equals(contentOf(number))) t.fail(`torn: ${content?.length ?? 'nothing'} bytes`);
        if (file && file.lastModifiedMs !== number * 1000) t.fail(`time ${file.lastModifiedMs} of ${number}`);
        if (number < least || number < last) t.fail(`back to ${number} from ${Math.max(least, last)}`);
        last = number;
        reads += 1;
      }
      return reads;
    };
    const readers = [store, store, await reopen(), await reopen()].map(read);
    for (let i = 1; i <= 60; i++) {
      await store.putPointer('pointer', contentOf(i), i * 1000);
      written = i;
    }
    done = true;
    const reads = await Promise.all(readers);
    t.ok(reads.every((count) => count > 0));
    t.equal((await readAll(store, 'pointer'))?.length, 20_060);
  });

  t.test(`${name}: writers of one key at once leave one whole content`, async (t) => {
    const { store } = await open(t);
    const contents = Array.from({ length: 16 }, (_, i) => Buffer.alloc(10_000 + i, String(i % 10)));
    for (const put of [
      (content: Buffer, i: number) => store.putPointer('key', content, i * 1000),
      (content: Buffer) => store.putImmutable('key', [content]),
    ]) {
      await Promise.all(contents.map(put));
      const found = await (await store.open('key'))?.bytes();
      t.ok(contents.some((content) => found?.equals(content)));
    }
  });

  t.test(`${name}: an alias shows a file or a whole folder, and can be turned`, async (t) => {
    const { store } = await open(t);
    for (const version of ['1', '2']) {
      await store.putImmutable(`versions/${version}/file`, [bytesOf(`file ${version}`)]);
      await store.putImmutable(`versions/${version}/deep/file`, [bytesOf(`deep ${version}`)]);
    }
    await store.putAlias('current', 'versions/1');
    await store.putAlias('a/b/c/file', 'versions/1/file');
    t.equal(await readAll(store, 'current/file'), 'file 1');
    t.equal(await readAll(store, 'current/deep/file'), 'deep 1');
    t.equal(await readAll(store, 'a/b/c/file'), 'file 1');
    await store.putAlias('current', 'versions/1');
    t.equal(await readAll(store, 'current/file'), 'file 1', 'the same again');
    await store.putAlias('current', 'versions/2');
    await store.putAlias('a/b/c/file', 'versions/2/deep/file');
    t.equal(await readAll(store, 'current/file'), 'file 2');
    t.equal(await readAll(store, 'current/deep/file'), 'deep 2');
    t.equal(await readAll(store, 'a/b/c/file'), 'deep 2');
    t.equal(await readAll(store, 'versions/1/file'), 'file 1', 'what it showed is still there');
    await store.putAlias('versions/2/of/aliases', 'current');
    t.equal(await readAll(store, 'versions/2/of/aliases/file'), 'file 2', 'an alias of an alias');
    await store.delete('current');
    t.equal(await readAll(store, 'current/file'), null);
    t.equal(await readAll(store, 'versions/2/file'), 'file 2', 'deleting an alias deletes no file');
  });

  t.test(`${name}: files are listed by folder, aliases as themselves`, async (t) => {
    const { store } = await open(t);
    for (const key of ['a/1', 'a/b/2', 'a/b/c/3', 'ab/4', 'b/5', 'a/~^+ 6'])
      await store.putImmutable(key, [bytesOf(key)]);
    await store.putAlias('a/alias', 'b/5');
    await store.putAlias('a/folder', 'b');
    await store.putPointer('a/b/pointer', bytesOf('x'), 5000);
    t.same(
      (await listed(store, 'a')).map(({ key }) => key),
      ['a/1', 'a/alias', 'a/b/2', 'a/b/c/3', 'a/b/pointer', 'a/folder', 'a/~^+ 6'],
    );
    t.same(
      (await listed(store, 'a')).filter(({ kind }) => kind === 'alias').map(({ key }) => key),
      ['a/alias', 'a/folder'],
    );
    t.same(
      (await listed(store, 'a/b')).map(({ key }) => key),
      ['a/b/2', 'a/b/c/3', 'a/b/pointer'],
    );
    t.match(await listed(store, 'a/b/c'), [{ key: 'a/b/c/3', kind: 'file', sizeBytes: 7 }]);
    const pointer = (await listed(store, 'a')).find(({ key }) => key === 'a/b/pointer');
    t.equal(pointer?.sizeBytes, 1);
    const { lastModifiedMs = 0 } = pointer ?? {};
    t.ok(lastModifiedMs === 5000 || Math.abs(lastModifiedMs - Date.now()) < 60_000);
    t.equal((await listed(store, '')).length, 9, 'and everything at once, without what is being written');
  });

  t.test(`${name}: what is deleted is gone`, async (t) => {
    const { store, reopen } = await open(t);
    await store.putImmutable('a/file', [bytesOf('x')]);
    await store.delete('a/file');
    for (const each of [store, await reopen()]) t.equal(await readAll(each, 'a/file'), null);
    await store.delete('a/file');
    await store.putImmutable('a/file', [bytesOf('again')]);
    t.equal(await readAll(store, 'a/file'), 'again');
  });

  t.test(`${name}: a writer does not meet the folder that a deletion leaves empty`, async (t) => {
    const { store } = await open(t);
    const source = join(temporaryDir(t), 'staged');
    await store.putImmutable('a/b/c/0', [bytesOf('0')]);
    for (let i = 0; i < 50; i++) {
      writeFileSync(source, `staged ${i}`);
      await Promise.all([
        store.delete(`a/b/c/${i}`),
        store.putImmutable(`a/b/c/${i + 1}`, [bytesOf(`${i + 1}`)]),
        store.putImmutableFile(`a/b/d/${i}`, source),
        store.putAlias(`a/b/e/${i}`, `a/b/c/${i + 1}`),
        ...(i === 0 ? [] : [store.delete(`a/b/d/${i - 1}`), store.delete(`a/b/e/${i - 1}`)]),
      ]);
      t.equal(await readAll(store, `a/b/e/${i}`), `${i + 1}`);
      t.equal(await readAll(store, `a/b/d/${i}`), `staged ${i}`);
    }
    t.equal((await listed(store, '')).length, 3);
  });

  t.test(`${name}: a part of a file`, async (t) => {
    const { store } = await open(t);
    const content = randomBytes(100_000);
    await store.putImmutable('file', [content]);
    const part = async (range?: { start: number; end: number }): Promise<Buffer> => {
      const file = await store.open('file');
      return file ? await drain(file.stream(range)) : Buffer.alloc(0);
    };
    t.same(await part(), content);
    for (const [start, end] of [
      [0, 0],
      [0, 99_999],
      [99_999, 99_999],
      [1, 1],
      [65_535, 65_537],
    ] as const)
      t.same(await part({ start, end }), content.subarray(start, end + 1), `${start} to ${end}`);
  });

  t.test(`${name}: a stream that is left early ends`, async (t) => {
    const { store } = await open(t);
    await store.putImmutable('file', [randomBytes(4 * 2 ** 20)]);
    const file = await store.open('file');
    const stream = file?.stream();
    for await (const chunk of stream ?? []) {
      t.ok((chunk as Buffer).length > 0);
      break;
    }
    t.ok(stream?.destroyed);
  });

  t.test(`${name}: large files, and files of very many pieces`, async (t) => {
    const { store } = await open(t);
    const piece = randomBytes(2 ** 20);
    const pieces = Array.from({ length: 48 }, () => piece);
    const expected = createHash('sha256');
    for (const each of pieces) expected.update(each);
    await store.putImmutable('large', pieces);
    const file = await store.open('large');
    t.equal(file?.sizeBytes, 48 * 2 ** 20);
    const found = createHash('sha256');
    for await (const chunk of file?.stream() ?? []) found.update(chunk as Buffer);
    t.equal(found.digest('hex'), expected.digest('hex'));

    const many = Array.from({ length: 5000 }, (_, i) => bytesOf(`${i} `));
    await store.putImmutable('many', many);
    t.equal(await readAll(store, 'many'), many.join(''));

    const source = join(temporaryDir(t), 'staged');
    writeFileSync(source, Buffer.concat(pieces));
    await store.putImmutableFile('large-file', source);
    const copy = await store.open('large-file');
    t.equal(copy?.sizeBytes, 48 * 2 ** 20);
    await copy?.close();
  });

  t.test(`${name}: names with the signs of versions`, async (t) => {
    const { store } = await open(t);
    const keys = ['g/g++_1.0~rc1^2+b3-1_amd64.deb', 'a b/c', '%2e%2e/x', 'é/ü', 'a/b=c&d?e#f', 'q\'uote"s'];
    for (const key of keys) await store.putImmutable(key, [bytesOf(key)]);
    for (const key of keys) t.equal(await readAll(store, key), key);
    t.same((await listed(store, '')).map(({ key }) => key).sort(), [...keys].sort());
  });

  t.test(`${name}: no key leads out`, async (t) => {
    const { store } = await open(t);
    const source = join(temporaryDir(t), 'staged');
    writeFileSync(source, 'x');
    for (const key of ['../outside', 'a/../../outside', '..', '/etc/passwd', 'a\0b', '/', 'a/..']) {
      const attempts: (() => Promise<unknown>)[] = [
        () => store.open(key),
        () => store.putImmutable(key, [bytesOf('x')]),
        () => store.putImmutableFile(key, source),
        () => store.stage([bytesOf('x')]).place(key),
        () => store.putPointer(key, bytesOf('x'), 0),
        () => store.putAlias(key, 'a'),
        () => store.putAlias('alias', key),
        () => store.delete(key),
        () => listed(store, key),
      ];
      for (const attempt of attempts) await t.rejects(attempt, RangeError, JSON.stringify(key));
    }
    t.same(await listed(store, ''), []);
    t.equal((await drain(createReadStream(source))).toString(), 'x');
  });
}
