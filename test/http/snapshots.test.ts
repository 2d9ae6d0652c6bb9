/** Snapshots as they are asked for: by number, by moment, by pin; and the calls that make pins. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeSnapshotTime } from '../../src/formats/snapshot-time.ts';
import { collect } from '../../src/registry/collect.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { createToken } from '../../src/registry/create-token.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { fakeClock, type FakeClock } from '../fake-clock.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { startInProcess, type InProcess } from '../server.ts';

t.setTimeout(240_000);

const formats = [
  {
    format: 'apt',
    channel: 'stable',
    sample: (name: string): Sample => debSample(name),
    at: (id: string) => `/apt/main/snapshots/${id}/dists/stable/InRelease`,
    folder: (number: number) => `tree/apt/main/snapshots/${number}`,
    frozen: (number: number) => `/apt/main/snapshots/${number}/dists/stable/InRelease`,
    pool: (id: string) => `/apt/main/snapshots/${id}/pool/o/one/one_1.0-1_amd64.deb`,
  },
  {
    format: 'yum',
    channel: 'stable-rpm',
    sample: (name: string): Sample => rpmSample(name),
    at: (id: string) => `/yum/main/stable-rpm/snapshots/${id}/repodata/repomd.xml`,
    folder: (number: number) => `tree/yum/main/stable-rpm/generations/${number}`,
    frozen: (number: number) => `/yum/main/stable-rpm/generations/${number}/repodata/repomd.xml`,
    pool: (id: string) => `/yum/main/stable-rpm/snapshots/${id}/packages/o/one-1.0-1.x86_64.rpm`,
  },
] as const;

async function textAt(server: InProcess, path: string): Promise<string | number> {
  const response = await fetch(`${server.url}${path}`);
  const text = await response.text();
  return response.status === 200 ? text : response.status;
}

const seconds = (clock: FakeClock): number => Math.floor(clock.now() / 1000);

for (const { format, channel, sample, at, folder, frozen, pool } of formats) {
  const upload = async (server: InProcess, name: string): Promise<number> => {
    const { filename, bytes } = sample(name);
    return (await jsonOf<{ generation: number }>(await server.upload(channel, filename, bytes))).generation;
  };

  void t.test(`${format}: a moment is the generation that was the newest then`, async (t) => {
    const clock = fakeClock();
    const server = await startInProcess(t, { clock });
    clock.advance(10_000);
    const one = { number: await upload(server, 'one'), time: seconds(clock) };
    const same = await upload(server, 'in-the-same-second');
    clock.advance(100_000);
    const two = { number: await upload(server, 'two'), time: seconds(clock) };
    const is = async (t: Test, time: number, number: number | null, what: string): Promise<void> => {
      const expected = number === null ? 404 : await textAt(server, frozen(number));
      t.equal(await textAt(server, at(writeSnapshotTime(time))), expected, what);
    };
    await is(t, one.time - 100, null, 'before there was anything');
    await is(t, one.time - 1, 1, 'the empty channel');
    await is(t, one.time, same, 'the last of its second');
    await is(t, two.time - 1, same, 'until the next');
    await is(t, two.time, two.number, 'the head');
    await is(t, two.time + 1, null, 'a moment to come');
    t.equal(await textAt(server, at('20261131T000000Z')), 404, 'no such day');
    t.equal(await textAt(server, at('nobody')), 404, 'no such pin');
    t.equal(await textAt(server, at('99')), 404, 'no such generation');
    t.equal(await textAt(server, at(String(one.number))), await textAt(server, frozen(one.number)));
    t.type(await textAt(server, pool(writeSnapshotTime(one.time))), 'string', 'its packages');

    clock.advance(100_000);
    const three = { number: await upload(server, 'three'), time: seconds(clock) };
    await is(t, three.time, three.number, 'what came since');
    await is(t, three.time - 1, two.number, 'and before it');
    clock.advance(100_000);
    // As a round leaves it that ended before its commit: durable, and not true.
    cpSync(join(server.dataDir, folder(two.number)), join(server.dataDir, folder(three.number + 1)), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await is(t, seconds(clock), three.number, 'what was never committed is nobody’s');
    await server.app.publisher.signStale();
    await is(t, seconds(clock), three.number, 'signed again, it is the same generation');
    rmSync(join(server.dataDir, folder(three.number + 1)), { recursive: true });

    rmSync(join(server.dataDir, folder(same)), { recursive: true });
    await server.close();
    const restarted = await startInProcess(t, { dataDir: server.dataDir, clock });
    t.equal(
      await textAt(restarted, at(writeSnapshotTime(two.time - 1))),
      404,
      'when the one of that moment was collected, no other takes its place',
    );
    t.equal(
      await textAt(restarted, at(writeSnapshotTime(three.time - 1))),
      await textAt(restarted, frozen(two.number)),
      'the others stay',
    );
  });

  void t.test(`${format}: a pin names a generation, moves, and goes`, async (t) => {
    // The files have the system's times, which a collection goes by too.
    const clock = fakeClock(Date.now());
    const server = await startInProcess(t, { clock });
    const first = await upload(server, 'one');
    const second = await upload(server, 'two');
    const base = `/api/v1/repositories/main/channels/${channel}/pins`;
    const put = (name: string, body?: object): Promise<Response> =>
      server.api(`${base}/${name}`, {
        method: 'PUT',
        ...(body && { body: JSON.stringify(body) }),
      });
    const made = await put('golden', { generation: first });
    t.equal(made.status, 201);
    const pin = (await made.json()) as { name: string; generation: number; createdBy: string; url: string };
    t.match(pin, { name: 'golden', generation: first, createdBy: 'admin' });
    t.equal(await textAt(server, at('golden')), await textAt(server, frozen(first)));
    t.type(await textAt(server, pool('golden')), 'string', 'its packages');
    t.ok(`${server.url}${at('golden')}`.startsWith(pin.url), pin.url);

    t.equal((await put('golden', { generation: first })).status, 200, 'again');
    t.match(await jsonOf(await put('golden')), { generation: second }, 'moved to the head');
    t.equal(await textAt(server, at('golden')), await textAt(server, frozen(second)));
    t.match(await jsonOf(await server.api(base)), { pins: [{ name: 'golden', generation: second }] });
    t.match(await jsonOf(await server.api(`${base}/golden`)), { generation: second });

    const faults = async ({ app }: InProcess): Promise<string[]> => {
      const found: string[] = [];
      for await (const { key, problem } of checkEverything(app)) found.push(`${key}: ${problem}`);
      return found;
    };
    t.same(await faults(server), []);
    const alias = at('golden').replace(/\/(InRelease|repodata\/repomd\.xml)$/, '');
    rmSync(join(server.dataDir, 'tree', alias));
    t.same(await faults(server), [`${alias.slice(1)}: missing`]);
    await server.close();
    const again = await startInProcess(t, { dataDir: server.dataDir, clock });
    t.type(await textAt(again, at('golden')), 'string', 'shown again after a start');

    const request = { actor: { kind: 'operator', name: 'test' }, repository: 'main', dryRun: false } as const;
    clock.advance(365 * 86_400_000);
    for (const hours of [0, 2, 2]) {
      clock.advance(hours * 3_600_000);
      await collect(again.app, request);
    }
    t.type(await textAt(again, at('golden')), 'string', 'a year later it is still there');
    t.same(await faults(again), [], 'and whole');

    t.equal((await again.api(`${base}/golden`, { method: 'DELETE' })).status, 204);
    t.equal(await textAt(again, at('golden')), 404);
    t.equal((await problemOf(await again.api(`${base}/golden`))).code, 'not_found');
    t.equal((await problemOf(await again.api(`${base}/golden`, { method: 'DELETE' }))).code, 'not_found');
    const rows = await again.app.db.selectFrom('events').select('kind').orderBy('id').execute();
    t.same(
      rows.map(({ kind }) => kind).filter((kind) => kind.endsWith('pin')),
      ['pin', 'pin', 'unpin'],
    );
  });
}

void t.test('who may pin, and what cannot be pinned', async (t) => {
  const server = await startInProcess(t);
  const base = '/api/v1/repositories/main/channels/stable/pins';
  const put = (name: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
    server.api(`${base}/${name}`, { method: 'PUT', body: JSON.stringify(body), headers });
  for (const name of ['12', '20261122T101500Z', 'Golden', 'a..', '-x'])
    t.equal((await problemOf(await put(name, {}))).code, 'bad_request', name);
  t.equal((await problemOf(await put('golden', { generation: 7 }))).code, 'not_found');
  await server.app.db.updateTable('generations').set({ collected_at: 1 }).execute();
  t.equal((await problemOf(await put('golden', {}))).code, 'package_collected');
  const operator = { kind: 'operator', name: 'test' } as const;
  const token = { name: 'ci', scope: 'upload', repositories: ['main'], expiresAt: null } as const;
  const { text } = await createToken(server.app, operator, token);
  const refused = await put('golden', {}, { authorization: `Bearer ${text}` });
  t.equal((await problemOf(refused)).code, 'forbidden');
});
