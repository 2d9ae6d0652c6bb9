/** 64 uploaders at once, more than a round can take: each answer is true when it arrives, and history has no gap. */
import t from 'tap';
import { listGenerations } from '../../src/db/generations.ts';
import { flood } from '../flood.ts';
import { debSample, rpmSample } from '../packages.ts';
import { adminToken, startInProcess } from '../server.ts';

t.setTimeout(300_000);

for (const [format, channel, sample] of [
  ['apt', 'stable', debSample],
  ['yum', 'stable-rpm', rpmSample],
] as const)
  t.test(`400 packages from 64 uploaders into ${format}`, async (t) => {
    const server = await startInProcess(t);
    const samples = Array.from({ length: 400 }, (_, i) => sample(`package-${i}`));
    const target = { url: server.url, token: adminToken, format, channel };
    const { refused, missing, generations } = await flood(target, samples, 64);
    t.same(refused, [], 'every answer is 201');
    t.same(missing, [], 'every package is in the index that is served when its answer arrives');
    const rows = await listGenerations(server.app.db, `main/${channel}`, { limit: 1000 });
    t.same(
      rows.map((row) => row.number),
      Array.from({ length: rows.length }, (_, i) => rows.length - i),
      'generations have no gap',
    );
    t.same(
      generations,
      rows
        .map((row) => row.number)
        .filter((number) => number > 1)
        .sort((a, b) => a - b),
    );
    t.equal(
      rows.reduce((sum, row) => sum + row.added, 0),
      samples.length,
    );
    t.equal(rows[0]?.packages, samples.length);
    t.ok(rows.length < samples.length / 4, `${rows.length} generations: rounds are shared`);
    t.same(await server.app.db.selectFrom('pending_changes').selectAll().execute(), []);
  });
