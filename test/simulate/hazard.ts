/** What happens to a server in the middle of its work: a crash at one of its writes, or one write that fails. */
import { oneByOne, placeOneByOne } from '../../src/store/one-by-one.ts';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import type { StagedFile, Store } from '../../src/store/store.ts';

/** At the write of this number, the first is 1; `after`: the write itself was still done. */
export type Blow = { readonly kind: 'crash' | 'fail'; readonly at: number; readonly after: boolean };

export class Crashed extends Error {}

/** Counts the writes of one life of a server, and strikes at one of them. Nothing is written after a crash. */
export class Hazard {
  #blow: Blow | null = null;
  #writes = 0;
  #dead = false;
  #struck = false;

  get dead(): boolean {
    return this.#dead;
  }

  /** Whether the blow has fallen. */
  get struck(): boolean {
    return this.#struck;
  }

  /** From now on. */
  expect(blow: Blow | null): void {
    this.#blow = blow;
    this.#writes = 0;
    this.#struck = false;
  }

  /** A crash here and now. */
  die(): void {
    this.#dead = true;
  }

  async write(work: () => Promise<void>): Promise<void> {
    const strikes = this.#strikes();
    if (strikes && !this.#blow?.after) this.#fall();
    await work();
    if (strikes) this.#fall();
    this.alive();
  }

  /** A database does not say that it failed when it did not: there is no failure after a statement. */
  writeNow<T>(work: () => T): T {
    const strikes = this.#strikes();
    const first = this.#blow?.kind === 'fail' || !this.#blow?.after;
    if (strikes && first) this.#fall();
    const result = work();
    if (strikes) this.#fall();
    return result;
  }

  alive(): void {
    if (this.#dead) throw new Crashed('crashed');
  }

  #strikes(): boolean {
    this.alive();
    this.#writes += 1;
    return this.#blow?.at === this.#writes;
  }

  #fall(): void {
    this.#struck = true;
    if (this.#blow?.kind === 'crash') this.#dead = true;
    this.alive();
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  }
}

export function endangeredStore(store: Store, hazard: Hazard): Store {
  const visible: Pick<Store, 'putAlias' | 'putPointer'> = {
    putPointer: (key, bytes, time) => hazard.write(() => store.putPointer(key, bytes, time)),
    putAlias: (key, target) => hazard.write(() => store.putAlias(key, target)),
  };
  return {
    ...visible,
    putImmutable: (key, chunks) => hazard.write(() => store.putImmutable(key, chunks)),
    putImmutableFile: (key, path) => hazard.write(() => store.putImmutableFile(key, path)),
    stage: (chunks, time) => endangeredFile(store.stage(chunks, time), hazard),
    placeAll: (names) => placeOneByOne(names, visible),
    stageVisible: (files) => oneByOne(files, visible),
    delete: (key) => hazard.write(() => store.delete(key)),
    open: async (key) => {
      hazard.alive();
      return await store.open(key);
    },
    list: (prefix) => store.list(prefix),
  };
}

const writes = /^(begin|commit|insert|update|delete)\b/i;

/** Its bytes are a write, and its name is another. */
function endangeredFile(staged: StagedFile, hazard: Hazard): StagedFile {
  const written = hazard.write(() => Promise.resolve());
  written.catch(() => undefined);
  return {
    place: async (key) => {
      await written;
      await hazard.write(() => staged.place(key));
    },
    discard: () => staged.discard(),
  };
}

/** The same for a database. A rollback never fails: a crash is one as well. */
export function endangeredDatabase(inner: SqliteDatabase, hazard: Hazard): SqliteDatabase {
  const known = new Map<SqliteStatement, SqliteStatement>();
  return {
    // It outlives the server, as a file does.
    close: () => undefined,
    prepare: (text) => {
      const statement = inner.prepare(text);
      const found = known.get(statement);
      if (found) return found;
      const run = <T>(work: () => T): T => {
        if (writes.test(text)) return hazard.writeNow(work);
        hazard.alive();
        return work();
      };
      const endangered: SqliteStatement = {
        reader: statement.reader,
        all: (parameters) => run(() => statement.all(parameters)),
        run: (parameters) => run(() => statement.run(parameters)),
        iterate: (parameters) => run(() => statement.iterate(parameters)),
      };
      known.set(statement, endangered);
      return endangered;
    },
  };
}
