/** A quiet channel never expires: its head is signed again, the same in everything but its times. */
import { createHash } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findGeneration } from '../../src/db/generations.ts';
import { AppError } from '../../src/errors.ts';
import { readPublicKey } from '../../src/signing/keys.ts';
import { verifyClearsigned } from '../../src/signing/verify.ts';
import { ask, jsonOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample } from '../packages.ts';
import { readApt, readFrom, releaseFields } from '../served.ts';
import { placeTestKey, startInProcess, type InProcess } from '../server.ts';
import { openWorkshop } from './workshop.ts';

t.setTimeout(240_000);

const hour = 3_600_000;
const day = 24 * hour;

type Release = { text: string; date: number; validUntil: number; fields: Map<string, string> };

async function releaseOf(server: InProcess, path = 'dists/stable'): Promise<Release> {
  const text = (await readFrom(server.url)(`apt/main/${path}/InRelease`)).toString();
  const fields = releaseFields(text);
  const time = (name: string): number => Date.parse(fields.get(name)?.replace('UTC', 'GMT') ?? '');
  return { text, fields, date: time('Date'), validUntil: time('Valid-Until') };
}

/** The fields that say what is published, without those that say when. */
function timeless({ fields }: Release): object {
  return Object.fromEntries([...fields].filter(([name]) => name !== 'Date' && name !== 'Valid-Until'));
}

async function hasGoodSignature(t: Test, server: InProcess, { text }: Release): Promise<void> {
  const keys = await server.app.db.selectFrom('signing_keys').select('public_key').execute();
  t.doesNotThrow(() =>
    verifyClearsigned(
      Buffer.from(text),
      keys.map((row) => readPublicKey(row.public_key)),
    ),
  );
}

async function publish(server: InProcess, name: string): Promise<void> {
  const { filename, bytes } = debSample(name);
  await jsonOf(await server.upload('stable', filename, bytes));
}

t.test('after half a day the head is signed again, and nothing else changes', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock });
  await publish(server, 'quiet');
  const before = await releaseOf(server);
  t.equal(before.date, clock.now());
  t.equal(before.validUntil, clock.now() + 7 * day);
  clock.advance(12 * hour - 1);
  t.same(await server.app.publisher.signStale(), []);

  clock.advance(1);
  t.same(await server.app.publisher.signStale(), ['main/stable']);
  const after = await releaseOf(server);
  t.equal(after.date, clock.now());
  t.equal(after.validUntil, clock.now() + 7 * day);
  t.same(timeless(after), timeless(before), 'the same indexes');
  await hasGoodSignature(t, server, after);
  t.match(await findGeneration(server.app.db, 'main/stable', 2), { number: 2, date: clock.now() / 1000 });
  t.match(
    await server.app.db.selectFrom('channels').select('head').where('id', '=', 'main/stable').execute(),
    [{ head: 2 }],
  );
  t.match(await readApt(readFrom(server.url), 'main', 'stable'), [{ name: 'quiet' }]);
  t.same(await server.app.publisher.signStale(), [], 'once is enough');

  const release = await ask(server.url, '/apt/main/dists/stable/Release');
  t.equal(
    release.body.toString(),
    /\n\n([\s\S]*\n)-----BEGIN PGP SIG/.exec(after.text)?.[1],
    'Release goes with it',
  );
});

t.test('what was served before stays under its digest, and a snapshot stays as it was', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock });
  await publish(server, 'pinned');
  const snapshot = await releaseOf(server, 'snapshots/2/dists/stable');
  t.notOk(snapshot.fields.has('Valid-Until'), 'a pinned machine does not expire');
  const served = [];
  for (let i = 0; i < 3; i++) {
    served.push((await releaseOf(server)).text);
    clock.advance(day);
    t.same(await server.app.publisher.signStale(), ['main/stable']);
  }
  for (const text of served) {
    const digest = createHash('sha256').update(text).digest('hex');
    const answer = await ask(server.url, `/apt/main/dists/stable/by-hash/SHA256/${digest}`);
    t.equal(answer.body.toString(), text);
  }
  t.equal((await releaseOf(server, 'snapshots/2/dists/stable')).text, snapshot.text);
});

t.test('Date never goes back, whatever the clock does', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock });
  await publish(server, 'first');
  const first = await releaseOf(server);
  const modified = async (): Promise<number> =>
    Date.parse((await ask(server.url, '/apt/main/dists/stable/InRelease')).headers['last-modified'] ?? '');

  clock.advance(-3 * hour);
  await publish(server, 'while-behind');
  const behind = await releaseOf(server);
  t.equal(behind.date, first.date, 'as late as the last one');
  t.match(await readApt(readFrom(server.url), 'main', 'stable'), { length: 2 });
  t.same(await server.app.publisher.signStale(), []);

  clock.advance(15 * hour);
  t.same(await server.app.publisher.signStale(), ['main/stable']);
  const after = await releaseOf(server);
  t.equal(after.date, clock.now());
  t.ok((await modified()) <= clock.now());

  clock.advance(-2 * hour);
  await publish(server, 'again');
  t.equal((await releaseOf(server)).date, after.date);
});

t.test('every date of a busy channel is in order', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock });
  let last = 0;
  for (const step of [0, 400, 400, 400, -5000, 0, 10_000, 12 * hour, -hour, 2 * day]) {
    clock.advance(step);
    if (step > hour) await server.app.publisher.signStale();
    else await publish(server, `step-${Math.random().toString(36).slice(2)}`);
    const { date } = await releaseOf(server);
    t.ok(date >= last);
    last = date;
  }
});

t.test('a signing and an upload at once end with both', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock });
  await publish(server, 'one');
  clock.advance(day);
  await Promise.all([server.app.publisher.signStale(), publish(server, 'two'), publish(server, 'three')]);
  const release = await releaseOf(server);
  t.equal(release.date, clock.now());
  await hasGoodSignature(t, server, release);
  t.match(await readApt(readFrom(server.url), 'main', 'stable'), { length: 3 });
});

t.test('one repository whose key is gone lets no other expire', async (t) => {
  const clock = fakeClock();
  const first = await startInProcess(t, { clock });
  const { dataDir } = first;
  placeTestKey(dataDir, 'acme');
  await jsonOf(await first.api('/api/v1/repositories/acme', { method: 'PUT' }));
  await jsonOf(
    await first.api('/api/v1/repositories/acme/channels/stable', { method: 'PUT', body: '{"format":"apt"}' }),
  );
  await first.close();
  chmodSync(join(dataDir, 'keys/acme.asc'), 0o644);
  clock.advance(day);
  const server = await startInProcess(t, { clock, dataDir });
  // The public URL is another one after this restart, so that every channel was published anew.
  clock.advance(day);
  t.same(await server.app.publisher.signStale(), ['main/stable']);
  t.equal((await releaseOf(server)).date, clock.now());
});

t.test('a signing that fails leaves the head as it was, and is done the next time', async (t) => {
  const clock = fakeClock();
  const { server, app, hooks } = await openWorkshop(t, { clock });
  await publish(server, 'kept');
  const before = await releaseOf(server);
  clock.advance(day);
  hooks.sign = () => {
    throw new AppError('signing_failed', 'The key service did not answer.');
  };
  t.same(await app.publisher.signStale(), []);
  t.equal((await releaseOf(server)).text, before.text);
  hooks.sign = () => undefined;

  let left = 1;
  hooks.write = (operation) => {
    if (operation === 'putPointer' && left-- === 0) throw new Error('the disk is gone');
  };
  t.same(await app.publisher.signStale(), [], 'recorded, and shown in part');
  hooks.write = () => undefined;
  clock.advance(day);
  t.same(await app.publisher.signStale(), ['main/stable']);
  const after = await releaseOf(server);
  t.equal(after.date, clock.now());
  await hasGoodSignature(t, server, after);
});
