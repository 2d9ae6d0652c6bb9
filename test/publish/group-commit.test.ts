/** Many uploads at once: nothing is lost, and who comes while a round runs shares the next one. */
import t from 'tap';
import { findMembership } from '../../src/db/membership.ts';
import { listGenerations } from '../../src/db/generations.ts';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { jsonOf } from '../ask.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readPackage, readYum } from '../served.ts';
import { startInProcess } from '../server.ts';
import { refuseInserts } from '../refuse-inserts.ts';
import { gate, openWorkshop } from './workshop.ts';

t.setTimeout(240_000);

const formats = [
  { channel: 'stable', sample: debSample, read: readApt },
  { channel: 'stable-rpm', sample: rpmSample, read: readYum },
] as const;

t.test('uploads that come while a round runs share the next one', async (t) => {
  const { hooks, upload, app } = await openWorkshop(t);
  for (const { channel, sample } of formats) {
    const door = gate();
    hooks.write = (_operation, key) => (key.includes('/pool/') ? undefined : door.pass());
    const first = upload(channel, sample('first'));
    await door.reached;
    const names = ['a', 'b', 'c', 'd', 'e'];
    const kept = Promise.withResolvers<undefined>();
    let files = 0;
    hooks.written = (operation) => {
      if (operation === 'putImmutableFile' && ++files === names.length) kept.resolve(undefined);
    };
    const later = names.map((name) => upload(channel, sample(name)));
    // All of them are as far as they come while the first one is being published.
    await kept.promise;
    await new Promise(setImmediate);
    t.equal((await app.db.selectFrom('pending_changes').select('id').execute()).length, 1);
    door.open();
    t.match(await first, { generation: 2, status: 'created' });
    for (const receipt of await Promise.all(later)) t.match(receipt, { generation: 3, status: 'created' });
    hooks.write = () => undefined;
    hooks.written = () => undefined;
    const [last] = await listGenerations(app.db, `main/${channel}`, { limit: 1 });
    t.match(last, { number: 3, added: 5, removed: 0, packages: 6, cause: 'upload', actor: 'test' });
  }
});

t.test('one that cannot be recorded does not fail those that are recorded with it', async (t) => {
  const { hooks, upload, app } = await openWorkshop(t);
  for (const { channel, sample } of formats) {
    const door = gate();
    hooks.write = (_operation, key) => (key.includes('/pool/') ? undefined : door.pass());
    const first = upload(channel, sample('first'));
    await door.reached;
    const kept = Promise.withResolvers<undefined>();
    let files = 0;
    hooks.written = (operation) => {
      if (operation === 'putImmutableFile' && ++files === 4) kept.resolve(undefined);
    };
    const later = ['a', 'b', 'c', 'd'].map((name) => upload(channel, sample(name)));
    await kept.promise;
    await new Promise(setImmediate);
    // A fault that shows only while the row is written.
    const allow = await refuseInserts(app.db, 'packages', 'c');
    door.open();
    t.match(await first, { status: 'created' });
    const outcomes = await Promise.allSettled(later);
    t.same(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    );
    hooks.write = () => undefined;
    hooks.written = () => undefined;
    const [last] = await listGenerations(app.db, `main/${channel}`, { limit: 1 });
    t.match(last, { packages: 4 });
    await allow();
  }
});

t.test('the same bytes twice at once are one package', async (t) => {
  const server = await startInProcess(t);
  for (const { channel, sample, read } of formats) {
    const { filename, bytes } = sample('twin');
    const answers = await Promise.all([1, 2, 3, 4].map(() => server.upload(channel, filename, bytes)));
    const receipts = await Promise.all(answers.map((answer) => jsonOf<Receipt>(answer)));
    t.equal(new Set(receipts.map((receipt) => receipt.package.sha256)).size, 1);
    const entries = await read(readFrom(server.url), 'main', channel);
    t.equal(entries.length, 1);
  }
});

t.test('other bytes of one identity at once: one goes in, the others are told', async (t) => {
  const server = await startInProcess(t);
  for (const { channel, sample, read } of formats) {
    const samples = [1, 2, 3, 4, 5, 6].map((content) => sample('contested', { content: String(content) }));
    const answers = await Promise.all(
      samples.map(({ filename, bytes }) => server.upload(channel, filename, bytes)),
    );
    t.same(answers.map((answer) => answer.status).sort(), [201, 409, 409, 409, 409, 409]);
    const winner = answers.find((answer) => answer.status === 201);
    const receipt = winner && (await jsonOf<Receipt>(winner));
    const entries = await read(readFrom(server.url), 'main', channel);
    t.match(entries, [{ name: 'contested', sha256: receipt?.package.sha256 }]);
    for (const entry of entries) await readPackage(readFrom(server.url), entry);
  }
});

t.test('32 uploads at once into each channel: every answer is true when it arrives', async (t) => {
  const server = await startInProcess(t);
  const from = readFrom(server.url);
  await Promise.all(
    formats.map(async ({ channel, sample, read }) => {
      const names = Array.from({ length: 32 }, (_, i) => `package-${String(i).padStart(2, '0')}`);
      await Promise.all(
        names.map(async (name) => {
          const { filename, bytes } = sample(name);
          const response = await server.upload(channel, filename, bytes);
          t.equal(response.status, 201);
          const { generation, package: uploaded } = (await response.json()) as Receipt;
          const entry = (await read(from, 'main', channel)).find((candidate) => candidate.name === name);
          t.equal(entry?.sha256, uploaded.sha256, `${name} is in the index that is served`);
          const row = await server.app.db
            .selectFrom('channel_packages as member')
            .innerJoin('packages as package', 'package.id', 'member.package')
            .select(['package.id', 'member.added_in'])
            .where('package.sha256', '=', uploaded.sha256)
            .executeTakeFirstOrThrow();
          t.ok(row.added_in <= generation, `generation ${generation} holds it since ${row.added_in}`);
          t.same(await findMembership(server.app.db, `main/${channel}`, row.id), ['main']);
        }),
      );
      const entries = await read(from, 'main', channel);
      t.same(entries.map(({ name }) => name).sort(), names);
      for (const entry of entries) await readPackage(from, entry);

      const rows = await listGenerations(server.app.db, `main/${channel}`, { limit: 100 });
      t.same(
        rows.map((row) => row.number),
        Array.from({ length: rows.length }, (_, i) => rows.length - i),
        'generations have no gap',
      );
      t.ok(rows.length < 33, `${rows.length} generations: rounds were shared`);
      t.equal(
        rows.reduce((sum, row) => sum + row.added, 0),
        32,
      );
    }),
  );
  t.same(await server.app.db.selectFrom('pending_changes').selectAll().execute(), []);
});

t.test('a client that reads while others publish never meets half a generation', async (t) => {
  const server = await startInProcess(t);
  const from = readFrom(server.url);
  let published = 0;
  let done = false;
  const readers = formats.map(async ({ channel, read }) => {
    let reads = 0;
    while (!done) {
      const least = published;
      const entries = await read(from, 'main', channel);
      t.ok(entries.length >= least, 'what was acknowledged before is there');
      for (const entry of entries.slice(-2)) await readPackage(from, entry);
      reads += 1;
    }
    return reads;
  });
  for (let i = 0; i < 12; i++) {
    await Promise.all(
      formats.map(async ({ channel, sample }) => {
        const { filename, bytes } = sample(`flood-${i}`);
        await jsonOf(await server.upload(channel, filename, bytes));
      }),
    );
    published = i + 1;
  }
  done = true;
  for (const reads of await Promise.all(readers)) t.ok(reads > 3, `${reads} complete reads`);
});
